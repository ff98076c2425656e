"""Convolutions on a device without cuDNN: our own kernels, on the grid that emulated_grid.h plays,
beside the CPU's."""

import pytest

HEAD = """
F = torch.nn.functional
warnings.filterwarnings("ignore", message=".*operator 'reduce'.*")  # the gradient of a bias
def near(ours, theirs, dtype):
    assert ours.is_cuda and ours.dtype == theirs.dtype and ours.shape == theirs.shape, (ours.shape, theirs.shape)
    ours = ours.cpu()
    limit = {torch.float16: 4e-3, torch.bfloat16: 4e-2, torch.float32: 1e-4, torch.complex64: 1e-4}.get(dtype, 1e-11)
    wide = torch.complex128 if dtype.is_complex else torch.float64
    assert torch.allclose(ours.to(wide), theirs.to(wide), rtol=limit, atol=limit, equal_nan=True), (ours, theirs)

def last(x):
    return x.contiguous(memory_format={4: torch.channels_last, 5: torch.channels_last_3d}[x.dim()])

def compare(run, dtype, *tensors):
    # the result and all gradients
    found = []
    for device in ("cpu", "cuda"):
        given = [t.detach().to(device).requires_grad_() for t in tensors]
        y = run(*given)
        torch.manual_seed(1)
        y.backward(torch.randn(y.shape, dtype=torch.complex64 if dtype.is_complex else torch.float32).to(dtype).to(device))
        found.append([y.detach()] + [t.grad for t in given])
    for theirs, ours in zip(*found):
        near(ours, theirs, dtype)
    return found[1]

def sample(*shape, dtype):
    return torch.randn(*shape, dtype=torch.complex64 if dtype.is_complex else torch.float32).mul(0.3).to(dtype)

torch.manual_seed(0)
"""

CASES = """
dtype = torch.{dtype}
s = lambda *shape: sample(*shape, dtype=dtype)
compare(lambda x, w, b: F.conv2d(x, w, b, padding=1, stride=(2, 1)), dtype, s(2, 3, 7, 6), s(5, 3, 3, 2), s(5))
compare(lambda x, w: F.conv2d(x, w, groups=2, dilation=(1, 2), padding=(0, 2)), dtype, s(1, 4, 5, 6), s(6, 2, 2, 3))
compare(lambda x, w, b: F.conv1d(x, w, b, padding="same"), dtype, s(2, 3, 8), s(4, 3, 4), s(4))
compare(lambda x, w: F.conv3d(x, w, padding=1, stride=2), dtype, s(1, 2, 4, 5, 3), s(3, 2, 2, 3, 1))
compare(lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1), dtype, s(2, 4, 3, 5), s(4, 3, 3, 3), s(3))
compare(lambda x, w, b: F.conv_transpose1d(x, w, b, groups=2, dilation=2), dtype, s(3, 4, 5), s(4, 2, 3), s(4))
"""

LAST = """
dtype = torch.{dtype}
s = lambda *shape: sample(*shape, dtype=dtype)
y, dx, dw, db = compare(lambda x, w, b: F.conv2d(last(x), w, b, padding=1, stride=(2, 1)), dtype, s(2, 3, 7, 6), s(5, 3, 3, 2), s(5))
assert y.is_contiguous(memory_format=torch.channels_last) and not y.is_contiguous()
compare(lambda x, w: F.conv2d(last(x), last(w), groups=2, dilation=(1, 2)), dtype, s(1, 4, 5, 6), s(6, 2, 2, 3))
compare(lambda x, w: F.conv_transpose2d(last(x), w, groups=2, stride=2), dtype, s(1, 4, 5, 6), s(4, 2, 2, 3))
compare(lambda x, w: F.conv3d(last(x), w, padding=1, stride=2), dtype, s(1, 2, 4, 5, 3), s(3, 2, 2, 3, 1))
"""


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_convolutions(run, dtype):
    run(HEAD + CASES.format(dtype=dtype))


def test_channels_last(run):
    run(HEAD + LAST.format(dtype="float32"))


@pytest.mark.full
@pytest.mark.parametrize("dtype", ["float64", "float16", "complex64"])
def test_convolutions_of_other_types(run, dtype):
    run(HEAD + CASES.format(dtype=dtype) + LAST.format(dtype=dtype))


def test_larger_convolutions(run):
    """Several tiles, tiles of 128, an inner dimension that is split among blocks."""
    run(
        HEAD
        + """
f = torch.float32
s = lambda *shape: sample(*shape, dtype=f)
compare(lambda x, w: F.conv2d(x, w), f, s(3, 2, 16, 16), s(70, 2, 3, 3))
compare(lambda x, w: F.conv2d(x, w), f, s(1, 3, 40, 30), s(130, 3, 1, 1))
"""
    )


def test_nothing_and_what_is_not_finite(run):
    run(
        HEAD
        + """
f = torch.float32
s = lambda *shape: sample(*shape, dtype=f)
compare(lambda x, w, b: F.conv2d(x, w, b), f, s(0, 3, 5, 5), s(4, 3, 2, 2), s(4))
assert F.conv2d(s(2, 0, 5, 5).cuda(), s(3, 0, 2, 2).cuda()).shape == (2, 0, 4, 4)
x = s(1, 2, 5, 5)
x[0, 1, 2, 3], x[0, 0, 0, 0] = float("nan"), float("inf")
near(F.conv2d(x.cuda(), torch.ones(3, 2, 2, 2).cuda(), padding=1), F.conv2d(x, torch.ones(3, 2, 2, 2), padding=1), f)
i = torch.randint(-9, 9, (1, 2, 5, 5))
w = torch.randint(-9, 9, (3, 2, 2, 2))
assert torch.equal(F.conv2d(i.cuda(), w.cuda()).cpu(), F.conv2d(i, w))
# gradients of gradients
x, w = s(1, 2, 4, 4).double(), s(2, 2, 2, 2).double()
found = []
for device in ("cpu", "cuda"):
    a, b = x.to(device).requires_grad_(), w.to(device).requires_grad_()
    g, = torch.autograd.grad((F.conv2d(a, b) ** 3), a, torch.ones(1, 2, 3, 3, device=device).double(), create_graph=True)
    found.append([t.cpu() for t in torch.autograd.grad(g, (a, b), torch.ones_like(g))])
for ours, theirs in zip(*found):
    assert torch.allclose(ours, theirs)
"""
    )


LIBRARY = """
dnn = ctypes.CDLL(os.environ["LAMPAS_CUDNN"])
"""


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_convolutions_by_cudnn(run, cudnn, dtype):
    """The fake checks descriptors and convolves from their sizes and steps."""
    source = CASES.format(dtype=dtype) + LAST.format(dtype=dtype)
    run(HEAD + LIBRARY + source + "assert dnn.fake_dnn_executions() >= 30\n", LAMPAS_CUDNN=cudnn)


@pytest.mark.parametrize("refused", ["fused", "all"])
def test_what_cudnn_refuses(run, cudnn, refused):
    counted = "assert (dnn.fake_dnn_executions() > 0) == %r\n" % (refused == "fused")
    source = CASES.format(dtype="bfloat16" if refused == "fused" else "float32")
    run(HEAD + LIBRARY + source + counted, LAMPAS_CUDNN=cudnn, DNN_REFUSES=refused)


def test_plans_are_kept_and_switches_change_them(run, cudnn):
    run(
        HEAD
        + LIBRARY
        + """
x, w = sample(1, 2, 5, 5, dtype=torch.float32).cuda(), sample(3, 2, 2, 2, dtype=torch.float32).cuda()
for _ in range(3):
    F.conv2d(x, w)
assert dnn.fake_dnn_plans() == 1 and dnn.fake_dnn_executions() == 3
torch.backends.cudnn.allow_tf32 = False
F.conv2d(x, w)
assert dnn.fake_dnn_plans() == 2
with torch.backends.cudnn.flags(enabled=True, allow_tf32=True):
    F.conv2d(x, w)
assert dnn.fake_dnn_plans() == 2
with torch.backends.cudnn.flags(enabled=False):
    near(F.conv2d(x, w), F.conv2d(x.cpu(), w.cpu()), torch.float32)
assert dnn.fake_dnn_executions() == 5
i = torch.ones(1, 1, 3, 3, dtype=torch.int64)
near(F.conv2d(i.cuda(), i.cuda()), F.conv2d(i, i), torch.int64)
assert dnn.fake_dnn_executions() == 5
near(F.conv2d(x[..., 1:], w), F.conv2d(x[..., 1:].cpu(), w.cpu()), torch.float32)
base = torch.randn(51).cuda()[1:].view(1, 2, 5, 5)  # an address that is not a multiple of 16
near(F.conv2d(base, w), F.conv2d(base.cpu(), w.cpu()), torch.float32)
""",
        LAMPAS_CUDNN=cudnn,
    )
