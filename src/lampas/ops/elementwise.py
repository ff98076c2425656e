"""Elementwise operators made of rows: conjugation, parts of floats, replaced NaNs, gamma functions."""

import math

import lampas
from lampas import _core
from lampas.ops.one_node import one_node
from lampas.ops.register import composite

Tensor = _core.Tensor


@composite(method=True)
def positive(input):
    """`input` itself. RuntimeError for bool."""
    if input.dtype is _core.bool:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@composite(method=True, inplace=True, out=True)
def conj_physical(input):
    """The complex conjugate, computed at once."""
    return input.conj().clone() if input.is_complex() else input


@composite(method=True)
def resolve_conj(input):
    """`input`: conjugates are never lazy here."""
    return input


@composite(method=True)
def resolve_neg(input):
    """`input`: negation is never lazy here."""
    return input


@composite(method=True)
def isreal(input):
    """Where the imaginary part is zero."""
    if input.is_complex():
        return input.imag == 0
    return lampas.ones_like(input, dtype=lampas.bool)


_NAN_TO_NUM = _core.nan_to_num


def _nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    if input.is_complex():
        parts = lampas.view_as_real(input)
        return lampas.view_as_complex(_nan_to_num(parts, nan, posinf, neginf))
    if not input.is_floating_point():
        return input.clone()
    limits = lampas.finfo(input.dtype)
    return _NAN_TO_NUM(
        input,
        0.0 if nan is None else nan,
        limits.max if posinf is None else posinf,
        limits.min if neginf is None else neginf,
    )


@composite(method=True, inplace=True, out=True)
def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    """NaN and infinities replaced; the defaults for infinities are the largest finite numbers."""
    return _nan_to_num(input, nan, posinf, neginf)


@composite
def fill(input, value):
    """A tensor like `input` with every element `value` (a number or 0-d tensor)."""
    if isinstance(value, Tensor) and value.dim():
        raise RuntimeError(
            f"fill_ only supports 0-dimension value tensor but got tensor with {value.dim()} dimensions."
        )
    return input.clone().fill_(value)


# --- parts of a float ---

_LAYOUTS = {  # (integer view, stored fraction bits, exponent bias)
    lampas.float32: (lampas.int32, 23, 127),
    lampas.float64: (lampas.int64, 52, 1023),
}


def _power_of_two(k, dtype):
    """2**k for integers k inside the range of normal numbers, exactly."""
    bits, fraction, bias = _LAYOUTS[dtype]
    return ((k.to(bits) + bias) << fraction).view(dtype)


def _exponents(x):
    """e with 0.5 <= |x| / 2**e < 1; 0 for zeros, infinities and NaN."""
    bits, fraction, bias = _LAYOUTS[x.dtype]
    raised = x * 2.0 ** (fraction + 2)  # subnormal numbers become normal
    small = x.abs() < 2.0 ** (1 - bias)
    field = (lampas.where(small, raised, x).view(bits) >> fraction) & (2 * bias + 1)
    e = field - (bias - 1) - lampas.where(small, fraction + 2, 0).to(bits)
    return lampas.where((x == 0) | ~x.isfinite(), 0, e).to(lampas.int32)


@composite(method=True, out=True)
def frexp(input):
    """(mantissa, exponent) with input = mantissa * 2**exponent, 0.5 <= |mantissa| < 1; exponent is int32."""
    if not input.is_floating_point():
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    x = input if input.dtype in _LAYOUTS else input.float()
    e = _exponents(x.detach().contiguous())
    from lampas import return_types

    half = e // 2  # two steps, since 2**-e itself may overflow
    mantissa = x * _power_of_two(-half, x.dtype) * _power_of_two(half - e, x.dtype)
    return return_types.make("frexp", ("mantissa", "exponent"))((mantissa.to(input.dtype), e))


def _scaled(input, other):
    return input * lampas.pow(2.0, other)


def _ldexp_gradient(grads, args, outputs):
    (g,), (input, other), (y,) = grads, args, outputs
    inputs = _ldexp(g, other.conj() if other.is_complex() else other)
    others = g * (y.conj() if y.is_complex() else y) * math.log(2)
    return inputs.sum_to_size(input.shape), others.sum_to_size(other.shape)


_ldexp = one_node("LdexpBackward0", _scaled, _ldexp_gradient)


@composite(method=True, inplace=True, out=True)
def ldexp(input, other):
    """input * 2**other."""
    if not isinstance(input, Tensor):
        raise TypeError(
            f"ldexp(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
        )
    if not isinstance(other, Tensor):
        raise TypeError(
            f"ldexp(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}"
        )
    return _ldexp(input, other)


# --- gamma functions ---

_POLYGAMMA = _core.polygamma


@composite(out=True)
def polygamma(n, input):
    """The n-th derivative of digamma."""
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return _POLYGAMMA(input, n)


@composite(method=True, inplace=True, out=True)
def mvlgamma(input, p):
    """The logarithm of the multivariate gamma function of dimension p; x > (p - 1) / 2."""
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    if not input.is_floating_point():
        input = input.to(_core.get_default_dtype())
    shifts = lampas.arange(p, dtype=input.dtype, device=input.device) * -0.5
    terms = (input.unsqueeze(-1) + shifts).lgamma().sum(-1)
    return terms + p * (p - 1) / 4 * math.log(math.pi)


# --- numbers on the left ---


def _rdiv(self, other):
    return self.reciprocal() * other


Tensor.__rdiv__ = _rdiv
Tensor.__div__ = Tensor.__truediv__
Tensor.__idiv__ = Tensor.__itruediv__
