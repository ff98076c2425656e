"""Every pointwise row of the table: dtype x layout x form beside PyTorch, gradients by differences.

No operator is named here: a row that is added is tested by being in the table.
"""

import warnings

import numpy as np
import pytest
import torch
from row_inputs import RANGES

import lampas
from lampas import _core

ROWS = {row["name"]: row for row in _core._rows()}
FN, METHOD, INPLACE, OUT = 1, 2, 4, 8
FLOATS = 1
COMPLEX = 8 | 16
DTYPES = """bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64
complex64 complex128""".split()
LAYOUTS = ["contiguous", "transposed", "strided", "expanded", "0-d", "empty"]
NUMBERS = (1, 2, -3, 4)  # for parameters without a default


def counterpart(name):
    """(our callable, PyTorch's) of the same name, or None: rows that only composites use."""
    for path in ("", "special", "nn.functional"):
        spaces = []
        for module in (lampas, torch):
            space = module
            for part in filter(None, path.split(".")):
                space = getattr(space, part)
            spaces.append(space)
        found = [getattr(space, name, None) for space in spaces]
        if all(found) and first_is_input(found[1], name):
            return found
    if ROWS[name]["forms"] & METHOD and hasattr(torch.Tensor, name):
        return [getattr(module.Tensor, name) for module in (lampas, torch)]
    return None


def first_is_input(function, name):
    return name not in ("polygamma",) and callable(function)  # polygamma(n, x): take the method


PUBLIC = [name for name in ROWS if counterpart(name)]


def parameters(row):
    """The numbers that follow the operands, for parameters without a default."""
    words = [word.strip() for word in row["signature"].split(",")]
    required = [word for word in words if "=" not in word and word != "*"]
    return NUMBERS[: len(required) - row["inputs"]]


def draw(row, dtype, shape, seed=0):
    """PyTorch tensors for the row's operands, from its domain."""
    low, high = RANGES[row["domain"]]
    generator = torch.Generator().manual_seed(seed)
    dtype = getattr(torch, dtype)
    operands = []
    if not row["types"] & (FLOATS | 8 | 16) and dtype.is_floating_point:
        dtype = torch.int64
    for place in range(row["inputs"]):
        x = torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low) + low
        if dtype.is_complex:
            x = torch.complex(x, torch.rand(shape, generator=generator, dtype=torch.float64) - 0.5)
        if dtype == torch.uint8:
            x = x.abs()
        if not dtype.is_floating_point and not dtype.is_complex:
            x = x.round()
            if row["domain"] in ("nonzero", "positive", "above_one"):
                x = x.clamp(min=1)
        condition = row["signature"].startswith("condition") and place == 0
        operands.append(x.real > 0 if condition else x.to(dtype))
    return operands


def laid_out(x, layout):
    if layout == "transposed":
        return x.t().contiguous().t()
    if layout == "strided":
        wide = torch.zeros(x.shape[0] * 2, x.shape[1] * 3, dtype=x.dtype)
        wide[::2, 1::3] = x
        return wide[::2, 1::3]
    if layout == "expanded":
        return x[:1].expand(x.shape)
    return x


def twin(x):
    """The Lampas tensor with the same values and strides."""
    length = x.untyped_storage().nbytes() // x.element_size()
    flat = torch.as_strided(x.detach(), (length,), (1,), 0)
    dtype = getattr(lampas, str(x.dtype).removeprefix("torch."))
    wide = flat.float() if x.dtype == torch.bfloat16 else flat
    memory = lampas.from_numpy(wide.numpy().copy()).to(dtype)
    y = memory.as_strided(tuple(x.shape), tuple(x.stride()), x.storage_offset()).detach()
    return y.requires_grad_(x.requires_grad)


def back(y):
    y = y.detach().resolve_conj().contiguous()
    if y.dtype is lampas.bfloat16:
        return torch.from_numpy(y.to(lampas.float32).numpy().copy()).bfloat16()
    return torch.from_numpy(y.numpy().copy())


def outcome(function, *args, **kwargs):
    try:
        return function(*args, **kwargs), None
    except (RuntimeError, TypeError, NotImplementedError) as error:
        return None, error


def beyond(dtype, failure):
    """Types that we compute, through float32, where PyTorch has no kernel."""
    half = dtype in ("float16", "bfloat16")
    return (
        half and isinstance(failure, NotImplementedError) and "not implemented for" in str(failure)
    )


def assert_same(got, expected, strides=True):
    assert str(got.dtype) == str(expected.dtype)
    half = expected.dtype in (torch.float16, torch.bfloat16)
    tolerance = {"rtol": 2e-2, "atol": 2e-2} if half else {"rtol": 2e-5, "atol": 2e-6}
    torch.testing.assert_close(back(got), expected.detach(), equal_nan=True, **tolerance)
    if strides:
        assert tuple(got.stride()) == tuple(expected.stride())


def shape_of(layout):
    return {"0-d": (), "empty": (0, 3)}.get(layout, (4, 5))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PUBLIC)
def test_agrees_with_pytorch(name, dtype):
    row = ROWS[name]
    ours, theirs = counterpart(name)
    numbers = parameters(row)
    for layout in LAYOUTS:
        operands = [laid_out(x, layout) for x in draw(row, dtype, shape_of(layout))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected, failure = outcome(theirs, *operands, *numbers)
            got, error = outcome(ours, *map(twin, operands), *numbers)
        if failure is not None:
            if "ComplexHalf" not in str(failure) and not beyond(dtype, failure):
                assert type(error) is type(failure), (layout, error, failure)
            continue
        assert error is None, (layout, error)
        assert_same(got, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PUBLIC)
def test_special_values(name, dtype):
    row = ROWS[name]
    ours, theirs = counterpart(name)
    points = [0.0, -0.0, 1.0, -1.0, 0.5, float("inf"), -float("inf"), float("nan"), 1e-30, 1e30]
    grid = torch.tensor(points, dtype=getattr(torch, dtype))
    shapes = [(-1, 1, 1), (1, -1, 1), (1, 1, -1)][3 - row["inputs"] :]
    operands = [grid.reshape(shape) for shape in shapes]
    if row["signature"].startswith("condition"):
        operands[0] = operands[0] > 0
    expected, failure = outcome(theirs, *operands, *parameters(row))
    got, error = outcome(ours, *map(twin, operands), *parameters(row))
    if failure is not None:
        assert type(error) is type(failure)
        return
    # Where an argument is beyond what a polynomial or a sum was made for, both only promise a size.
    sane = torch.ones_like(expected, dtype=torch.bool)
    if expected.is_floating_point():
        sane = expected.isnan() | expected.isinf() | (expected.abs() < 1e4)
        extreme = [(x.abs() >= 1e29) & ~x.isinf() for x in operands if x.is_floating_point()]
        for mask in extreme:
            sane = sane & ~mask
    torch.testing.assert_close(
        back(got)[sane], expected[sane], rtol=2e-5, atol=1e-6, equal_nan=True
    )


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided"])
@pytest.mark.parametrize("name", PUBLIC)
def test_forms_agree(name, layout):
    row = ROWS[name]
    dtype = "int64" if not row["types"] & FLOATS else "float64"
    operands = [twin(laid_out(x, layout)) for x in draw(row, dtype, (4, 5))]
    numbers = parameters(row)
    expected = getattr(_core, name)(*operands, *numbers)
    if row["forms"] & METHOD and not row["signature"].startswith("condition"):
        again = getattr(operands[0], name)(*operands[1:], *numbers)
        assert np.array_equal(again.numpy(), expected.numpy(), equal_nan=True)
    if row["forms"] & OUT:
        out = lampas.empty(0, dtype=expected.dtype)
        assert getattr(_core, name)(*operands, *numbers, out=out) is out
        assert np.array_equal(out.numpy(), expected.numpy(), equal_nan=True)
        target = lampas.zeros(5, 4, dtype=expected.dtype).t()
        getattr(_core, name)(*operands, *numbers, out=target)
        assert np.array_equal(target.numpy(), expected.numpy(), equal_nan=True)
    if row["forms"] & INPLACE and expected.dtype == operands[0].dtype:
        before = operands[0].data_ptr()
        assert getattr(_core, name + "_")(*operands, *numbers) is operands[0]
        assert operands[0].data_ptr() == before
        assert np.array_equal(operands[0].numpy(), expected.numpy(), equal_nan=True)


@pytest.mark.parametrize("name", ROWS)
def test_meta_has_shape_and_type(name):
    row = ROWS[name]
    dtype = "int64" if not row["types"] & FLOATS else "float32"
    operands = [twin(x) for x in draw(row, dtype, (4, 1, 5))]
    numbers = parameters(row)
    real = getattr(_core, name)(*operands, *numbers)
    meta = getattr(_core, name)(*[x.to("meta") for x in operands], *numbers)
    assert meta.is_meta and meta.dtype == real.dtype and meta.shape == real.shape
    assert meta.stride() == real.stride()


DIFFERENTIABLE = [name for name, row in ROWS.items() if any(row["differentiable"])]


def wanted(row, operands):
    return [x for x, d in zip(operands, row["differentiable"]) if d]


def gradients(module, function, row, operands, numbers):
    """The first gradients, and those of their weighed sum."""
    for x, d in zip(operands, row["differentiable"]):
        if d:
            x.requires_grad_()
    y = function(*operands, *numbers)
    weights = module.arange(1, y.numel() + 1, dtype=module.float64).reshape(y.shape) / y.numel()
    leaves = wanted(row, operands)
    first = module.autograd.grad(
        y, leaves, weights.to(y.dtype), create_graph=True, allow_unused=True
    )
    again = [g for g in first if g is not None and g.requires_grad]
    if not again:
        return list(first), None
    total = sum((g * g.conj()).real.sum() if g.is_complex() else (g * g).sum() for g in again)
    return list(first), list(module.autograd.grad(total, leaves, allow_unused=True))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", [name for name in DIFFERENTIABLE if name in PUBLIC])
def test_gradients_agree_with_pytorch(name, dtype):
    row = ROWS[name]
    if dtype == "complex128" and not row["types"] & COMPLEX:
        pytest.skip("a row over real numbers")
    ours, theirs = counterpart(name)
    operands = draw(row, dtype, (3, 4))
    numbers = parameters(row)
    found, failure = outcome(gradients, lampas, ours, row, [twin(x) for x in operands], numbers)
    expected, refused = outcome(gradients, torch, theirs, row, operands, numbers)
    if refused is not None:  # what we offer beyond PyTorch is tested by differences
        return
    assert failure is None, failure
    nothing = [None] * row["inputs"]
    for got, want in zip(found, expected):
        for g, w in zip(got or nothing, want or nothing):
            zero = torch.zeros(3, 4, dtype=getattr(torch, dtype))
            torch.testing.assert_close(
                zero if g is None else back(g), zero if w is None else w.detach(),
                rtol=1e-9, atol=1e-10, equal_nan=True,
            )  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_by_differences(name):
    """Along a random direction, against a central difference of the row itself: to second order."""
    row = ROWS[name]
    if "round(" in row["forward"]:
        pytest.skip("its gradient is a straight-through estimate by convention")
    function, numbers = getattr(_core, name), parameters(row)
    operands = [twin(x) for x in draw(row, "float64", (3, 4), seed=1)]
    at = wanted(row, operands)
    directions = [lampas.from_numpy(np.random.default_rng(2).uniform(-1, 1, (3, 4))) for _ in at]
    weights = lampas.from_numpy(np.random.default_rng(3).uniform(-1, 1, (3, 4)))
    step = 1e-6

    def value(scale):
        moved = iter(x + scale * d for x, d in zip(at, directions))
        inputs = [next(moved) if d else x for x, d in zip(operands, row["differentiable"])]
        return (function(*inputs, *numbers) * weights).sum()

    def slope(scale):
        moved = [(x + scale * d).requires_grad_() for x, d in zip(at, directions)]
        given = iter(moved)
        inputs = [next(given) if d else x for x, d in zip(operands, row["differentiable"])]
        y = (function(*inputs, *numbers) * weights).sum()
        grads = lampas.autograd.grad(y, moved, create_graph=True)
        return moved, sum((g * d).sum() for g, d in zip(grads, directions))

    moved, first = slope(0.0)
    measured = (value(step) - value(-step)) / (2 * step)
    assert first.item() == pytest.approx(measured.item(), rel=1e-6, abs=1e-7)
    if not first.requires_grad:
        return
    second = lampas.autograd.grad(first, moved, allow_unused=True)
    along = sum((g * d).sum() for g, d in zip(second, directions) if g is not None)
    ahead, behind = slope(step)[1].item(), slope(-step)[1].item()
    along = along.item() if isinstance(along, lampas.Tensor) else along
    assert along == pytest.approx((ahead - behind) / (2 * step), rel=2e-5, abs=2e-5)
