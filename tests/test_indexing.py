"""x[...] in all forms, gather and scatter, masks and embedding against PyTorch."""

import numpy
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from agreement import agree  # noqa: E402
from expressions import LAYOUTS, cases, check_gradients, check_values  # noqa: E402

import lampas  # noqa: E402

KEYS = cases("""
0 | -1 | 1:3 | ::2 | :, 1 | ..., 1 | 0, ..., None | None | ... | () | :, None, 1:, :: 2 | [0, 2] | [[0, 1], [1, 0]] | [0, 1], [1, 2]
:, [0, 2] | [0, 1], :, [1, 2] | ..., [1, 0] | [0, 2], 1 | 1, [0, 2] | 0, :, [0, 1] | t.tensor([[0, 1], [2, 1]]) | t.tensor(1) | True | False
:, True | [True, False, True] | x > 0 | x[0] > 0, | x[:, 0, 0] < 9 | :, x[0, :, 0] < 0.5 | x[..., 0] > 0, 1 | None, [0, 1], None, [1, 1]
t.tensor([-1, 0]) | t.tensor([0, 1], dtype=t.int32), t.tensor(1) | [], | x > 99 | t.tensor([[0], [1]]), t.tensor([0, 1, 2]) | range(2) | [slice(0, 1), 0]
t.tensor([[0, 1], [2, 0]]).t() | ..., t.tensor([[0, 1], [2, 0]]).t() | [0, 2], ..., [[0], [1]] | True, [0, 1] | x[0, :, 0] > -9, [0, 1, 2]
""")

OPERATORS = cases("""
x.index_select(0, i) | x.index_select(2, i.int()) | x.index_select(1, i[0]) | x.index_add(0, i, x * 2) | x.index_add(2, j, x, alpha=3)
x.index_copy(0, i, x * 2) | x.index_copy(1, j, x * 2) | x.index_fill(1, i, 2.5) | x.index_fill(0, i, x[0, 0, 0]) | x.index_reduce(0, i, x, 'prod')
x.index_reduce(0, i, x, 'mean') | x.index_reduce(1, j, x, 'amax') | x.index_reduce(0, i, x, 'amin', include_self=False)
x.index_reduce(0, i, x, 'mean', include_self=False) | x.gather(0, k) | x.gather(1, k[:, :2]) | x.gather(2, k[..., :1]) | x.scatter(0, k, x * 2)
x.scatter(1, k[:2], x * 2) | x.scatter(2, k, 3.0) | x.scatter_add(0, k, x * 2) | x.scatter_add(1, k[:, :, :2], x * 2) | x.scatter_add(2, k, x)
x.scatter_reduce(0, k, x * 2, 'sum') | x.scatter_reduce(0, k, x * 2, 'sum', include_self=False) | x.scatter_reduce(1, k, x, 'prod')
x.scatter_reduce(1, k, x, 'prod', include_self=False) | x.scatter_reduce(2, k, x, 'mean') | x.scatter_reduce(0, k, x, 'mean', include_self=False)
x.scatter_reduce(0, k, x, 'amax') | x.scatter_reduce(1, k, x, 'amin', include_self=False) | x.take(k) | x.take(i - 1) | x.put(i, x[0, 0, :3])
x.put(j, x[0, 0, :3], accumulate=True) | torch.take_along_dim(x, k[:1], 0) | torch.take_along_dim(x, i.view(3, 1, 1), 1)
x.masked_fill(x > 0, 2.0) | x.masked_fill(x[0] > 0, x[0, 0, 0]) | x.masked_select(x > 0) | x.masked_select(x[0] > 0) | x.masked_scatter(x > 0, x * 2)
x.index_put((i, j), x[:, 0] * 2) | x.index_put((i, i), x[:, 0], accumulate=True) | x.index_put((i,), x[0] * 2) | x.index_put((x > 0,), x[0, 0, 0])
torch.embedding(x[0], k) | torch.embedding(x[0], i, 1) | torch.embedding(x[0], k[0], 2, True) | torch.where(x > 0)[0].to(x.dtype) * x.sum()
""")
NO_GRADIENT = cases("""
x.nonzero() | x.nonzero(as_tuple=True) | torch.argwhere(x > 0) | torch.where(x > 0) | x.scatter(0, k, x * 2, reduce='add')
x.scatter(1, k, 2.0, reduce='multiply') | torch.nonzero_static(x, size=5) | torch.unravel_index(k, (3, 3))
""")

# PyTorch cannot differentiate these: a source larger than its index, and rows scaled twice.
ONE_ORDER = {
    "x.scatter(1, k[:2], x * 2)",
    "x.scatter_add(1, k[:, :, :2], x * 2)",
    "torch.embedding(x[0], k[0], 2, True)",
}

I = "torch.tensor([2, 0, 2])"
J = "torch.tensor([1, 0, 2])"
K = "torch.tensor([[[0, 1, 2], [2, 0, 0], [1, 1, 1]], [[2, 2, 1], [0, 1, 0], [0, 0, 2]], [[1, 2, 0], [1, 2, 2], [0, 1, 1]]])"


def some(dtype="float64"):
    return numpy.random.default_rng(1).standard_normal((3, 3, 3)).astype(dtype)


def with_indices(case):
    return f"(lambda i, j, k: {case})({I}, {J}, {K})"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("key", KEYS)
def test_keys(key, layout):
    array = (
        some() if layout != "strided" else numpy.random.default_rng(1).standard_normal((3, 6, 3))
    )
    check_values(f"x[{key}]", array, layout)
    check_gradients(f"x[{key}]", array, layout)


@pytest.mark.parametrize("layout", [x for x in LAYOUTS if x != "strided"])
@pytest.mark.parametrize("case", OPERATORS + NO_GRADIENT)
def test_operators(case, layout):
    check_values(with_indices(case), some(), layout)


@pytest.mark.parametrize("layout", ["contiguous", "permuted", "expanded"])
@pytest.mark.parametrize("case", [c for c in OPERATORS if c not in ONE_ORDER])
def test_gradients(case, layout):
    check_gradients(with_indices(case), some(), layout)


# Several equal values, and zeros, in one place.
@pytest.mark.parametrize("case", [c for c in OPERATORS if "reduce" in c])
def test_ties_and_zeros(case):
    array = numpy.array([0.0, 1.0, 2.0] * 9).reshape(3, 3, 3)
    if "prod" not in case:
        check_gradients(with_indices(case), array)
        return
    leaves = [m.from_numpy(array.copy()).requires_grad_() for m in (lampas, torch)]
    for m, x in zip((lampas, torch), leaves):
        eval(with_indices(case), {"torch": m, "x": x}).sum().backward()
    numpy.testing.assert_allclose(leaves[0].grad.numpy(), leaves[1].grad.numpy())


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float16", "complex64"])
@pytest.mark.parametrize("case", OPERATORS + NO_GRADIENT)
def test_types(case, dtype):
    def body(t):
        x = t.from_numpy((some() * 3).astype(dtype))
        return eval(with_indices(case), {"torch": t, "x": x})

    agree(body, rtol=2e-3, atol=1e-3)


ASSIGNMENTS = cases("""
x[0] = 1 | x[0] = x[1] | x[:, 1] = x[:, :1, 0] | x[::2] = 5.5 | x[i] = 7 | x[i, j] = x[0] | x[:, i] = x[:, j] * 2 | x[x > 0] = 0
x[x > 0] = x[x > 0] * 2 | x[..., None, 0] = x[0, 0, 0] | x[True] = 3 | x[False] = 3 | x[()] = 1 | x[...] = x.clone().flip(0) | x[None] = 2
x[x[0] > 0, 1] = 3 | x[[0, 1], :, [0, 1]] = x[:2, :, 0] | x[0, 0, 0] = True | x[1:1] = 5 | x[k] = x[0] | x[x[:, 0, 0] > 0] = x[0]
x[:, x[0, :, 0] > 0] = 1 | x[0] = x.double()[1] | x[1] += 1 | x[i] += 1 | x[x < 0] *= -1 | x.view(-1)[1:3] = 0 | x[0][1] = 2
x.index_add_(0, i, x.clone()) | x.index_fill_(1, i, 3) | x.index_copy_(0, j, x.clone()) | x.scatter_(0, k, x.clone()) | x.scatter_(0, k, 1)
x.scatter_add_(1, k, x.clone()) | x.masked_fill_(x > 0, 1) | x.put_(i, x[0, 0].clone(), True) | x.index_put_((i,), x[0].clone(), True)
x.masked_scatter_(x > 0, x.clone()) | x.scatter_reduce_(0, k, x.clone(), 'amax') | x.index_reduce_(0, i, x.clone(), 'prod')
""")


@pytest.mark.parametrize("case", ASSIGNMENTS)
def test_assignments(case):
    def body(t):
        x = t.from_numpy(some())
        names = {
            "torch": t,
            "x": x,
            "i": eval(I, {"torch": t}),
            "j": eval(J, {"torch": t}),
            "k": eval(K, {"torch": t}),
        }
        exec(case, names)
        return x, x._version

    agree(body)


@pytest.mark.parametrize(
    "view", ["x * 1", "(x * 1)[:, :, :]", "(x * 1).transpose(0, 1)", "(x * 1)[0:3]"]
)
@pytest.mark.parametrize("case", ASSIGNMENTS)
def test_gradients_of_assignments(case, view):
    def body(t):
        leaf = t.from_numpy(some()).requires_grad_()
        x = eval(view, {"x": leaf})
        names = {
            "torch": t,
            "x": x,
            "i": eval(I, {"torch": t}),
            "j": eval(J, {"torch": t}),
            "k": eval(K, {"torch": t}),
        }
        exec(case, names)
        (x * t.arange(27.0).view(3, 3, 3)).sum().backward()
        return leaf.grad

    agree(body)


ERRORS = cases("""
x[1.] | x[5] | x[-3] | x[:, 5] | x[0, 0, 0, 0] | x[::-1] | x[::0] | x[torch.tensor([5])] | x[torch.tensor([1.])]
x[torch.tensor([True, False, True])] | x[:, torch.tensor([[True, False, True]])] | x[0, 0, 0][0] | x[0, 0, 0][0:1] | x[1.5:]
x[torch.tensor([0, 1]), torch.tensor([0, 1, 2])] | x[torch.tensor([0, 1], dtype=torch.int16)] | x[{}] | x[0, 'a'] | x[2**70]
torch.zeros(0, 3)[torch.tensor([0])] | x.__setitem__(0, 'x') | x.__setitem__(slice(0, 2), [1, 2]) | x.__setitem__(9, 1)
x.__setitem__(0, 1j) | x.int().__setitem__(0, 2**40) | x.__setitem__((0, 0, 0, 0), 1.5) | x.__setitem__(i, torch.ones(3)) | x.__setitem__(i, x.double())
x.__delitem__(0) | x.__setitem__(0, x) | torch.zeros(1).expand(3).__setitem__(slice(0, 2), torch.ones(2)) | x.__setitem__(x > 0, torch.ones(2))
x.index_select(0, i + 5) | x.index_select(0, i - 1) | x.index_select(0, i.float()) | x.index_select(0, i.view(2, 1)) | x.gather(0, i)
x.gather(0, i.float()) | x.gather(0, torch.full((2, 3, 4), 7)) | x.gather(0, torch.zeros(2, 4, 4).long()) | x.gather(0, torch.full((2, 3, 4), -1))
x.scatter(0, torch.full((2, 3, 4), 7), x) | x.scatter(0, torch.zeros(2, 4, 4).long(), x) | x.scatter(0, torch.zeros(2, 3, 4).long(), x.double())
x.scatter(0, torch.zeros(2, 3, 4).long(), x, reduce='foo') | x.scatter_reduce(0, torch.zeros(2, 3, 4).long(), x, 'foo')
x.index_add(0, i, x[:1]) | x.index_add(0, i + 5, x) | x.index_add(0, i.view(2, 1), x) | x.index_add(0, i.float(), x) | x.index_add(0, i, x.double())
x.index_copy(0, i, x[:1]) | x.index_copy(0, i + 5, x) | x.index_fill(0, i + 5, 1.) | x.index_fill(0, i, x) | x.index_fill(0, i, 1j)
x.index_reduce(0, i, x, 'sum') | x.index_reduce(0, i + 5, x, 'prod') | x.index_put((i + 5,), x) | x.index_put((i,), x.double())
x.index_put((i, i, i, i), x) | x.index_put((i,), torch.ones(3)) | x.take(i + 50) | x.take(i.float()) | x.put(i + 50, torch.ones(2))
x.put(i, torch.ones(3)) | x.put(i, torch.ones(2).double()) | x.masked_fill(x, 1.) | x.masked_fill(x > 0, x) | x.masked_fill(x > 0, 1j)
x.masked_fill(torch.zeros(5).bool(), 1.5) | x.masked_select(x) | x.masked_scatter(x > -100, torch.ones(3)) | x.masked_scatter(x > 0, x.double())
torch.embedding(x, i) | torch.embedding(x[0], i + 5) | torch.embedding(x[0], i.float()) | torch.embedding(x[0], i - 1)
torch.zeros(1).expand(3).index_add_(0, i, torch.ones(2)) | torch.zeros(1).expand(3).scatter_(0, i, torch.ones(2))
x[0, 0].index_add_(0, i, x[0, 0, :2]) | x[0, 0].scatter_(0, i, x[0, 0, :2]) | x[0, 0].index_put_((i,), x[0, 0, :2])
torch.zeros(2, requires_grad=True).masked_fill_(torch.tensor(True), 1) | torch.zeros(2, requires_grad=True).__setitem__(0, 1)
torch.take_along_dim(x, i, 0) | torch.take_along_dim(x, i.view(2, 1, 1).int(), 0)
""")


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    agree(
        lambda t: eval(case, {"torch": t, "x": t.arange(24.0).view(2, 3, 4), "i": t.tensor([0, 1])})
    )


# --- sizes at which work is cut into chunks ---

LARGE = cases("""
x[i] | x[:, j] | x[i, j[:5000]] | x.t()[j] | x.index_select(0, i) | x.index_select(1, j) | x.index_add(0, i[:3000], x)
x.gather(0, i[:3000, None].expand(-1, 400) % 3000) | x.gather(1, (i[:3000, None] + j[:400]) % 400) | x.scatter_add(0, k, x)
x.scatter_add(1, k % 400, x) | x.scatter_reduce(0, k, x, 'amax') | x[x > 0] | x.masked_fill(x > 0, 1) | x.flip(0) | x.flip(1) | x.t().flip(0)
x.roll((7, 9), (0, 1)) | x.tril(5) | x.triu(-5) | torch.cat([x, x.t().contiguous().t()], 1) | torch.stack([x, x], 2) | x.repeat(2, 2)
x.index_put((i,), x[:1], accumulate=True) | x.nonzero() | x.take(i * 7) | x.put(i * 3, x.flatten()[:5000], True) | torch.embedding(x, k[:, :9])
""")


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("case", LARGE)
def test_large(case, threads):
    rng = numpy.random.default_rng(2)
    data = {
        "x": rng.standard_normal((3000, 400)).astype("float32"),
        "i": rng.integers(0, 3000, 5000),
        "j": rng.integers(0, 400, 7000),
        "k": rng.integers(0, 3000, (3000, 400)),
    }
    before = lampas.get_num_threads()
    lampas.set_num_threads(threads)
    try:
        mine, theirs = (
            eval(case, {"torch": m, **{n: m.from_numpy(a) for n, a in data.items()}})
            for m in (lampas, torch)
        )
    finally:
        lampas.set_num_threads(before)
    numpy.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-4)


def test_embedding_renorm():
    def body(t):
        weight = t.arange(12.0).view(4, 3)
        t.embedding_renorm_(weight, t.tensor([[1, 2], [1, 3]]), 2.0, 2.0)
        return weight

    agree(body)


@pytest.mark.parametrize("width", [1, 3, 16, 100, 784, 1025, 5000])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "complex128"])
def test_many_rows(width, dtype):
    """Enough rows for several threads and for fetching ahead, which may not pass the last one."""
    for count, taken in ((300, 1), (300, 2), (300, 97), (7, 500)):
        values = (torch.arange(count * width) % 251).reshape(count, width).to(getattr(torch, dtype))
        index = (torch.arange(taken) * 7919) % (2 * count) - count
        ours, at = lampas.from_numpy(values.numpy()), lampas.from_numpy(index.numpy())
        expected = values[index]
        for threads in (1, 2, 7):
            before = lampas.get_num_threads()
            lampas.set_num_threads(threads)
            try:
                found = ours[at], ours[:, : width // 2 + 1][at], ours.t()[:, at]
            finally:
                lampas.set_num_threads(before)
            assert found[0].numpy().tobytes() == expected.numpy().tobytes()
            part = expected[:, : width // 2 + 1].contiguous()
            assert found[1].contiguous().numpy().tobytes() == part.numpy().tobytes()
            assert (
                found[2].contiguous().numpy().tobytes()
                == expected.t().contiguous().numpy().tobytes()
            )
