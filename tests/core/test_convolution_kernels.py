"""Convolutions of sizes that reach every kernel, against PyTorch in double precision.

Gathered products (channels in the lanes), F(2x2, 3x3), and the direct loops for few channels:
values and both gradients, float32 held to an error bound, channels last, infinities, threads.
"""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
np = pytest.importorskip("numpy")

import lampas  # noqa: E402

# batch, channels and outputs of a group, size, kernel, stride, padding, dilation, groups
CASES = [
    (2, 3, 64, (33, 30), (7, 7), 2, 3, 1, 1),
    (3, 64, 64, (14, 15), (3, 3), 1, 1, 1, 1),
    (24, 32, 96, (4, 4), (3, 3), 1, 1, 1, 1),
    (2, 80, 48, (7, 8), (3, 3), 1, (2, 0), 1, 2),
    (2, 64, 80, (13, 29), (3, 3), 2, 1, 1, 1),
    (2, 20, 31, (13, 9), (3, 3), 1, 1, 1, 1),
    (2, 40, 24, (11, 12), (3, 2), (2, 3), (1, 0), (1, 2), 1),
    (2, 70, 130, (9, 9), (1, 1), 1, 0, 1, 1),
    (2, 70, 100, (9, 10), (1, 1), 2, 0, 1, 1),
    (2, 16, 32, (9, 9), (1, 1), 3, 1, 1, 1),
    (7, 400, 90, (5, 5), (1, 1), 1, 0, 1, 1),
    (1, 30, 20, (40, 41), (1, 1), 1, 0, 1, 3),
    (2, 24, 33, (11, 37), (1, 1), (1, 3), 0, 1, 2),
    (3, 20, 40, (7, 6, 9), (1, 1, 1), (2, 3, 2), 0, 1, 1),
    (2, 17, 50, (301,), (1,), 2, 0, 1, 1),
    (2, 16, 16, (15, 16), (3, 3), 1, 1, 7, 1),
    (2, 16, 16, (4, 4), (2, 2), 1, 6, 1, 1),
    (2, 16, 16, (12, 12), (2, 2), 5, 0, 1, 1),
    (20, 16, 32, (14, 14), (5, 5), 1, 2, 1, 1),
    (2, 24, 16, (8, 8), (3, 3), 1, 1, 1, 3),
    (2, 1, 1, (9, 33), (3, 3), 1, 1, 1, 40),
    (2, 1, 16, (28, 28), (5, 5), 1, 2, 1, 1),
    (0, 32, 32, (8, 8), (3, 3), 1, 1, 1, 1),
    (2, 32, 48, (50,), (5,), 2, 2, 1, 1),
    (2, 16, 32, (5, 6, 7), (3, 2, 3), (2, 1, 1), 1, 1, 1),
    (1, 512, 64, (7, 7), (3, 3), 1, 1, 1, 1),
    (2, 3, 64, (64, 61), (7, 7), 2, 3, 1, 1),
    (9, 16, 70, (15, 14), (5, 5), 1, 2, 1, 1),
    (3, 20, 17, (13, 23), (3, 5), (2, 1), (0, 4), (2, 1), 2),
    (2, 12, 33, (21, 40), (4, 4), 1, 1, 1, 1),
    (2, 6, 20, (19, 38), (5, 6), 2, (3, 1), 1, 1),
    (2, 20, 24, (9, 31), (3, 3), (3, 1), (1, 2), 1, 1),
    (3, 40, 16, (6, 50), (1, 10), (1, 2), (0, 5), 1, 1),
]
DTYPES = [np.float32, np.float64]
# Of the largest sum of absolute products: what rounding of sums is proportional to.
BOUND = {np.float32: 5e-7, np.float64: 1e-15}


def operands(case, seed=0):
    n, c, o, size, kernel, _, _, _, groups = case
    random = np.random.default_rng(seed + c * o)
    x = random.standard_normal((n, c * groups, *size))
    w = random.standard_normal((o * groups, c, *kernel)) / np.sqrt(c * np.prod(kernel))
    return x, w, random.standard_normal(o * groups)


def results(module, case, arrays, dtype, last=False, transposed=False, ones=False):
    """The result and the gradients of input, weight and bias."""
    rank = len(case[3])
    x, w, b = (module.tensor(a.astype(dtype)) for a in arrays)
    if last:
        x = x.to(memory_format=module.channels_last)
    leaves = [t.requires_grad_() for t in (x, w, b)]
    stride, padding, dilation, groups = case[5:]
    if transposed:
        name, rest = f"conv_transpose{rank}d", (stride, padding, 0, groups, dilation)
    else:
        name, rest = f"conv{rank}d", (stride, padding, dilation, groups)
    y = getattr(module.nn.functional, name)(*leaves, *rest)
    g = np.ones(y.numel()) if ones else np.cos(np.arange(y.numel()))
    g = module.tensor(g.reshape(tuple(y.shape)).astype(dtype))
    if last:
        assert y.is_contiguous(memory_format=module.channels_last)
        g = g.to(memory_format=module.channels_last)
    y.backward(g)
    return [t.detach() for t in (y, *(leaf.grad for leaf in leaves))]


def assert_near(got, expected, scale, dtype):
    for a, b, size in zip(got, expected, scale, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        if a.numel():
            error = np.abs(a.numpy() - b.numpy()).max()
            assert error <= BOUND[dtype] * size.numpy().max(), error


def check(case, dtype=np.float32, last=False, transposed=False, arrays=None):
    arrays = arrays or operands(case)
    exact = results(torch, case, arrays, np.float64, last, transposed)
    sizes = results(torch, case, [abs(a) for a in arrays], np.float64, last, transposed, ones=True)
    assert_near(results(lampas, case, arrays, dtype, last, transposed), exact, sizes, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees(case, dtype):
    check(case, dtype)


@pytest.mark.parametrize(
    "case", [c for c in CASES if len(c[3]) == 2 and c[0] and c[1] * c[-1] > 1], ids=str
)
def test_channels_last(case):
    """The result keeps the layout, and has the values, of PyTorch's."""
    check(case, last=True)


@pytest.mark.parametrize("case", [CASES[4], CASES[6], CASES[8]], ids=str)
def test_transposed(case):
    n, c, o, size, kernel, *_, groups = case
    random = np.random.default_rng(c)
    arrays = [random.standard_normal((n, c, *size)),
              random.standard_normal((c, o, *kernel)) / np.sqrt(c), random.standard_normal(o)]  # fmt: skip
    check(case, transposed=True, arrays=arrays)


def test_large_strided_gradient():
    """A gradient so large that it is written past the caches."""
    check((1, 64, 16, (257, 260), (1, 1), 2, 0, 1, 1))


def test_strided_inputs():
    x, w = (np.random.default_rng(0).standard_normal(s) for s in ((2, 64, 12, 40), (64, 64, 3, 3)))

    def run(module, dtype):
        a, b = (module.tensor(v.astype(dtype)) for v in (x, w))
        a = a[:, :, :, ::2].transpose(2, 3)
        return module.nn.functional.conv2d(a, b.transpose(0, 1).flip(3), padding=1)

    torch.testing.assert_close(
        torch.from_numpy(run(lampas, np.float32).numpy()).double(),
        run(torch, np.float64),
        rtol=1e-5,
        atol=1e-4,
    )


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("window, stride", [((3, 3), 1), ((5, 5), 1), ((3, 7), (1, 2))], ids=str)
def test_not_finite(window, stride, value, last):
    """What is not finite is where PyTorch has it, also where products are saved."""
    case = (2, 64, 64, (16, 16), window, stride, 1, 1, 1)
    x, w, b = operands(case)
    x[0, 3, 5, 5] = value
    expected = results(torch, case, (x, w, b), np.float32, last)
    got = results(lampas, case, (x, w, b), np.float32, last)
    for a, e in zip(got, expected, strict=True):
        a, e = a.numpy(), e.numpy()
        assert np.array_equal(np.isnan(a), np.isnan(e)) and np.array_equal(np.isinf(a), np.isinf(e))
        rest = np.isfinite(e)
        assert np.abs(a[rest] - e[rest]).max() <= 1e-4 * np.abs(e[rest]).max()


@pytest.mark.parametrize("case", CASES[:14] + CASES[-7:], ids=str)
def test_threads(case):
    """Bitwise the same for one, two and three threads."""
    arrays, before, found = operands(case), lampas.get_num_threads(), []
    for threads in (1, 2, 3):
        lampas.set_num_threads(threads)
        found.append(results(lampas, case, arrays, np.float32))
    lampas.set_num_threads(before)
    for other in found[1:]:
        assert all(lampas.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("isa", ["baseline", "avx2"])
def test_other_instruction_sets(isa):
    """Older machines' kernels agree too (a process of its own: the set is chosen once)."""
    import os
    import subprocess
    import sys

    program = "import test_convolution_kernels as t\nfor case in t.CASES[:16] + t.CASES[-7:]: t.check(case)"
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.pathsep.join([here, *sys.path])
    env = {**os.environ, "LAMPAS_ISA": isa, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", program], check=True, env=env)
