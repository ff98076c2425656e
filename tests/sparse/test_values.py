"""Sparse tensors against PyTorch: what expressions print, and which errors they raise."""

import pytest
import torch

import lampas
import lampas.sparse

CASES = """
s | u | u.is_coalesced() | (s + u).coalesce() | (s - u).coalesce() | s * u | u * u | s / 2 | s * 2 | 2 * s
s.coalesce() + u.coalesce() | s.coalesce() - u.coalesce() | s.add(u, alpha=2).coalesce() | torch.sub(s, u, alpha=3).coalesce()
s * d | d * s | d + s | d - s | torch.add(d, s, alpha=2) | s ** 2 | s * torch.tensor(2.0) | s // 2 | -s | s.div(torch.tensor(2.0))
s @ torch.ones(3, 2) | torch.mm(s, torch.ones(3, 2)) | torch.sparse.mm(s, torch.ones(3, 2)) | torch.sparse.mm(s, s.t())
s @ s.t() | torch.mm(torch.ones(2, 2), s) | torch.ones(2, 2) @ s | torch.mv(s, torch.ones(3)) | s @ torch.ones(3)
torch.addmm(torch.ones(2, 2), s, torch.ones(3, 2), beta=2, alpha=3) | torch.spmm(s, torch.ones(3, 2))
torch.sparse.addmm(torch.ones(2, 2), s, torch.ones(3, 2)) | torch.hspmm(s, torch.ones(3, 2)) | torch.smm(s, torch.ones(3, 2))
torch.sum(s) | torch.sparse.sum(s) | torch.sparse.sum(s, 0) | torch.sparse.sum(s, dim=[0, 1]) | s.sum(1) | s.sum((0,), keepdim=True)
torch.sparse.sum(s, 0, dtype=torch.float64) | s.long().sum() | s.int().sum(0)
torch.sparse.softmax(s, 1) | torch.sparse.log_softmax(s, 1) | torch.sparse.softmax(u, 0) | torch.sparse.softmax(h, 2) | torch.sparse.softmax(h, 0)
s.transpose(0, 1) | s.permute(1, 0) | s.T | s.mT | h.transpose(0, 1) | s.t().is_coalesced() | s.index_select(0, torch.tensor([1, 0]))
s.index_select(1, torch.tensor([2, 2, 0])) | s.unsqueeze(0) | s.unsqueeze(2) | s[0] | s[0, 2] | s[1] | h[1] | s.narrow_copy(0, 0, 1)
d.sparse_mask(s.coalesce()) | d.sparse_mask(u) | s.sparse_mask(u.coalesce()) | d.to_sparse() | d.to_sparse(1) | d.to_sparse_csr() | d.to_sparse_csc()
d.to_sparse(layout=torch.sparse_csr) | d.to_sparse_coo() | torch.zeros(2, 2).to_sparse() | torch.tensor(3.0).to_sparse() | torch.eye(3).to_sparse_csc()
s.to(torch.float64) | s.long() | s.to("cpu") is s | s.cpu() is s | s.half() | s.int() | s.clone() | s.zero_() | u.coalesce() | u.to_dense() | h.to_dense()
torch.zeros_like(u) | torch.empty_like(u).layout | torch.cat([s, u]) | torch.cat([s, u], 1) | torch.stack([s, u]) | torch.is_tensor(s)
isinstance(s, torch.Tensor) | type(s) | s.shape | s.layout | s.is_sparse | s.is_sparse_csr | s.device | len(s) | s.norm() | s.mul_(2)
s.copy_(u) | s.grad | s.is_leaf | s.numel() | s.size(0) | s.sparse_resize_((3, 3), 2, 0) | s.any() | s.element_size() | s.is_same_size(u)
s.coalesce().indices() | u.coalesce().values() | u._indices() | u._values() | u._nnz() | h.sparse_dim(), h.dense_dim() | s.stride() | s.storage_offset()
s.sin() | s.tanh() | s.sqrt() | s.abs() | s.neg() | s.floor() | s.sign() | s.log1p() | (s * 0.1).expm1() | s.isnan() | s.erf() | s.asin() | s.relu() | u.sin()
s.neg_() | s.coalesce().sqrt_() | torch.nn.functional.relu(s) | torch.nn.functional.linear(s, torch.ones(4, 3)) | s.type() | torch.tensor(s)
torch.bmm(torch.eye(2).expand(2, 2, 2).to_sparse(), torch.ones(2, 2, 2)) | list(s) | s.unbind() | s.dim(), s.ndim | s.data | s.t_() | s.new_zeros(2)
c | c * 2 | c @ torch.ones(3) | c @ torch.ones(3, 2) | c.t() | c.to_sparse_coo() | c.sum() | c.abs() | c + c | c.values() | c._nnz() | c.clone()
c.double() | c.sparse_dim(), c.is_sparse, c.is_sparse_csr, c.layout | c.crow_indices() | c.col_indices() | c.to_dense() | c.detach()
c.to_sparse_csc() | c.to_sparse_csc().to_dense() | c.to_sparse_csc().to_sparse_csr() | c.t().to_dense() | torch.sparse.mm(c, torch.ones(3, 2))
torch.sparse_coo_tensor([[0, 1], [1, 0]], [1.0, 2.0]) | torch.sparse_coo_tensor([[0, 1], [1, 0]], [1, 2], (2, 2), dtype=torch.float16)
torch.sparse_coo_tensor(size=(2, 3), dtype=torch.int32) | torch.sparse_coo_tensor((2, 3)) | torch.sparse_coo_tensor(torch.zeros(0, 1).long(), torch.tensor([3.0]), ()).item()
torch.sparse_csr_tensor([0, 1, 2], [0, 1], [1.0, 2.0]) | torch.sparse_csr_tensor([0, 1, 2], [0, 1], [1, 2], (2, 2), dtype=torch.float64, requires_grad=True)
torch.sparse_coo_tensor(torch.tensor([[0, 1]]), torch.ones(2, 3), (4, 3)) | d.sparse_dim(), d.dense_dim() | torch.sparse_coo_tensor([[1]], [2.0]).is_coalesced()
"""
ERRORS = """
s + 1 | s / u | s + d | s - d | s / d | s == s | torch.softmax(s, 1) | s[0:1] | s.narrow(0, 0, 1) | bool(s) | float(s) | s.tolist() | s.exp() | torch.cos(s)
torch.equal(s, s) | s.eq(0) | torch.nonzero(s) | torch.dot(s, s) | torch.matmul(s, s) | s.mean() | s.max() | s.reshape(3, 2) | s.view(3, 2) | s.contiguous()
s.data_ptr() | s.untyped_storage() | s.numpy() | s.clamp(0, 1) | s.expand(2, 2, 3) | s.nbytes | s.item() | s.prod() | s.argmax() | torch.tril(s) | s.fill_(1)
s.new_ones(2) | torch.ones_like(u) | s.crow_indices() | u.indices() | u.values() | c.indices() | c.is_coalesced() | c.coalesce() | 1 - s | s - 1 | 2 / s
d.coalesce() | d.indices() | d.is_coalesced() | d._nnz() | d.crow_indices() | d.values() | torch.sparse.sum(d) | s.relu_() | u.abs_() | s.var() | s.where(d > 0, s)
torch.sparse_coo_tensor(torch.tensor([0, 1]), torch.ones(2), (3,)) | torch.sparse_coo_tensor(torch.tensor([[0, 1]]), torch.ones(3), (3,))
torch.sparse_coo_tensor(torch.tensor([[0, 1]]), torch.ones(2), (3, 3)) | torch.sparse_coo_tensor(torch.tensor([[0, 1]]), torch.ones(2, 2), (3, 3))
torch.sparse_coo_tensor(torch.tensor([[0, 0]]), torch.ones(2), (3,), is_coalesced=True, check_invariants=True)
torch.sparse_coo_tensor(torch.tensor([[0, 5]]), torch.ones(2), (3,), check_invariants=True)
torch.sparse_coo_tensor(torch.tensor([[0, -5]]), torch.ones(2), (3,), check_invariants=True)
"""


def cases(table):
    return [case.strip() for line in table.strip().splitlines() for case in line.split(" | ")]


def operands(t):
    i, v = t.tensor([[0, 1, 1], [2, 0, 2]]), t.tensor([3.0, 4.0, 5.0])
    s = t.sparse_coo_tensor(i, v, (2, 3))
    u = t.sparse_coo_tensor(t.tensor([[1, 0, 1], [2, 1, 2]]), t.tensor([1.0, 2.0, 0.5]), (2, 3))
    h = t.sparse_coo_tensor(i, t.arange(6.0).reshape(3, 2), (2, 3, 2))
    d = t.arange(6.0).reshape(2, 3) + 1
    return {"torch": t, "s": s, "u": u, "h": h, "d": d, "c": s.to_sparse_csr()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", cases(CASES))
def test_values(case):
    mine, theirs = (repr(eval(case, operands(t))) for t in (lampas, torch))
    assert mine == theirs


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", cases(ERRORS))
def test_errors(case):
    texts = []
    for t in (torch, lampas):
        with pytest.raises(Exception) as raised:
            eval(case, operands(t))
        texts.append((raised.type, str(raised.value).partition("\nhint:")[0]))
    (kind, theirs), (my_kind, mine) = texts
    assert kind is my_kind
    if theirs.startswith("Could not run"):  # the inner operator's name may be another
        assert mine.startswith("Could not run 'aten::") and mine.endswith("backend.")
    else:
        assert mine == theirs


def test_a_sum_of_uncoalesced_tensors_keeps_all_entries():
    x, y = operands(lampas)["s"], operands(lampas)["u"]
    assert not (x + y).is_coalesced()
    assert ((x + y).to_dense() == x.to_dense() + y.to_dense()).all()


def test_indices_out_of_bounds_are_noticed_in_use():
    x = lampas.sparse_coo_tensor(lampas.tensor([[0, 5]]), lampas.ones(2), (3,))
    for use in (x.to_dense, x.coalesce, lambda: x * lampas.ones(3)):
        with pytest.raises(
            IndexError, match="index 5 is out of bounds for dimension 0 with size 3"
        ):
            use()
    wide = lampas.sparse_coo_tensor(lampas.tensor([[0], [9]]), lampas.ones(1), (2, 3))
    with pytest.raises(IndexError):
        wide @ lampas.ones(3, 2)
    with pytest.raises(RuntimeError, match="do not describe a matrix"):
        lampas.sparse_csr_tensor([0, 1, 2], [0, 7], [1.0, 2.0], (2, 2))


@pytest.mark.parametrize("use", ["lampas.ones(2, 3).copy_(x)",
                                 "lampas.ones(2, 3).__setitem__(0, x[0])", "memoryview(x)",
                                 "lampas.where(lampas.ones(2, 3) > 0, x, x)", "x.mul_(lampas.ones(2))",
                                 "lampas.nn.functional.conv2d(x, x)", "x.sum(dim=7)", "x.add(1, out=x)",
                                 "setattr(lampas.ones(2, 3), 'data', x)"])  # fmt: skip
def test_no_way_to_a_wrong_result(use):
    x = operands(lampas)["s"]
    with pytest.raises((RuntimeError, TypeError, IndexError, BufferError, NotImplementedError)):
        eval(use, {"lampas": lampas, "x": x})


def test_a_parameter_may_be_sparse():
    p = lampas.nn.Parameter(operands(lampas)["s"])
    assert isinstance(p, lampas.nn.Parameter) and p.is_sparse and p.requires_grad
    (p @ lampas.ones(3, 2)).sum().backward()
    assert p.grad.shape == p.shape


def test_large_products_agree():
    generator = torch.Generator().manual_seed(1)
    a = (torch.rand(40, 30, generator=generator) < 0.2) * torch.rand(40, 30, generator=generator)
    b = (torch.rand(30, 20, generator=generator) < 0.3) * torch.rand(30, 20, generator=generator)
    x, y = (lampas.from_numpy(m.numpy()) for m in (a, b))
    for kind in ("to_sparse", "to_sparse_csr", "to_sparse_csc"):
        sparse = getattr(x, kind)()
        assert lampas.allclose(sparse @ y, x @ y)
        both = lampas.sparse.mm(sparse, getattr(y, kind)())
        assert both.layout is sparse.layout
        assert lampas.allclose(both.to_dense(), x @ y)
        assert lampas.allclose(y.t() @ sparse.t(), y.t() @ x.t())
