"""Arrays from nothing, from numbers, from other arrays and other libraries' arrays."""

import lampas


def arange(start, /, stop=None, step=1, *, dtype=None, device=None):
    """start, start + step, ... below stop; one argument alone is `stop`."""
    start, stop = (0, start) if stop is None else (start, stop)
    if (stop - start) * step <= 0:
        dtype = dtype or lampas.arange(0, 1, step).dtype
        return lampas.empty(0, dtype=dtype, device=device)
    return lampas.arange(start, stop, step, dtype=dtype, device=device)


def asarray(obj, /, *, dtype=None, device=None, copy=None):
    """A number, nested sequence, array or buffer as an array. ValueError where copy=False cannot be."""
    return lampas.asarray(obj, dtype=dtype, device=device, copy=copy)


def empty(shape, *, dtype=None, device=None):
    """An uninitialised array."""
    return lampas.empty(shape, dtype=dtype, device=device)


def empty_like(x, /, *, dtype=None, device=None):
    """An uninitialised array of the shape, dtype and device of `x`."""
    return lampas.empty_like(x, dtype=dtype, device=device)


def eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None):
    """Ones on the k-th diagonal, zeros elsewhere: (n_rows, n_cols)."""
    n_cols = n_rows if n_cols is None else n_cols
    result = lampas.zeros(n_rows, n_cols, dtype=dtype, device=device)
    if -n_rows < k < n_cols:
        result.diagonal(k).fill_(1)
    return result


def from_dlpack(x, /, *, device=None, copy=None):
    """An array over the memory of another library's, by DLPack."""
    return lampas.from_dlpack(x, device=device, copy=copy)


def full(shape, fill_value, *, dtype=None, device=None):
    """An array of one value, by default of the value's kind."""
    return lampas.full(_tuple(shape), fill_value, dtype=dtype, device=device)


def _tuple(shape):
    return (shape,) if isinstance(shape, int) else tuple(shape)


def full_like(x, /, fill_value, *, dtype=None, device=None):
    """An array of one value with the shape, dtype and device of `x`."""
    return lampas.full_like(x, fill_value, dtype=dtype, device=device)


def linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True):
    """`num` evenly spaced values from start to stop, with or without stop itself."""
    if num < 0:
        raise ValueError("linspace: num must not be negative")
    if endpoint:
        return lampas.linspace(start, stop, num, dtype=dtype, device=device)
    return lampas.linspace(start, stop, num + 1, dtype=dtype, device=device)[:num]


def meshgrid(*arrays, indexing="xy"):
    """Coordinate arrays of a grid, as a list."""
    return list(lampas.meshgrid(*arrays, indexing=indexing))


def ones(shape, *, dtype=None, device=None):
    """An array of ones."""
    return lampas.ones(shape, dtype=dtype, device=device)


def ones_like(x, /, *, dtype=None, device=None):
    """Ones with the shape, dtype and device of `x`."""
    return lampas.ones_like(x, dtype=dtype, device=device)


def tril(x, /, *, k=0):
    """The lower triangles, up to the k-th diagonal."""
    return lampas.tril(x, k)


def triu(x, /, *, k=0):
    """The upper triangles, from the k-th diagonal."""
    return lampas.triu(x, k)


def zeros(shape, *, dtype=None, device=None):
    """An array of zeros."""
    return lampas.zeros(shape, dtype=dtype, device=device)


def zeros_like(x, /, *, dtype=None, device=None):
    """Zeros with the shape, dtype and device of `x`."""
    return lampas.zeros_like(x, dtype=dtype, device=device)
