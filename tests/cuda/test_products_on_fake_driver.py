"""Products of matrices on a device without cuBLASLt: our own kernels, on the grid that
emulated_grid.h plays, beside the CPU's."""

import pytest

# Each shape takes another way: tiles, several tiles, products with a vector by rows and by columns,
# the inner dimension split among blocks.
HEAD = """
def near(ours, theirs, dtype):
    assert ours.is_cuda and ours.dtype == theirs.dtype and ours.shape == theirs.shape, (ours.shape, theirs.shape)
    ours = ours.cpu()
    if not (dtype.is_floating_point or dtype.is_complex):
        assert torch.equal(ours, theirs), (ours, theirs)
        return
    tight = {torch.float16: 2e-3, torch.bfloat16: 2e-2, torch.float32: 2e-5, torch.complex64: 2e-5}
    limit = tight.get(dtype, 1e-12)
    wide = torch.complex128 if dtype.is_complex else torch.float64
    assert torch.allclose(ours.to(wide), theirs.to(wide), rtol=limit, atol=limit, equal_nan=True), (ours, theirs)

def sample(*shape, dtype):
    if dtype.is_floating_point or dtype.is_complex:
        wide = torch.complex64 if dtype.is_complex else torch.float32
        return (torch.randn(*shape, dtype=wide) / max(shape[-1], 1) ** 0.5).to(dtype)
    return torch.randint(0, 9, shape, dtype=dtype) if dtype == torch.uint8 else torch.randint(-9, 9, shape, dtype=dtype)

torch.manual_seed(0)
"""

PRODUCTS = """
dtype = torch.{dtype}
def layouts(x):
    yield x
    yield x.transpose(-1, -2).contiguous().transpose(-1, -2)
    wide = torch.zeros(*x.shape[:-1], 2 * x.shape[-1], dtype=x.dtype)
    wide[..., ::2] = x
    yield wide[..., ::2]
def on_device(x):
    # keeps the strides
    base = torch.empty(x.untyped_storage().nbytes() // x.element_size(), dtype=x.dtype)
    base.copy_(x.as_strided((base.numel(),), (1,), 0))
    return base.cuda().as_strided(x.shape, x.stride(), x.storage_offset())
for m, n, k in {shapes}:
    a, b = sample(m, k, dtype=dtype), sample(k, n, dtype=dtype)
    for x in layouts(a):
        for z in layouts(b):
            near(on_device(x) @ on_device(z), a @ b, dtype)
a, b = sample(3, 5, 7, dtype=dtype), sample(3, 7, 4, dtype=dtype)
near(torch.bmm(a.cuda(), b.cuda()), torch.bmm(a, b), dtype)
near(a.cuda() @ b.cuda()[1], a @ b[1], dtype)
near(torch.matmul(a.cuda()[:, None], b.cuda()), torch.matmul(a[:, None], b), dtype)
near(a.cuda()[0] @ b.cuda()[0, :, 0], a[0] @ b[0, :, 0], dtype)
near(a.cuda()[0, 0] @ b.cuda()[0], a[0, 0] @ b[0], dtype)
near(torch.dot(a.cuda()[0, 0], b.cuda()[0, :, 1]), torch.dot(a[0, 0], b[0, :, 1]), dtype)
near(torch.outer(a.cuda()[0, 0], b.cuda()[0, :, 1]), torch.outer(a[0, 0], b[0, :, 1]), dtype)
"""

SHAPES = [
    (5, 6, 7),
    (1, 3, 4),
    (70, 66, 3),
    (3, 2, 600),
    (1, 40, 300),
    (9, 1, 1500),
    (600, 1, 5),
    (1, 1, 70),
]
FEW = [(5, 6, 7), (3, 2, 300), (1, 40, 30), (9, 1, 33)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64"])
def test_products(run, dtype):
    run(HEAD + PRODUCTS.format(dtype=dtype, shapes=SHAPES if dtype == "float32" else FEW))


@pytest.mark.full
@pytest.mark.parametrize(
    "dtype", ["float64", "float16", "complex64", "complex128", "int32", "uint8", "int8"]
)
def test_products_of_other_types(run, dtype):
    run(HEAD + PRODUCTS.format(dtype=dtype, shapes=FEW))


def test_large_tiles(run):
    """Enough tiles of 128 elements for the fake's four multiprocessors."""
    run(
        HEAD
        + """
a, b = sample(257, 9, dtype=torch.float32), sample(9, 300, dtype=torch.float32)
near(a.cuda() @ b.cuda(), a @ b, torch.float32)
a[5, 2], b[1, 7], b[2, 9] = float("nan"), float("inf"), -float("inf")
near(a.cuda() @ b.cuda(), a @ b, torch.float32)
"""
    )


def test_sums_and_layers(run):
    run(
        HEAD
        + """
f = torch.float32
for m, n, k in ((4, 5, 6), (1, 5, 300), (4, 1, 6), (3, 4, 0), (0, 4, 3), (4, 0, 3)):
    a, b = sample(m, k, dtype=f), sample(k, n, dtype=f)
    for shape in ((n,), (m, n), (1, n), (1,), ()):
        x = torch.randn(shape)
        for beta, alpha in ((1, 1), (0, 2), (0.5, -1), (1, 3)):
            theirs = torch.addmm(x, a, b, beta=beta, alpha=alpha)
            near(torch.addmm(x.cuda(), a.cuda(), b.cuda(), beta=beta, alpha=alpha), theirs, f)
nan = torch.full((5,), float("nan"))
assert not torch.addmm(nan.cuda(), torch.ones(2, 3).cuda(), torch.ones(3, 5).cuda(), beta=0).isnan().cpu().any()
x, a, b = sample(5, 4, dtype=f), sample(3, 5, 6, dtype=f), sample(3, 6, 4, dtype=f)
near(torch.baddbmm(x.cuda(), a.cuda(), b.cuda(), beta=2, alpha=3), torch.baddbmm(x, a, b, beta=2, alpha=3), f)
near(torch.addbmm(x.cuda(), a.cuda(), b.cuda()), torch.addbmm(x, a, b), f)
near(torch.einsum("bij,bjk->bik", a.cuda(), b.cuda()), torch.einsum("bij,bjk->bik", a, b), f)
near(torch.tensordot(a.cuda(), b.cuda(), dims=([2, 0], [1, 0])), torch.tensordot(a, b, dims=([2, 0], [1, 0])), f)
near(torch.kron(x.cuda(), x.cuda()), torch.kron(x, x), f)
for shape in ((2, 3, 6), (4, 6), (6,)):
    for dtype in (torch.float32, torch.bfloat16):
        y, w, bias = sample(*shape, dtype=dtype), sample(5, 6, dtype=dtype), sample(5, dtype=dtype)
        linear = torch.nn.functional.linear
        near(linear(y.cuda(), w.cuda(), bias.cuda()), linear(y, w, bias), dtype)
        near(linear(y.cuda(), w.cuda()), linear(y, w), dtype)
"""
    )


def test_gradients(run):
    run(
        HEAD
        + """
warnings.filterwarnings("ignore", message=".*operator .(reduce|sum)..*")  # sums over what was broadcast
def losses(device):
    torch.manual_seed(0)
    a, b, x = (torch.randn(s).to(device).requires_grad_() for s in ((4, 6), (6, 5), (5,)))
    c, d = (torch.randn(s).to(device).requires_grad_() for s in ((2, 3, 5), (2, 5, 4)))
    y = torch.addmm(x, a, b, beta=2, alpha=3)
    z = torch.nn.functional.linear(y, b, torch.randn(6).to(device)) @ b @ x
    w = (c @ d) @ (d.transpose(1, 2) @ x)[..., None]
    (z.sum() + w.sum() + torch.dot(x, x)).backward()
    return [t.grad.cpu() for t in (a, b, x, c, d)]
for ours, theirs in zip(losses("cuda"), losses("cpu")):
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4), (ours, theirs)
"""
    )


def test_what_is_refused(run):
    run(
        """
        x = torch.ones(2, 2, dtype=torch.bool, device="cuda")
        try:
            x @ x
        except NotImplementedError as error:
            assert str(error) == '"addmm_cuda" not implemented for \\'Bool\\''
        else:
            raise AssertionError
        from lampas import _core
        assert "nvidia-cublas-cu12" in _core._cuda_missing_library("cublasLt")
        assert "nvidia-cudnn-cu12" in _core._cuda_missing_library("cudnn")
        """
    )


LIBRARY = """
lt = ctypes.CDLL(os.environ["LAMPAS_CUBLASLT"])
"""


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "bfloat16", "complex64", "complex128"]
)
def test_products_by_cublaslt(run, cublaslt, dtype):
    """The fake multiplies from the descriptions: layouts, distances, batches and biases."""
    source = PRODUCTS.format(dtype=dtype, shapes=FEW + [(2, 3, 9), (8, 16, 8)])
    run(HEAD + LIBRARY + source + "assert lt.fake_lt_calls() > 20\n", LAMPAS_CUBLASLT=cublaslt)


def test_layers_by_cublaslt(run, cublaslt):
    run(
        HEAD
        + LIBRARY
        + """
linear = torch.nn.functional.linear
for dtype in (torch.float32, torch.bfloat16, torch.float64, torch.complex64):
    for shape in ((2, 3, 6), (4, 6), (6,)):
        y, w, bias = sample(*shape, dtype=dtype), sample(5, 6, dtype=dtype), sample(6, dtype=dtype)[1:]
        near(linear(y.cuda(), w.cuda(), bias.cuda()), linear(y, w, bias), dtype)
        odd = torch.cat([bias, bias]).cuda()[5:]  # another alignment
        near(linear(y.cuda(), w.cuda(), odd), linear(y, w, bias), dtype)
x, a, b = torch.randn(5), torch.randn(4, 3), torch.randn(3, 5)
for beta, alpha in ((1, 1), (0, 2), (0.5, -1), (1, 3)):
    near(torch.addmm(x.cuda(), a.cuda(), b.cuda(), beta=beta, alpha=alpha),
         torch.addmm(x, a, b, beta=beta, alpha=alpha), torch.float32)
before, kept = lt.fake_lt_calls(), lt.fake_lt_choices()
a, b = a.cuda(), b.cuda()
for _ in range(5):
    c = a @ b
assert lt.fake_lt_calls() == before + 5 and lt.fake_lt_choices() <= kept + 1
""",
        LAMPAS_CUBLASLT=cublaslt,
    )


def test_what_cublaslt_refuses_is_computed_here(run, cublaslt):
    run(
        HEAD
        + LIBRARY
        + """
a, b = torch.randn(4, 3), torch.randn(3, 5)
near(a.cuda() @ b.cuda(), a @ b, torch.float32)
near(torch.nn.functional.linear(a.cuda(), b.cuda().t(), torch.arange(5.).cuda()), a @ b + torch.arange(5.), torch.float32)
i, j = torch.randint(9, (3, 4)), torch.randint(9, (4, 2))
near(i.cuda() @ j.cuda(), i @ j, torch.int64)
assert lt.fake_lt_calls() == 0 and lt.fake_lt_choices() == 2
""",
        LAMPAS_CUBLASLT=cublaslt,
        LT_REFUSES="1",
    )
