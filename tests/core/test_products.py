"""Matrix products of float types: odd sizes, strides, special values, batches, threads, instruction sets.

The reference is the same product in float64 by NumPy; what NaN and infinity give is PyTorch's.
"""

import numpy as np
import pytest
import torch

import lampas

SIZES = [
    (1, 1, 1),
    (1, 7, 5),
    (5, 7, 1),
    (2, 3, 4),
    (13, 17, 33),
    (14, 64, 32),
    (15, 321, 31),
    (29, 640, 65),
    (64, 100, 10),
    (3, 1000, 200),
    (200, 5, 3),
    (130, 70, 257),
]
LAYOUTS = ["rows", "columns", "every second", "reversed order of slices"]
TOLERANCE = {"float32": 4e-6, "float64": 1e-14}


def laid_out(array, layout, module=lampas):
    """`array` as a tensor whose memory is laid out otherwise."""
    if layout == "columns":
        return module.from_numpy(np.ascontiguousarray(array.T)).t()
    if layout == "every second":
        wide = np.full((array.shape[0] * 2, array.shape[1] * 2), np.nan, array.dtype)
        wide[::2, ::2] = array
        return module.from_numpy(wide)[::2, ::2]
    if layout == "reversed order of slices":
        wide = np.full((array.shape[0], array.shape[1] + 3), np.nan, array.dtype)
        wide[:, 2:-1] = array
        return module.from_numpy(wide)[:, 2:-1]
    return module.from_numpy(array.copy())


def close(got, a, b, dtype):
    exact = a.astype(np.float64) @ b.astype(np.float64)
    scale = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64) + 1e-300
    assert got.shape == exact.shape
    assert np.all(np.abs(got - exact) <= TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_layout(size, dtype):
    m, k, n = size
    rng = np.random.default_rng(m * 7 + k * 3 + n)
    a, b = (rng.standard_normal(s).astype(dtype) for s in ((m, k), (k, n)))
    for left in LAYOUTS:
        for right in LAYOUTS:
            got = lampas.mm(laid_out(a, left), laid_out(b, right))
            close(got.numpy(), a, b, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_linear_adds_its_bias_once(dtype):
    rng = np.random.default_rng(0)
    for rows, k, out in [(1, 8, 3), (7, 400, 33), (40, 700, 129), (2, 3, 2), (33, 5, 1)]:
        x, w, bias = (rng.standard_normal(s).astype(dtype) for s in ((rows, k), (out, k), out))
        got = lampas.nn.functional.linear(*map(lampas.from_numpy, (x, w, bias)))
        close(got.numpy(), np.hstack([x, np.ones((rows, 1), dtype)]), np.vstack([w.T, bias]), dtype)


@pytest.mark.parametrize("shape", [(30, 40), (40,), (1, 40), (30, 1), (1,), ()], ids=str)
def test_addmm_adds_in_the_product(shape):
    given = [torch.randn(s, dtype=torch.float64) for s in (shape, (30, 50), (50, 40))]
    results = []
    for module in (lampas, torch):
        x, a, b = (module.from_numpy(t.numpy().copy()).requires_grad_() for t in given)
        y = module.addmm(x, a, b)
        assert y.grad_fn.name() == "AddmmBackward0"
        first = module.autograd.grad(y.sin().sum(), (x, a, b), create_graph=True)
        second = module.autograd.grad(sum((g * g).sum() for g in first), (x, a, b))
        with module.no_grad():
            half = module.addmm(x.bfloat16(), a.bfloat16(), b.bfloat16()).double()
            none = module.addmm(x, a[:, :0], b[:0])
            again = y.clone().addmm_(a, b)
        results.append([t.detach().numpy() for t in (y, *first, *second, none, again, half)])
    *exact, half = zip(*results, strict=True)
    for got, want in exact:
        assert np.allclose(got, want, rtol=1e-11, atol=1e-10)
    assert np.allclose(*half, rtol=2.0**-7, atol=2e-3)


def brain(array, layout):
    """`array` as bfloat16; what lies between the elements of a layout is NaN."""
    rows, cols = array.shape
    nan = lampas.full((2 * rows, 2 * cols + 4), float("nan"), dtype=lampas.bfloat16)
    place = {
        "rows": nan[:rows, :cols].clone(),
        "columns": nan[:rows, :cols].t().clone().t(),
        "every second": nan[::2, :-4:2],
        "reversed order of slices": nan[:rows, 1 : cols + 1],
    }[layout]
    return place.copy_(lampas.from_numpy(array))


@pytest.mark.parametrize("size", [*SIZES, (113, 1025, 258), (300, 6, 300)], ids=str)
def test_bfloat16(size):
    m, k, n = size
    rng = np.random.default_rng(m * 7 + k * 3 + n)
    a, b = (
        torch.from_numpy(rng.standard_normal(s).astype("f")).bfloat16().float().numpy()
        for s in ((m, k), (k, n))
    )
    exact, scale = a.astype("d") @ b.astype("d"), abs(a.astype("d")) @ abs(b.astype("d"))
    for left in LAYOUTS:
        for right in LAYOUTS:
            x, y = brain(a, left), brain(b, right)
            got = lampas.mm(x, y)
            assert got.dtype == lampas.bfloat16
            # One rounding to eight bits after sums in float.
            bound = abs(exact) * 2.0**-8 + scale * 4e-6
            assert (abs(got.double().numpy() - exact) <= bound).all(), (left, right)
            bias = lampas.ones(n, dtype=lampas.bfloat16)
            got = lampas.nn.functional.linear(x, y.t(), bias).double().numpy()
            assert (abs(got - exact - 1) <= bound + 2.0**-8).all(), (left, right)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_bfloat16_special_values(value):
    rng = np.random.default_rng(3)
    a, b = (rng.standard_normal(s).astype("f") for s in ((30, 331), (331, 37)))
    a[3, 330] = value
    want = torch.mm(torch.from_numpy(a).bfloat16(), torch.from_numpy(b).bfloat16()).float().numpy()
    got = lampas.mm(brain(a, "rows"), brain(b, "columns")).float().numpy()
    assert np.array_equal(np.isfinite(got), np.isfinite(want))
    assert np.array_equal(got[3], want[3], equal_nan=True)


@pytest.mark.parametrize("sizes", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0), (1, 0, 1)])
def test_empty(sizes):
    m, k, n = sizes
    got = lampas.mm(lampas.ones(m, k), lampas.ones(k, n))
    assert got.tolist() == torch.mm(torch.ones(m, k), torch.ones(k, n)).tolist()
    got = lampas.nn.functional.linear(lampas.ones(m, k), lampas.ones(n, k), lampas.ones(n))
    assert (
        got.tolist()
        == torch.nn.functional.linear(torch.ones(m, k), torch.ones(n, k), torch.ones(n)).tolist()
    )


@pytest.mark.parametrize("size", [(1, 40, 50), (50, 40, 1), (3, 5, 4), (30, 330, 37)], ids=str)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_special_values_stay_in_their_rows_and_columns(size, value):
    m, k, n = size
    rng = np.random.default_rng(1)
    for side in "ab":
        a, b = (rng.standard_normal(s).astype("float32") for s in ((m, k), (k, n)))
        (a if side == "a" else b)[-1, -1] = value
        (a if side == "a" else b)[0, 0] = 0
        for layout in LAYOUTS:
            got = lampas.mm(laid_out(a, layout), laid_out(b, layout)).numpy()
            want = a.astype(np.float64) @ b.astype(np.float64)
            finite = np.isfinite(want)
            assert np.array_equal(np.isnan(got), np.isnan(want))
            assert np.array_equal(got[~finite], want[~finite].astype("float32"), equal_nan=True)
            assert np.allclose(got[finite], want[finite], atol=1e-4)


@pytest.mark.parametrize("shapes", [
    ((2, 3, 4, 5), (5, 6)), ((4, 5), (3, 5, 6)), ((2, 1, 20, 30), (3, 30, 40)),
    ((7, 1, 9), (7, 9, 1)), ((2, 64, 33), (2, 33, 64)), ((5, 0, 3), (5, 3, 2)), ((3, 4), (4,)),
    ((4,), (4, 3)), ((9,), (2, 9, 5)), ((2, 5, 9), (9,)),
], ids=str)  # fmt: skip
def test_batches(shapes):
    rng = np.random.default_rng(2)
    a, b = (rng.standard_normal(s).astype("float32") for s in shapes)
    got = lampas.matmul(lampas.from_numpy(a), lampas.from_numpy(b)).numpy()
    want = np.matmul(a.astype(np.float64), b.astype(np.float64))
    assert got.shape == want.shape
    assert np.allclose(got, want, atol=1e-4)


def test_transposed_and_repeated_batches():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3, 40, 20)).astype("float32")
    y = lampas.from_numpy(x)
    want = np.matmul(x.astype(np.float64), x.astype(np.float64).transpose(0, 2, 1))
    assert np.allclose(lampas.bmm(y, y.transpose(1, 2)).numpy(), want, atol=1e-4)
    one = y[:1].expand(3, 40, 20)
    want = np.matmul(x[:1].astype(np.float64), x.astype(np.float64).transpose(0, 2, 1))
    assert np.allclose(lampas.bmm(one, y.transpose(1, 2)).numpy(), want, atol=1e-4)


PROGRAM = """
import hashlib, sys
import lampas as torch
torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
digest = hashlib.sha256()
def add(*tensors):
    for t in tensors:
        digest.update(t.detach().contiguous().numpy().tobytes())
for m, k, n in [(1, 700, 900), (900, 700, 1), (300, 400, 500), (700, 40, 90), (33, 2000, 65)]:
    a, b = torch.randn(m, k), torch.randn(k, n)
    add(a @ b, (b.t() @ a.t()), a.double() @ b.double(), torch.nn.functional.linear(a, b.t(), b[0]))
    add((a.bfloat16() @ b.bfloat16()).float(), (b.t().bfloat16() @ a.t().bfloat16()).float())
add(torch.randn(40, 64, 48) @ torch.randn(40, 48, 56))
for net in (torch.nn.LSTM(30, 200, 2, bidirectional=True), torch.nn.GRU(30, 130), torch.nn.RNN(30, 99)):
    x = torch.randn(20, 40, 30, requires_grad=True)
    y = net(x)[0]
    y.square().sum().backward()
    add(y, x.grad, *(p.grad for p in net.parameters()))
q = torch.randn(2, 4, 150, 32, requires_grad=True)
y = torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)
y.square().sum().backward()
add(y, q.grad)
for causal in (False, True):  # few heads: threads share one
    q, k = torch.randn(1, 2, 300, 24, requires_grad=True), torch.randn(1, 1, 2500, 24, requires_grad=True)
    y = torch.nn.functional.scaled_dot_product_attention(q, k, k, is_causal=causal, enable_gqa=True)
    y.square().sum().backward()
    add(y, q.grad, k.grad)
print(digest.hexdigest())
"""


def test_the_same_bits_for_every_number_of_threads(python):
    assert len({python(PROGRAM, str(threads)) for threads in (1, 2, 3, 7, 48)}) == 1


SETS = """
import lampas, numpy as np
rng = np.random.default_rng(0)
for m, k, n in [(1, 70, 50), (50, 70, 1), (31, 350, 67), (7, 9, 40), (100, 20, 3)]:
    for dtype, eps in (("float32", 4e-6), ("float64", 1e-14)):
        a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((n, k)).astype(dtype)
        x, y = lampas.from_numpy(a), lampas.from_numpy(b)
        want, size = a.astype("d") @ b.T.astype("d"), abs(a) @ abs(b.T)
        for got in (x @ y.t(), x @ y.t().contiguous(), x.t().contiguous().t() @ y.t()):
            assert (abs(got.numpy() - want) <= eps * size).all(), (m, k, n, dtype)
torch = lampas
for net in (torch.nn.LSTM(6, 37), torch.nn.GRU(6, 37), torch.nn.RNN(6, 37)):
    net = net.double()
    x = torch.randn(5, 3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: net(x)[0][:, :, :4].sum(), (x,))
print("ok")
"""


@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_every_instruction_set(python, isa):
    assert python(SETS, env={"LAMPAS_ISA": isa}).strip() == "ok"
