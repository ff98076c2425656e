"""Indexing operators that are made of others. x[...] itself, gather, scatter and masks are primitives."""

import lampas
from lampas import _core
from lampas.ops.register import composite

Tensor = _core.Tensor


@composite(method=True)
def nonzero(input, *, out=None, as_tuple=False):
    """Where `input` is not zero: (n, dims) int64 coordinates, or with `as_tuple` one vector per dimension."""
    if not isinstance(as_tuple, bool):
        raise TypeError(
            f"nonzero(): argument 'as_tuple' must be bool, not {type(as_tuple).__name__}"
        )
    if as_tuple:
        return _core.nonzero_columns(input)
    return _core.nonzero(input) if out is None else _core.nonzero(input, out=out)


@composite(method=True, out=True)
def nonzero_static(input, *, size, fill_value=-1):
    """The first `size` rows of nonzero(); missing rows hold `fill_value`."""
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = _core.nonzero(input)[:size]
    rest = lampas.full(
        (size - found.shape[0], input.dim()), fill_value, dtype=lampas.int64, device=input.device
    )
    return lampas.cat([found, rest])


def _from_start(indices, size):
    return lampas.where(indices < 0, indices + size, indices)


@composite(method=True, out=True)
def take_along_dim(input, indices, dim=None):
    """Elements of `input` at `indices` along `dim`, the other dimensions broadcast; `dim` None flattens both."""
    if indices.dtype != lampas.int64:
        raise RuntimeError(
            f"torch.take_along_dim(): dtype of indices should be Long but got {indices.type()[6:-6]}"
        )
    if dim is None:
        return input.reshape(-1).gather(0, _from_start(indices.reshape(-1), input.numel()))
    if input.dim() != indices.dim():
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input.dim()} dimensions for input, and {indices.dim()} dimensions for indices"
        )
    if not -input.dim() <= dim < input.dim():
        return input.gather(dim, indices)  # raises
    dim %= input.dim()
    indices = _from_start(indices, input.shape[dim])
    wide_input, wide_index = list(indices.shape), list(input.shape)
    wide_input[dim], wide_index[dim] = input.shape[dim], indices.shape[dim]
    shape_input = lampas.broadcast_shapes(tuple(input.shape), tuple(wide_input))
    shape_index = lampas.broadcast_shapes(tuple(indices.shape), tuple(wide_index))
    return input.expand(shape_input).gather(dim, indices.expand(shape_index))


@composite
def unravel_index(indices, shape):
    """Coordinates in a tensor of `shape` for positions counted in row-major order; one tensor per dimension."""
    if isinstance(shape, int):
        shape = (shape,)
    if any(s < 0 for s in shape):
        raise ValueError(f"'shape' cannot have negative values, but got {tuple(shape)}")
    if indices.is_floating_point() or indices.is_complex() or indices.dtype == lampas.bool:
        raise ValueError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    steps = [1]
    for size in reversed(tuple(shape)[1:]):
        steps.insert(0, steps[0] * size)
    steps, sizes = lampas.tensor([steps[: len(shape)], shape], device=indices.device)
    return (
        lampas.div(indices.unsqueeze(-1), steps, rounding_mode="floor").remainder(sizes).unbind(-1)
    )
