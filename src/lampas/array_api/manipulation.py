"""Arrays in other shapes, orders and pieces; elements taken by position."""

import lampas
from lampas.array_api.dtypes import common


def broadcast_arrays(*arrays):
    """Arrays seen with the shape that they have together, as a tuple."""
    return tuple(lampas.broadcast_tensors(*arrays))


def broadcast_to(x, /, shape):
    """An array seen with another shape."""
    return lampas.broadcast_to(x, shape)


def concat(arrays, /, *, axis=0):
    """Arrays one after another along `axis`, or flat for None."""
    arrays = common(*arrays)
    if axis is None:
        return lampas.cat([x.reshape(-1) for x in arrays])
    if any(x.dim() == 0 for x in arrays):
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    return lampas.cat(arrays, axis)


def diff(x, /, *, axis=-1, n=1, prepend=None, append=None):
    """Differences of neighbours, `n` times."""
    return lampas.diff(x, n, axis, prepend, append)


def expand_dims(x, /, *, axis=0):
    """A dimension of size one at `axis`. IndexError beyond the dimensions."""
    return x.unsqueeze(axis)


def flip(x, /, *, axis=None):
    """The order reversed along some dimensions or all."""
    return lampas.flip(x, _axes(x, axis))


def _axes(x, axis):
    if axis is None:
        return tuple(range(x.dim()))
    return (axis,) if isinstance(axis, int) else tuple(axis)


def moveaxis(x, source, destination, /):
    """Dimensions moved to other places."""
    return lampas.moveaxis(x, source, destination)


def permute_dims(x, /, axes):
    """Dimensions in another order."""
    return lampas.permute(x, axes)


def repeat(x, repeats, /, *, axis=None):
    """Each element repeated; flat for axis=None."""
    return lampas.repeat_interleave(x, repeats, axis)


def reshape(x, /, shape, *, copy=None):
    """The elements in another shape. ValueError where copy=False cannot be."""
    if copy is None:
        return lampas.reshape(x, shape)
    if copy:
        return lampas.reshape(x.clone(), shape)
    try:
        return x.view(shape)
    except RuntimeError as error:
        raise ValueError(f"reshape: a view is not possible: {error}") from None


def roll(x, /, shift, *, axis=None):
    """Elements moved along dimensions, those that leave coming in again; flat for axis=None."""
    if axis is not None and isinstance(shift, int) and not isinstance(axis, int):
        shift = (shift,) * len(axis)
    return lampas.roll(x, shift, () if axis is None else axis)


def squeeze(x, /, axis):
    """Without some dimensions of size one. ValueError for one of another size."""
    axes = _axes(x, axis)
    for one in axes:
        if x.shape[one] != 1:
            raise ValueError(f"squeeze: dimension {one} has size {x.shape[one]}, not 1")
    return x.squeeze(axes)


def stack(arrays, /, *, axis=0):
    """Arrays of one shape along a new dimension."""
    return lampas.stack(common(*arrays), axis)


def take(x, indices, /, *, axis=None):
    """The parts of these positions (1-D) along `axis`, which a 1-D array need not name."""
    if axis is None:
        if x.dim() != 1:
            raise ValueError("take: axis is required for more than one dimension")
        axis = 0
    indices = lampas.where(indices < 0, indices + x.shape[axis], indices)
    return x.index_select(axis, indices)


def take_along_axis(x, indices, /, *, axis=-1):
    """Elements along `axis` by position; both arrays are broadcast in the other dimensions."""
    size = x.shape[axis]
    indices = lampas.where(indices < 0, indices + size, indices).to(lampas.int64)
    others = [list(array.shape) for array in (x, indices)]
    for shape in others:
        shape[axis] = 1
    shape = list(lampas.broadcast_shapes(*others))
    shape[axis] = size
    x = x.broadcast_to(shape)
    shape[axis] = indices.shape[axis]
    return x.gather(axis, indices.broadcast_to(shape))


def tile(x, repetitions, /):
    """The array repeated as a whole."""
    return lampas.tile(x, repetitions)


def unstack(x, /, *, axis=0):
    """The parts along a dimension, as a tuple."""
    return tuple(x.unbind(axis))
