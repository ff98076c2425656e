"""Positions, order and distinct values."""

from typing import NamedTuple

import lampas
from lampas.array_api.dtypes import common


def argmax(x, /, *, axis=None, keepdims=False):
    """Where the largest is, in the flat array or along `axis`."""
    return _position(lampas.argmax, x, axis, keepdims)


def argmin(x, /, *, axis=None, keepdims=False):
    """Where the smallest is, in the flat array or along `axis`."""
    return _position(lampas.argmin, x, axis, keepdims)


def _position(function, x, axis, keepdims):
    found = function(x, axis, keepdims)
    return found.reshape((1,) * x.dim()) if keepdims and axis is None else found


def nonzero(x, /):
    """Indices of the elements that are not zero, one array a dimension. ValueError for none."""
    if x.dim() == 0:
        raise ValueError("nonzero is not defined for zero-dimensional arrays")
    return lampas.nonzero(x, as_tuple=True)


def searchsorted(x1, x2, /, *, side="left", sorter=None):
    """Where values go in a sorted 1-D array."""
    x1, x2 = common(x1, x2)
    return lampas.searchsorted(x1, x2, side=side, sorter=sorter)


def where(condition, x1, x2, /):
    """Elements of `x1` where the condition holds, of `x2` elsewhere; one may be a Python number."""
    return lampas.where(condition, *common(x1, x2))


def sort(x, /, *, axis=-1, descending=False, stable=True):
    """The elements in order along `axis`."""
    return lampas.sort(x, dim=axis, descending=descending, stable=stable)[0]


def argsort(x, /, *, axis=-1, descending=False, stable=True):
    """The positions of the elements in order along `axis`."""
    return lampas.sort(x, dim=axis, descending=descending, stable=stable)[1]


class UniqueAll(NamedTuple):
    values: lampas.Tensor
    indices: lampas.Tensor
    inverse_indices: lampas.Tensor
    counts: lampas.Tensor


class UniqueCounts(NamedTuple):
    values: lampas.Tensor
    counts: lampas.Tensor


class UniqueInverse(NamedTuple):
    values: lampas.Tensor
    inverse_indices: lampas.Tensor


def unique_all(x, /):
    """Distinct values, where each occurs first, which one each element is, how often each occurs."""
    values, inverse, counts = lampas.unique(x, return_inverse=True, return_counts=True)
    flat = inverse.reshape(-1)
    place = lampas.arange(flat.numel(), device=x.device)
    first = place.new_zeros(values.numel())
    first = first.scatter_reduce(0, flat, place, "amin", include_self=False)
    return UniqueAll(values, first, inverse, counts)


def unique_counts(x, /):
    """Distinct values and how often each occurs."""
    return UniqueCounts(*lampas.unique(x, return_counts=True))


def unique_inverse(x, /):
    """Distinct values and which one each element is."""
    return UniqueInverse(*lampas.unique(x, return_inverse=True))


def unique_values(x, /):
    """Distinct values; each NaN is one of its own."""
    return lampas.unique(x)
