"""Gradients through sparse tensors: values, layouts and node names as PyTorch's."""

import pytest
import torch

import lampas
import lampas.sparse

CASES = """
s.to_dense() | u.to_dense() | torch.sparse.mm(s, e) | s @ e | u @ e | s @ e[:, 0] | s * 2 | s + u | d + s | s * d | s * u | u * 2
torch.sparse.sum(s) | torch.sparse.sum(s, 0) | u.sum() | torch.sparse.softmax(s, 1) | torch.sparse.log_softmax(s, 1) | s.values()
u.coalesce() | u.coalesce().values() | torch.sparse_coo_tensor(i, v, (2, 3)).to_dense() | torch.sparse_coo_tensor(i, v, (2, 3)) @ e
torch.sparse.sum(torch.sparse_coo_tensor(i, v, (2, 3))) | -s | s.abs() | s ** 3 | s.relu() | s.t() | d.to_sparse() | d.sparse_mask(s.detach())
torch.sparse.addmm(e[:2, :], s, e, beta=2, alpha=3) | s.clone() | s / 2 | e @ s | s - u | d - s
"""


def gradients(t, case):
    i, v = t.tensor([[0, 1, 1], [2, 0, 2]]), t.tensor([3.0, 4.0, 5.0], requires_grad=True)
    s = t.sparse_coo_tensor(i, v.detach(), (2, 3)).coalesce().requires_grad_()
    u = t.sparse_coo_tensor(
        t.tensor([[1, 0, 1], [2, 1, 2]]), t.tensor([1.0, 2.0, 7.0]), (2, 3), requires_grad=True
    )
    d = (t.arange(6.0).reshape(2, 3) + 1).requires_grad_()
    e = (t.arange(6.0).reshape(3, 2) + 1).requires_grad_()
    names = {"torch": t, "i": i, "v": v, "s": s, "u": u, "d": d, "e": e}
    y = eval(case, names)
    name = y.grad_fn.name()
    y = t.sparse.sum(y * y) if y.is_sparse else (y * y).sum()
    y.backward()
    return y.item(), name, {k: names[k].grad for k in "vsude"}


@pytest.mark.parametrize(
    "case", [case.strip() for line in CASES.strip().splitlines() for case in line.split(" | ")]
)
def test_gradients(case):
    (mine, my_name, ours), (value, name, theirs) = (gradients(t, case) for t in (lampas, torch))
    assert mine == pytest.approx(value)
    assert my_name.rstrip("01") == name.rstrip("01")
    for key, expected in theirs.items():
        found = ours[key]
        assert (found is None) == (expected is None), key
        if expected is None:
            continue
        assert str(found.layout) == str(expected.layout), key
        dense = [x.to_dense().flatten().tolist() for x in (found, expected)]
        assert dense[0] == pytest.approx(dense[1], rel=1e-4, abs=1e-4), key


def test_a_product_of_two_sparse_matrices():
    a = lampas.tensor([[1.0, 0, 2], [0, 3, 0]])
    x = a.to_sparse().requires_grad_()
    y = a.t().contiguous().to_sparse().requires_grad_()
    lampas.sparse.sum(lampas.sparse.mm(x, y)).backward()
    assert x.grad.is_sparse and y.grad.is_sparse
    product = lampas.ones(2, 2) * ((a @ a.t()) != 0)
    assert lampas.equal(x.grad.to_dense(), product @ a)
    assert lampas.equal(y.grad.to_dense(), a.t() @ product)


def test_gradients_accumulate():
    for again in (False, True):
        d = lampas.ones(2, 2, requires_grad=True)
        mask = lampas.eye(2).to_sparse()
        lampas.sparse.sum(d * mask).backward()
        assert d.grad.is_sparse
        if again:
            lampas.sparse.sum(d * mask).backward()
            assert d.grad.is_sparse
        (d * 3).sum().backward()
        assert not d.grad.is_sparse
        assert lampas.equal(d.grad, 3 + (1 + again) * lampas.eye(2))


def test_derivatives_of_derivatives_are_refused():
    s = lampas.eye(2).to_sparse().requires_grad_()
    with pytest.raises(NotImplementedError, match="second derivatives"):
        lampas.autograd.grad((s.to_dense() ** 2).sum(), s, create_graph=True)
    with pytest.raises(NotImplementedError, match="gradients"):
        s.unsqueeze(0)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        s.mul_(2)


def embedded(t, bag, **options):
    kind = t.nn.EmbeddingBag if bag else t.nn.Embedding
    layer = kind(6, 2, sparse=True, **options)
    with t.no_grad():
        layer.weight.copy_(t.arange(12.0).reshape(6, 2))
    return layer


@pytest.mark.parametrize("bag, options", [
    (False, {}), (False, {"padding_idx": 1}), (True, {"mode": "mean"}),
    (True, {"mode": "sum", "padding_idx": 2}),
])  # fmt: skip
def test_embeddings(bag, options):
    texts = []
    for t in (lampas, torch):
        layer = embedded(t, bag, **options)
        index = t.tensor([1, 2, 1, 4])
        y = layer(index, t.tensor([0, 3])) if bag else layer(index.reshape(2, 2))
        (y * y).sum().backward()
        texts.append(repr(layer.weight.grad))
    assert texts[0] == texts[1]
    with pytest.raises(
        RuntimeError, match="scale_grad_by_freq not supported with sparse gradients"
    ):
        embedded(lampas, False, scale_grad_by_freq=True)(lampas.tensor([1])).sum().backward()


@pytest.mark.parametrize("name, options", [
    ("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adagrad", {"lr": 0.1}),
    ("SparseAdam", {"lr": 0.1}), ("SparseAdam", {"lr": 0.1, "maximize": True}),
])  # fmt: skip
def test_optimizers(name, options):
    found = []
    for t in (lampas, torch):
        layer = embedded(t, False)
        optimizer = getattr(t.optim, name)(layer.parameters(), **options)
        for index in ([1, 2, 1], [4, 1, 0], [2, 2, 2]):
            optimizer.zero_grad()
            (layer(t.tensor(index)) ** 2).sum().backward()
            optimizer.step()
        found.append(layer.weight.detach().flatten().tolist())
    assert found[0] == pytest.approx(found[1], rel=1e-5)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop", "Adadelta"])
def test_optimizers_without_sparse_gradients(name):
    texts = []
    for t in (lampas, torch):
        layer = embedded(t, False)
        optimizer = getattr(t.optim, name)(layer.parameters())
        layer(t.tensor([1])).sum().backward()
        with pytest.raises(RuntimeError) as raised:
            optimizer.step()
        texts.append(str(raised.value).partition("\nhint:")[0])
    assert texts[0] == texts[1]
