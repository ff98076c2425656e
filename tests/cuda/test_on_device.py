"""On a real GPU (`make test-cuda`): every pointwise row beside the CPU, forward and backward.

Without one all of this is skipped; the files beside this one say what is tested then.
"""

import pytest
from row_inputs import RANGES

import lampas as torch
from lampas import _core

pytestmark = pytest.mark.cuda

ROWS = {row["name"]: row for row in _core._rows() if hasattr(_core, row["name"])}
FLOATS = 1
DTYPES = ["int64", "float16", "float32", "float64", "complex64"]
TOLERANCE = {"float16": 2e-3, "float32": 3e-5, "float64": 1e-11, "complex64": 1e-4}
NUMBERS = (1, 2, -3, 4)  # for parameters without a default


def draw(row, dtype, place):
    low, high = RANGES[row["domain"]]
    x = torch.rand(6, 50, dtype=torch.float64) * (high - low) + low
    if dtype.is_complex:
        x = torch.complex(x, torch.rand(6, 50, dtype=torch.float64) - 0.5)
    if not dtype.is_floating_point and not dtype.is_complex:
        x = x.round().clamp(min=1) if low > 0 else x.round()
    return x.real > 0 if row["name"] == "where" and place == 0 else x.to(dtype)


def laid_out(x, layout):
    if layout == "transposed":
        return x.t().contiguous().t()
    return x[:1].expand(6, 50) if layout == "expanded" else x


def gradients(y, inputs):
    wanted = [x for x in inputs if x.requires_grad]
    if not y.requires_grad or not wanted:
        return []
    g = torch.linspace(0.5, 1.5, y.numel(), dtype=torch.float64).reshape(y.shape).to(y.dtype)
    found = torch.autograd.grad(y, wanted, g.to(y.device), allow_unused=True)
    return [g for g in found if g is not None]


def same(ours, theirs, dtype):
    assert ours.is_cuda and ours.dtype == theirs.dtype and ours.shape == theirs.shape
    ours = ours.cpu()
    if not ours.dtype.is_floating_point and not ours.dtype.is_complex:
        return torch.equal(ours, theirs)
    near = TOLERANCE.get(dtype, 3e-5)
    return torch.allclose(ours, theirs, rtol=near, atol=near, equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_row(name, dtype):
    row, function = ROWS[name], getattr(_core, name)
    torch.manual_seed(0)
    words = [word.strip() for word in row["signature"].split(",")]
    required = [word for word in words if "=" not in word and word != "*"]
    numbers = NUMBERS[: len(required) - row["inputs"]]
    for layout in ("contiguous", "transposed", "expanded"):
        drawn = [draw(row, getattr(torch, dtype), place) for place in range(row["inputs"])]
        results = []
        for device in ("cpu", "cuda"):
            inputs = [laid_out(x, layout if i == 0 else "contiguous") for i, x in enumerate(drawn)]
            inputs = [x.to(device, copy=True) for x in inputs]
            for x, differentiable in zip(inputs, row["differentiable"]):
                if differentiable and (x.is_floating_point() or x.is_complex()):
                    x.requires_grad_()
            try:
                y = function(*inputs, *numbers)
            except (RuntimeError, NotImplementedError) as error:
                results.append(str(error))
                continue
            try:
                results.append([y.detach(), *gradients(y, inputs)])
            except (RuntimeError, NotImplementedError) as error:
                results.append([y.detach(), str(error)])
        expected, found = results
        assert type(found) is type(expected) and len(found) == len(expected), (found, expected)
        for ours, theirs in zip(found, expected):
            assert ours == theirs if isinstance(theirs, str) else same(ours, theirs, dtype), layout


def test_more_elements_than_an_int_counts():
    """More elements than a 32-bit index, where memory allows."""
    free, _ = torch.cuda.mem_get_info()
    if free < 12 << 30:
        pytest.skip("takes 12 GB")
    x = torch.ones(2**31 + 7, dtype=torch.uint8, device="cuda")
    y = x + x
    assert y[-1].item() == y[0].item() == y[2**31].item() == 2
    wide = x[:1].expand(2**31 + 7) + x
    assert wide[-1].item() == 2
