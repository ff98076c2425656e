"""make_tensor: random tensors for tests."""

import math

import lampas

__all__ = ["make_tensor"]

_DEFAULTS = {"bool": (0, 2), "uint8": (0, 10)}


def make_tensor(
    *shape,
    dtype,
    device,
    low=None,
    high=None,
    requires_grad=False,
    noncontiguous=False,
    exclude_zero=False,
    memory_format=None,
):
    """A tensor of numbers drawn evenly from [low, high), by default [-9, 9) (integers: [-9, 10)).

    noncontiguous: every second entry of a tensor twice as wide.
    exclude_zero: zeros become the smallest number of the dtype (1 for integers).
    """
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    shape = tuple(shape)
    if noncontiguous and memory_format is not None:
        raise ValueError(
            f"The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got {noncontiguous=} and {memory_format=}"
        )
    if requires_grad and not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(
            f"`requires_grad=True` is not supported for boolean and integral dtypes, but got {dtype=}"
        )
    low, high = _range(low, high, dtype)
    wide = bool(noncontiguous and math.prod(shape) > 1)
    if dtype.is_complex:
        parts = lampas.float64 if dtype is lampas.complex128 else lampas.float32
        room = shape[:-1] + (2 * shape[-1],) if wide and shape else shape
        result = lampas.view_as_complex(
            lampas.empty((*room, 2), dtype=parts, device=device).uniform_(low, high)
        )
    else:
        room = shape[:-1] + (2 * shape[-1],) if wide else shape
        if dtype.is_floating_point:
            result = lampas.empty(room, dtype=dtype, device=device).uniform_(low, high)
        else:
            result = lampas.randint(int(low), int(high), room, dtype=dtype, device=device)
    if wide:
        result = result[..., 1::2]
    elif memory_format is not None:
        result = result.clone(memory_format=memory_format)
    if exclude_zero:
        tiny = lampas.finfo(dtype).tiny if dtype.is_floating_point or dtype.is_complex else 1
        result[result == 0] = tiny
    return result.requires_grad_() if requires_grad else result


def _range(low, high, dtype):
    name = str(dtype).rpartition(".")[2]
    floating = dtype.is_floating_point or dtype.is_complex
    default_low, default_high = _DEFAULTS.get(name, (-9, 9 if floating else 10))
    low = default_low if low is None else low
    high = default_high if high is None else high
    for value in (low, high):
        if isinstance(value, float) and math.isnan(value):
            raise ValueError(f"`low` and `high` cannot be NaN, but got {low=} and {high=}")
    if low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    if not floating:
        lowest, highest = (
            (0, 1) if dtype is lampas.bool else (lampas.iinfo(dtype).min, lampas.iinfo(dtype).max)
        )
        low, high = max(math.ceil(low), lowest), min(math.ceil(high), highest + 1)
    return low, high
