"""Sums, products, extremes, means and truth along dimensions; running sums and products."""

import lampas
from lampas.array_api.dtypes import isdtype


def axes_of(x, axis):
    """The dimensions that `axis` (a number, a tuple, or None for all) means, counted from the front."""
    if axis is None:
        return tuple(range(x.dim()))
    return tuple(one % x.dim() if -x.dim() <= one < x.dim() else one for one in _tuple(axis))


def _tuple(axis):
    return (axis,) if isinstance(axis, int) else tuple(axis)


def _summed(x, dtype):
    """(dtype in which to sum, dtype of the result): small integers are summed as 64 bits."""
    if dtype is None and isdtype(x.dtype, "unsigned integer"):
        dtype = lampas.uint64
    elif dtype is None:
        dtype = lampas.int64 if not (x.is_floating_point() or x.is_complex()) else x.dtype
    # Sums of unsigned numbers are those of the same bits as signed numbers.
    return (lampas.int64 if isdtype(dtype, "unsigned integer") else dtype), dtype


def sum(x, /, *, axis=None, dtype=None, keepdims=False):
    """The sum along dimensions; integers in 64 bits unless `dtype` says otherwise."""
    inner, dtype = _summed(x, dtype)
    axes = axes_of(x, axis)
    x = x.to(inner)
    return (lampas.sum(x, axes, keepdims) if axes else x.clone()).to(dtype)


def prod(x, /, *, axis=None, dtype=None, keepdims=False):
    """The product along dimensions, with `sum`'s dtypes."""
    inner, dtype = _summed(x, dtype)
    axes = axes_of(x, axis)
    x = x.to(inner)
    for one in sorted(axes, reverse=True):
        x = lampas.prod(x, one, keepdim=True)
    return _without(x, axes, keepdims).to(dtype)


def _without(x, axes, keepdims):
    return x if keepdims or not axes else x.squeeze(axes)


def max(x, /, *, axis=None, keepdims=False):
    """The largest along dimensions."""
    return _extreme(lampas.amax, x, axis, keepdims)


def min(x, /, *, axis=None, keepdims=False):
    """The smallest along dimensions."""
    return _extreme(lampas.amin, x, axis, keepdims)


def _extreme(function, x, axis, keepdims):
    axes = axes_of(x, axis)
    return function(x, axes, keepdims) if axes else x.clone()


def mean(x, /, *, axis=None, keepdims=False):
    """The mean along dimensions."""
    axes = axes_of(x, axis)
    return lampas.mean(x, axes, keepdims) if axes else x.clone()


def var(x, /, *, axis=None, correction=0.0, keepdims=False):
    """The variance along dimensions: squares over (n - correction)."""
    axes = axes_of(x, axis)
    if not axes:  # the standard: nothing is reduced, so n is 1
        return lampas.zeros_like(x) / (1 - correction if correction != 1 else float("nan"))
    return lampas.var(x, axes, correction=correction, keepdim=keepdims)


def std(x, /, *, axis=None, correction=0.0, keepdims=False):
    """The root of `var`."""
    return lampas.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def all(x, /, *, axis=None, keepdims=False):
    """Whether every element along dimensions is true."""
    return _truth(lampas.all, x, axis, keepdims)


def any(x, /, *, axis=None, keepdims=False):
    """Whether some element along dimensions is true."""
    return _truth(lampas.any, x, axis, keepdims)


def _truth(function, x, axis, keepdims):
    axes, x = axes_of(x, axis), x.to(lampas.bool)
    return function(x, axes, keepdims) if axes else x


def count_nonzero(x, /, *, axis=None, keepdims=False):
    """How many elements along dimensions are not zero."""
    return sum(x != 0, axis=axis, keepdims=keepdims)


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """Running sums along `axis`, which a 1-D array need not name; with a leading zero on demand."""
    return _cumulative(lampas.cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """Running products, as `cumulative_sum`; the leading value is one."""
    return _cumulative(lampas.cumprod, 1, x, axis, dtype, include_initial)


def _cumulative(function, start, x, axis, dtype, include_initial):
    if axis is None:
        if x.dim() != 1:
            raise ValueError("axis must be given for an array that has not one dimension")
        axis = 0
    inner, dtype = _summed(x, dtype)
    result = function(x.to(inner), axis)
    if include_initial:
        first = list(x.shape)
        first[axis] = 1
        result = lampas.cat([result.new_full(first, start), result], axis)
    return result.to(dtype)
