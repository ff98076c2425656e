"""Elementwise functions. Most are tables of names: the operator exists, the standard's rules are added.

One argument: the operator itself, positional only. Two: both are promoted to one dtype first, and one
of them may be a Python number.
"""

import lampas
from lampas.array_api.dtypes import common, isdtype, result_type

_UNARY = {
    name: name
    for name in (
        "abs acos acosh asin asinh atan atanh cos cosh exp expm1 floor ceil trunc imag isfinite isinf isnan "
        "log log1p log2 log10 logical_not negative positive real reciprocal round signbit sin sinh square sqrt "
        "tan tanh"
    ).split()
} | {"bitwise_invert": "bitwise_not", "sign": "sgn"}
_BINARY = {
    name: name
    for name in (
        "add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide "
        "floor_divide greater greater_equal hypot less less_equal logaddexp logical_and logical_or logical_xor "
        "maximum minimum multiply nextafter not_equal pow remainder subtract"
    ).split()
} | {"equal": "eq"}
__all__ = sorted({*_UNARY, *_BINARY, "clip", "conj"})


def _unary(name, operator):
    def function(x, /):
        return operator(x)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`lampas.{operator.__name__}` of one array."
    return function


def _binary(name, operator):
    def function(x1, x2, /):
        return operator(*common(x1, x2))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`lampas.{operator.__name__}` of two arrays, or an array and a number."
    return function


for _name, _operator in _UNARY.items():
    globals()[_name] = _unary(_name, getattr(lampas, _operator))
for _name, _operator in _BINARY.items():
    globals()[_name] = _binary(_name, getattr(lampas, _operator))


def real(x, /):
    """The real parts."""
    return x.real if x.is_complex() else x


def conj(x, /):
    """The complex conjugates."""
    return lampas.conj_physical(x) if x.is_complex() else x


def clip(x, /, min=None, max=None):
    """Values limited from below and above; the dtype stays that of `x`."""
    low, high = (
        limit if limit is None or isinstance(limit, lampas.Tensor) else _number(limit, x)
        for limit in (min, max)
    )
    dtype = result_type(*(part for part in (x, low, high) if part is not None))
    low, high = (limit if limit is None else limit.to(dtype) for limit in (low, high))
    if low is None and high is None:
        return x.clone()
    return lampas.clamp(x.to(dtype), low, high).to(x.dtype)


def _number(limit, x):
    """A Python limit as an array; one beyond the integers of `x` becomes their end."""
    if isdtype(x.dtype, "integral"):
        info = lampas.iinfo(x.dtype)
        limit = info.min if limit < info.min else info.max if limit > info.max else limit
    return lampas.tensor(limit, dtype=x.dtype, device=x.device)
