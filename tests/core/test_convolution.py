"""Convolutions against PyTorch: values, gradients to second order, ranks, types, layouts."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from agreement import agree  # noqa: E402
from image_cases import FORMATS, both, laid_out  # noqa: E402

import lampas  # noqa: E402

# input, weight, stride, padding, dilation, groups
PLAIN = [
    ((2, 3, 12), (4, 3, 3), 1, 0, 1, 1),
    ((2, 4, 12), (6, 2, 3), 2, 1, 2, 2),
    ((3, 12), (4, 3, 5), 3, 2, 1, 1),
    ((2, 1, 28, 28), (6, 1, 5, 5), 1, 0, 1, 1),
    ((4, 6, 12, 12), (16, 6, 5, 5), 1, 0, 1, 1),
    ((2, 3, 9, 11), (4, 3, 3, 3), 1, 1, 1, 1),
    ((2, 3, 9, 11), (4, 3, 3, 2), (2, 1), (1, 0), (1, 2), 1),
    ((2, 3, 17, 19), (7, 3, 7, 7), 2, 3, 1, 1),
    ((2, 4, 8, 8), (4, 1, 3, 3), 1, 1, 1, 4),
    ((2, 4, 8, 8), (8, 2, 3, 3), 2, 1, 1, 2),
    ((2, 5, 7, 7), (3, 5, 1, 1), 1, 0, 1, 1),
    ((2, 5, 7, 7), (3, 5, 1, 1), 2, 1, 1, 1),
    ((5, 7, 7), (3, 5, 3, 3), 1, 1, 1, 1),
    ((2, 3, 6, 6), (4, 3, 2, 2), 5, 0, 1, 1),
    ((1, 16, 40, 40), (20, 16, 3, 3), 1, 1, 1, 1),
    ((0, 3, 8, 8), (4, 3, 3, 3), 1, 0, 1, 1),
    ((2, 3, 5, 6, 7), (4, 3, 2, 3, 3), 1, 1, 1, 1),
    ((2, 4, 6, 6, 7), (4, 2, 2, 3, 3), (2, 1, 2), (0, 1, 1), (2, 1, 1), 2),
]

# input, weight, stride, padding, output_padding, groups, dilation
TRANSPOSED = [
    ((2, 3, 8), (3, 4, 3), 1, 0, 0, 1, 1),
    ((2, 3, 8), (3, 4, 3), 2, 1, 1, 1, 1),
    ((2, 3, 6, 7), (3, 4, 3, 3), 1, 0, 0, 1, 1),
    ((2, 3, 6, 7), (3, 4, 3, 3), 2, 1, 1, 1, 1),
    ((2, 4, 6, 7), (4, 3, 3, 2), (2, 3), (1, 0), (0, 2), 2, (1, 2)),
    ((2, 3, 5, 5), (3, 4, 3, 3), 1, 1, 2, 1, 3),
    ((3, 6, 7), (3, 4, 2, 2), 2, 0, 0, 1, 1),
    ((2, 3, 4, 5, 4), (3, 2, 2, 3, 2), 2, 1, 1, 1, 1),
    ((0, 3, 6, 7), (3, 4, 3, 3), 2, 1, 1, 1, 1),
]


def operand(shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    if dtype.is_complex:
        x = torch.complex(x, torch.randn(shape, generator=generator, dtype=torch.float64))
    return x.to(dtype) if dtype.is_floating_point or dtype.is_complex else (x * 4).to(dtype)


def convolve(case, rank):
    _, _, stride, padding, dilation, groups = case

    def run(module, x, w, b):
        function = getattr(module.nn.functional, f"conv{rank}d")
        return function(x, w, b, stride, padding, dilation, groups)

    return run


def transpose(case, rank):
    _, _, stride, padding, extra, groups, dilation = case

    def run(module, x, w, b):
        function = getattr(module.nn.functional, f"conv_transpose{rank}d")
        return function(x, w, b, stride, padding, extra, groups, dilation)

    return run


@pytest.mark.parametrize("case", PLAIN, ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_convolution(case, bias):
    for dtype in (torch.float64, torch.float32):
        tensors = [operand(case[0], dtype), operand(case[1], dtype)]
        tensors.append(operand((case[1][0],), dtype) if bias else None)
        both(convolve(case, len(case[1]) - 2), tensors, message=str(dtype))


@pytest.mark.parametrize("case", TRANSPOSED, ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_transposed(case, bias):
    for dtype in (torch.float64, torch.float32):
        tensors = [operand(case[0], dtype), operand(case[1], dtype)]
        tensors.append(operand((case[1][1] * case[5],), dtype) if bias else None)
        both(transpose(case, len(case[1]) - 2), tensors, message=str(dtype))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_complex(dtype):
    tensors = [operand((2, 3, 6, 6), dtype), operand((4, 3, 3, 3), dtype), operand((4,), dtype)]
    both(convolve((0, 0, 1, 1, 1, 1), 2), tensors)
    tensors = [operand((2, 3, 6, 6), dtype), operand((3, 4, 3, 3), dtype), operand((4,), dtype)]
    both(transpose((0, 0, 2, 1, 1, 1, 1), 2), tensors)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_sixteen_bits(dtype):
    tensors = [operand((2, 3, 6, 6), dtype), operand((4, 3, 3, 3), dtype), operand((4,), dtype)]
    both(convolve((0, 0, 1, 1, 1, 1), 2), tensors, orders=0)
    both(convolve((0, 0, 2, 1, 2, 1), 2), tensors, orders=0)


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64], ids=str
)
def test_integers(dtype):
    tensors = [operand((2, 3, 6, 6), dtype), operand((4, 3, 3, 3), dtype), operand((4,), dtype)]
    both(convolve((0, 0, 1, 1, 1, 1), 2), tensors, orders=0)
    both(convolve((0, 0, 2, 0, 1, 1), 2), tensors, orders=0)


@pytest.mark.parametrize("form", FORMATS)
def test_layouts(form):
    x, w, b = operand((2, 3, 7, 8)), operand((4, 3, 3, 3)), operand((4,))
    if form == "expanded":
        x, w = x[:, :1].expand(-1, 3, -1, -1), w[:1].expand(4, -1, -1, -1)

        def run(module, x, w, b):
            return module.nn.functional.conv2d(x[:, :1].expand(-1, 3, -1, -1), w, b, padding=1)

        both(run, [x.contiguous(), w.contiguous(), b])
        return

    def run(module, x, w, b):
        y = module.nn.functional.conv2d(x, w, b, padding=1)
        strides.append(y.stride())
        return y

    strides = []
    both(run, [laid_out(x, form), laid_out(w, form), b])
    if form != "strided":
        assert strides[0] == strides[1]


@pytest.mark.parametrize("kernel", [(3, 3), (2, 3), (4, 1)])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_named_padding(kernel, dilation, padding):
    def run(module, x, w, b):
        return module.nn.functional.conv2d(x, w, b, 1, padding, dilation)

    both(run, [operand((2, 3, 8, 9)), operand((4, 3, *kernel)), operand((4,))])


def test_infinite_neighbours():
    """An infinite element reaches only the gradients of the taps that touch it."""
    x = operand((2, 2, 6, 13), torch.float32)
    x[0, 0, 2, 12] = float("inf")
    both(convolve((0, 0, 1, 0, 1, 1), 2), [x, operand((3, 2, 3, 3), torch.float32), None], orders=0)

    def gradient(module, x, w):
        w = w.requires_grad_()
        y = module.nn.functional.conv2d(x, w)
        return module.autograd.grad(y, w, module.ones_like(y))[0]

    both(gradient, [x, operand((3, 2, 3, 3), torch.float32)], orders=0)


def test_threads():
    """Results do not depend on the number of threads."""
    x, w = lampas.randn(16, 6, 24, 24), lampas.randn(16, 6, 5, 5)
    wide, deep = lampas.randn(2, 64, 28, 28), lampas.randn(64, 64, 3, 3)
    before, results = lampas.get_num_threads(), []
    for threads in (1, 2, 4):
        lampas.set_num_threads(threads)
        results.append([])
        for a, b in ((x, w), (wide, deep)):
            a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
            y = lampas.nn.functional.conv2d(a, b, padding=1)
            results[-1] += [y.detach(), *lampas.autograd.grad((y * y).sum(), (a, b))]
    lampas.set_num_threads(before)
    for other in results[1:]:
        assert all(lampas.equal(a, b) for a, b in zip(results[0], other))


def test_graph():
    x, w = (
        lampas.randn(1, 3, 8, 8, requires_grad=True),
        lampas.randn(4, 3, 3, 3, requires_grad=True),
    )
    y = lampas.nn.functional.conv2d(x, w)
    assert y.grad_fn.name() == "ConvolutionBackward0"
    assert len(y.grad_fn.next_functions) == 3 and y.grad_fn.next_functions[2] == (None, 0)
    meta = lampas.nn.functional.conv2d(x.to("meta"), w.to("meta"), stride=2)
    assert meta.shape == (1, 4, 3, 3) and meta.device.type == "meta"


ERRORS = """
conv2d(r(4,64,8,8), r(64,3,3,3))
conv2d(r(64,8,8), r(64,3,3,3))
conv2d(r(1,3,2,2), r(4,3,3,3))
conv1d(r(1,3,2), r(4,3,3))
conv3d(r(1,3,2,2,2), r(4,3,3,3,3))
conv2d(r(1,3,8), r(4,3,3,3))
conv2d(r(8,8), r(4,3,3,3))
conv2d(r(1,1,1,8,8), r(4,3,3,3))
conv1d(r(8), r(4,3,3))
conv_transpose2d(r(8,8), r(4,3,3,3))
conv2d(r(1,3,8,8), r(4,3,3,3), stride=(1,2,3))
conv2d(r(1,3,8,8), r(4,3,3,3), stride=())
conv2d(r(1,3,8,8), r(4,3,3,3), padding=(1,2,3))
conv2d(r(1,3,8,8), r(4,3,3,3), dilation=(1,2,3))
conv2d(r(1,3,8,8), r(4,3,3,3), stride=0)
conv2d(r(1,3,8,8), r(4,3,3,3), padding=-1)
conv2d(r(1,3,8,8), r(4,3,3,3), dilation=0)
conv2d(r(1,3,8,8), r(4,3,3,3), groups=0)
conv2d(r(1,4,8,8), r(3,2,3,3), groups=2)
conv2d(r(1,4,8,8), r(4,3,3,3), groups=2)
conv2d(r(1,3,8,8), r(4,3,3,3), r(5))
conv2d(r(1,3,8,8), r(4,3,3,3), r(4,1))
conv2d(r(1,3,8,8), r(4,3,3))
conv2d(r(1,3,8,8), r(4))
conv2d(r(1,3,8,8), r(0,3,3,3))
conv2d(r(1,0,8,8), r(4,0,3,3))
conv2d(r(2,3,0,8), r(4,3,3,3))
conv2d(r(2,3,0,8), r(4,3,3,3), padding=2)
conv2d(r(2,3,8,8).double(), r(4,3,3,3))
conv2d(r(2,3,8,8), r(4,3,3,3).double())
conv2d(r(2,3,8,8), r(4,3,3,3), r(4).double())
conv2d(r(2,3,8,8).bool(), r(4,3,3,3).bool())
conv2d(r(2,3,8,8).to(torch.cfloat), r(4,3,3,3))
conv2d(r(2,3,8,8), r(4,3,3,3), padding='same', stride=2)
conv2d(r(2,3,8,8), r(4,3,3,3), padding='foo')
conv_transpose2d(r(2,3,8,8), r(4,3,3,3))
conv_transpose2d(r(2,3,8,8), r(3,4,3,3), output_padding=1)
conv_transpose2d(r(2,3,8,8), r(3,4,3,3), output_padding=-1, stride=2)
conv_transpose2d(r(2,4,8,8), r(4,3,3,3), r(5), groups=2)
conv_transpose2d(r(2,4,8,8), r(4,3,3,3), groups=3)
conv_transpose2d(r(2,4,0,8), r(4,3,3,3))
conv_transpose2d(r(2,0,8,8), r(0,3,3,3))
conv_transpose1d(r(2,3,8).int(), r(3,4,3).int())
""".strip().splitlines()


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    def run(module):
        return eval(
            "functional." + case,
            {"functional": module.nn.functional, "r": module.zeros, "torch": module},
        )

    agree(run)
