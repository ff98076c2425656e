"""Pooling against PyTorch: values, indices, gradients to second order, types and layouts."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from agreement import agree  # noqa: E402
from image_cases import FORMATS, both, laid_out  # noqa: E402

import lampas  # noqa: E402

SHAPES = {1: (2, 3, 11), 2: (2, 3, 9, 11), 3: (2, 2, 5, 6, 7)}

CASES = """
max_pool1d(x, 3) | max_pool1d(x, 2, 1, 1) | max_pool1d(x, 3, 2, 1, 2, True) | max_pool1d(x[0], 3)
max_pool1d(x, 3, return_indices=True) | avg_pool1d(x, 3) | avg_pool1d(x, 3, 2, 1, True)
avg_pool1d(x, 4, 3, 2, True, False) | avg_pool1d(x[1], 2) | adaptive_avg_pool1d(x, 4)
adaptive_avg_pool1d(x, 1) | adaptive_avg_pool1d(x, 17) | adaptive_max_pool1d(x, 4)
adaptive_max_pool1d(x, 4, return_indices=True) | adaptive_max_pool1d(x[0], 13)
max_pool2d(x, 2) | max_pool2d(x, 3, 2, 1) | max_pool2d(x, (2, 3), (3, 1), (1, 0), (1, 2))
max_pool2d(x, 3, 2, 1, 1, True) | max_pool2d(x, 2, 3, ceil_mode=True) | max_pool2d(x[1], 2)
max_pool2d(x, 2, return_indices=True) | max_pool2d(x, 3, 1, 1, 2, True, True) | avg_pool2d(x, 2)
max_pool2d(x[:0], 2) | avg_pool2d(x, 3, 2, 1) | avg_pool2d(x, (2, 3), (3, 1), (1, 0))
avg_pool2d(x, 3, 2, 1, True) | avg_pool2d(x, 3, 2, 1, True, False) | avg_pool2d(x[1], 2)
avg_pool2d(x, 3, 2, 1, True, True, 5) | avg_pool2d(x, 3, divisor_override=-2) | avg_pool2d(x[:0], 2)
adaptive_avg_pool2d(x, 3) | adaptive_avg_pool2d(x, (4, 5)) | adaptive_avg_pool2d(x, (None, 2))
adaptive_avg_pool2d(x, 1) | adaptive_avg_pool2d(x, (1, 1)) | adaptive_avg_pool2d(x[0], (13, 2))
adaptive_avg_pool2d(x, (0, 2)) | adaptive_max_pool2d(x, 3) | adaptive_max_pool2d(x, (4, 5))
adaptive_max_pool2d(x, (None, 2)) | adaptive_max_pool2d(x, (12, 3), return_indices=True)
adaptive_max_pool2d(x[:0], 2)
max_pool3d(x, 2) | max_pool3d(x, 3, 2, 1) | max_pool3d(x, (2, 3, 1), 1, (1, 1, 0), (1, 2, 1), True)
max_pool3d(x[0], 2, return_indices=True) | avg_pool3d(x, 2) | avg_pool3d(x, 3, 2, 1, True)
avg_pool3d(x, 3, 2, 1, True, False) | avg_pool3d(x[0], 2, divisor_override=3)
adaptive_avg_pool3d(x, 2) | adaptive_avg_pool3d(x, (3, 1, 9)) | adaptive_avg_pool3d(x, 1)
adaptive_max_pool3d(x, 2) | adaptive_max_pool3d(x[0], (3, 1, 9), return_indices=True)
lp_pool1d(x, 2, 3) | lp_pool2d(x, 3.0, 2)
"""
CASES = [case.strip() for line in CASES.strip().splitlines() for case in line.split("|")]


def rank(case):
    return int(case.split("(")[0][-2])


def evaluate(case):
    code = compile("functional." + case, case, "eval")

    def run(module, x):
        return eval(code, {"functional": module.nn.functional, "x": x})

    return run


def values(shape, dtype=torch.float64):
    generator = torch.Generator().manual_seed(sum(shape))
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    return x.to(dtype) if dtype.is_floating_point else (x * 5).to(dtype)


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case):
    for dtype in (torch.float64, torch.float32):
        orders = 0 if "(0, 2)" in case else 2  # PyTorch has no gradient of an empty result
        both(evaluate(case), [values(SHAPES[rank(case)], dtype)], orders, str(dtype))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", FORMATS)
def test_layouts(case, form):
    x = laid_out(values(SHAPES[rank(case)]), form)
    strides = []

    def run(module, x):
        y = evaluate(case)(module, x)
        strides.append((y[0] if isinstance(y, tuple) else y).stride())
        return y

    both(run, [x], orders=0 if "(0, 2)" in case else 1)
    exempt = ("avg_pool1d(x, 1)", "avg_pool2d(x, 1)", "avg_pool3d(x, 1)", "(1, 1)", "(0, 2)", "x[")
    if form == "channels_last" and not any(text in case for text in exempt):
        assert strides[0] == strides[1]


TYPES = [
    torch.float16,
    torch.bfloat16,
    torch.uint8,
    torch.int8,
    torch.int32,
    torch.int64,
    torch.bool,
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_types(case, dtype):
    x = values(SHAPES[rank(case)], dtype)
    name = str(dtype).split(".")[1]

    def run(module):
        y = module.from_numpy(x.float().numpy()).to(getattr(module, name))
        return evaluate(case)(module, y)

    coarse = dtype in (torch.float16, torch.bfloat16)
    agree(run, rtol=2e-2 if coarse else 1e-5, atol=2e-2 if coarse else 1e-6)


@pytest.mark.parametrize("special", ["nan", "-inf", "inf"])
def test_special_values(special):
    x = values((1, 2, 6, 6))
    x[0, 0, 1:3, 2:4] = float(special)
    x[0, 1] = float(special)
    for case in (
        "max_pool2d(x, 2, return_indices=True)",
        "max_pool2d(x, 3, 1, 1, return_indices=True)",
        "avg_pool2d(x, 2)",
        "adaptive_max_pool2d(x, 4, return_indices=True)",
    ):
        both(evaluate(case), [x], orders=0, message=case)


ERRORS = """
max_pool2d(r(8,8), 3)
max_pool2d(r(1,1,1,8,8), 3)
max_pool1d(r(8), 3)
max_pool1d(r(1,1,8,8), 3)
max_pool3d(r(8,8,8), 3)
max_pool2d(r(2,3,2,2), 3)
max_pool2d(r(2,3,8,8), (3,3,3))
max_pool2d(r(2,3,8,8), 3, (1,1,1))
max_pool2d(r(2,3,8,8), 3, padding=(1,1,1))
max_pool2d(r(2,3,8,8), 3, dilation=(1,1,1))
max_pool2d(r(2,3,8,8), 3, padding=2)
max_pool2d(r(2,3,8,8), 3, padding=-1)
max_pool2d(r(2,3,8,8), 0)
max_pool2d(r(2,3,8,8), 0, 1)
max_pool2d(r(2,3,8,8), 3, stride=0)
max_pool2d(r(2,3,8,8), 3, stride=-1)
max_pool2d(r(2,3,8,8), 3, dilation=0)
max_pool2d(r(2,0,8,8), 3)
max_pool2d(r(2,3,0,8), 3)
max_pool2d(r(0,8,8), 3)
max_pool1d(r(2,3,8), (3,3))
max_pool1d(r(2,3,8), 0)
max_pool1d(r(2,3,8), 9)
max_pool1d(r(2,3,8), 3, stride=0)
max_pool1d(r(2,3,8), 3, (1,1))
max_pool1d(r(2,3,8), 3, padding=2)
max_pool1d(r(2,3,8), 3, padding=-1)
max_pool1d(r(2,3,8), 3, dilation=0)
max_pool1d(r(2,3,8), 9, return_indices=True)
max_pool3d(r(2,3,8,8,8), (3,3))
max_pool3d(r(2,3,8,8,8), 3, dilation=(3,3))
max_pool3d(r(2,3,8,8,8), 9)
max_pool3d(r(2,3,8,8,8), 0, 1)
max_pool3d(r(2,3,8,8,8), 3, dilation=0)
max_pool3d(r(2,0,8,8,8), 3)
avg_pool2d(r(8,8), 3)
avg_pool2d(r(1,1,1,8,8), 3)
avg_pool1d(r(8), 3)
avg_pool3d(r(8,8,8), 3)
avg_pool2d(r(2,3,2,2), 3)
avg_pool2d(r(2,3,8,8), (3,3,3))
avg_pool2d(r(2,3,8,8), 3, divisor_override=0)
avg_pool3d(r(2,3,8,8,8), (3,3))
avg_pool3d(r(2,3,8,8,8), 3, (1,1))
avg_pool3d(r(2,3,8,8,8), 3, padding=(1,1))
avg_pool3d(r(2,3,8,8,8), 9)
avg_pool1d(r(2,3,8), (3,3))
avg_pool1d(r(2,3,8), 3, (1,1))
avg_pool1d(r(2,3,8), 9)
avg_pool3d(r(2,0,8,8,8), 3)
adaptive_avg_pool2d(r(8,8), 3)
adaptive_avg_pool1d(r(8), 3)
adaptive_avg_pool3d(r(8,8), 3)
adaptive_avg_pool2d(r(2,3,8,8), (-3,3))
adaptive_avg_pool2d(r(2,3,0,8), 3)
adaptive_avg_pool1d(r(2,3,8), (3,3))
adaptive_avg_pool1d(r(2,3,8), -1)
adaptive_avg_pool3d(r(2,3,8,8,8), -1)
adaptive_max_pool2d(r(8,8), 3)
adaptive_max_pool1d(r(8), 3)
adaptive_max_pool3d(r(8,8), 3)
adaptive_max_pool2d(r(2,3,8,8), (-1,3))
adaptive_max_pool2d(r(2,3,0,8), (3,3))
adaptive_max_pool1d(r(2,3,8), (3,3))
adaptive_max_pool1d(r(2,3,0), 3)
adaptive_max_pool1d(r(2,3,8), -1)
""".strip().splitlines()


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    agree(lambda m: eval("functional." + case, {"functional": m.nn.functional, "r": m.zeros}))


def test_graph():
    functional = lampas.nn.functional
    names = {
        "max_pool2d": "MaxPool2DWithIndicesBackward0", "max_pool1d": "SqueezeBackward1",
        "avg_pool2d": "AvgPool2DBackward0", "adaptive_avg_pool2d": "AdaptiveAvgPool2DBackward0",
        "adaptive_max_pool2d": "AdaptiveMaxPool2DBackward0", "avg_pool3d": "AvgPool3DBackward0",
    }  # fmt: skip
    for name, node in names.items():
        x = lampas.randn(SHAPES[rank(name + "(")], requires_grad=True)
        assert getattr(functional, name)(x, 2).grad_fn.name() == node
    meta = functional.max_pool2d(lampas.empty(2, 3, 8, 8, device="meta"), 2)
    assert meta.shape == (2, 3, 4, 4) and meta.device.type == "meta"
