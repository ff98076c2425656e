"""The one-dimensional transforms with their gradients; the adjoint of each is another one of them.

NumPy computes them where it is installed; otherwise a product with the matrix of exponentials does.
"""

import functools
import math

import lampas
from lampas.autograd.function import Function


@functools.lru_cache(maxsize=1)
def _numpy():
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def _wave(n, inverse, device):
    """exp(-+2 pi i jk / n) as a complex128 matrix; jk is reduced mod n, so that the angle stays exact."""
    k = lampas.arange(n, device=device)
    angle = (k.unsqueeze(1) * k % n).double() * (2 * math.pi / n)
    return lampas.complex(angle.cos(), angle.sin() if inverse else -angle.sin())


def _meta(x, dim, n, dtype):
    shape = list(x.shape)
    shape[dim] = n
    return lampas.empty(shape, dtype=dtype, device="meta")


def _c2c(x, dim, inverse, scale):
    """sum_j x_j exp(-+2 pi i jk / n), times scale."""
    n = x.shape[dim]
    if x.is_meta or x.numel() == 0:
        return x.clone()
    numpy = _numpy()
    if numpy is None:
        y = (x.movedim(dim, -1).to(lampas.complex128) @ _wave(n, inverse, x.device)).movedim(
            -1, dim
        )
        return (y * scale).to(x.dtype)
    values = x.detach().numpy()
    y = numpy.fft.ifft(values, axis=dim) * n if inverse else numpy.fft.fft(values, axis=dim)
    return _tensor(numpy, y, scale, x.dtype)


def _tensor(numpy, y, scale, dtype):
    if scale != 1:
        y = y * scale
    return lampas.from_numpy(numpy.ascontiguousarray(y)).to(dtype)


def _r2c(x, dim, scale):
    dtype = lampas.complex128 if x.dtype is lampas.float64 else lampas.complex64
    half = x.shape[dim] // 2 + 1
    if x.is_meta:
        return _meta(x, dim, half, dtype)
    numpy = _numpy()
    if numpy is None or x.numel() == 0:
        return _c2c(x.to(dtype), dim, False, scale).narrow(dim, 0, half).contiguous()
    return _tensor(numpy, numpy.fft.rfft(x.detach().numpy(), axis=dim), scale, dtype)


def _whole(x, dim, n):
    """The n values of a Hermitian spectrum from its first half; self-conjugate values are made real."""
    mirrored = x.narrow(dim, 1, (n - 1) // 2).flip(dim).conj()
    ends = [0, n // 2] if n % 2 == 0 else [0]
    x = x.clone()
    for end in ends:
        value = x.select(dim, end)
        value.copy_(lampas.complex(value.real, lampas.zeros_like(value.real)))
    return lampas.cat((x, mirrored), dim)


def _c2r(x, dim, n, scale):
    """The real inverse transform (without 1/n) of n // 2 + 1 values, times scale."""
    dtype = lampas.float64 if x.dtype is lampas.complex128 else lampas.float32
    if x.is_meta:
        return _meta(x, dim, n, dtype)
    numpy = _numpy()
    if numpy is None or x.numel() == 0:
        return _c2c(_whole(x, dim, n), dim, True, scale).real.contiguous()
    return _tensor(numpy, numpy.fft.irfft(x.detach().numpy(), n, axis=dim), scale * n, dtype)


def _along(transform, x, dim, inner, *arguments):
    """transform(x, dim, ...); inner: dim becomes the fastest in memory, else the result is row-major."""
    if not inner or dim == x.dim() - 1:
        return transform(x, dim, *arguments)
    return transform(x.movedim(dim, -1), x.dim() - 1, *arguments).movedim(-1, dim)


class FftC2C(Function):
    """complex to complex."""

    @staticmethod
    def forward(ctx, x, dim, inverse, scale, inner):
        ctx.arguments = dim, inverse, scale
        return _along(_c2c, x, dim, inner, inverse, scale)

    @staticmethod
    def backward(ctx, g):
        dim, inverse, scale = ctx.arguments
        return FftC2C.apply(g, dim, not inverse, scale, False), None, None, None, None


class FftR2C(Function):
    """real to the first half of the spectrum."""

    @staticmethod
    def forward(ctx, x, dim, scale, inner):
        ctx.arguments = dim, x.shape[dim], scale
        return _along(_r2c, x, dim, inner, scale)

    @staticmethod
    def backward(ctx, g):
        dim, n, scale = ctx.arguments
        shape = list(g.shape)
        shape[dim] = n - shape[dim]
        zeros = lampas.zeros(shape, dtype=g.dtype, device=g.device)
        return (
            FftC2C.apply(lampas.cat((g, zeros), dim), dim, True, scale, False).real,
            None,
            None,
            None,
        )


class FftC2R(Function):
    """the first half of a Hermitian spectrum to real."""

    @staticmethod
    def forward(ctx, x, dim, n, scale, inner):
        ctx.arguments = dim, n, scale
        return _along(_c2r, x, dim, inner, n, scale)

    @staticmethod
    def backward(ctx, g):
        dim, n, scale = ctx.arguments
        half = FftR2C.apply(g, dim, scale, False)
        # Values with a mirror image act twice.
        weight = lampas.ones(half.shape[dim], dtype=g.dtype, device=g.device)
        weight[1 : (n - 1) // 2 + 1] = 2
        shape = [1] * g.dim()
        shape[dim] = -1
        return half * weight.reshape(shape), None, None, None, None


complex_to_complex = FftC2C.apply
real_to_complex = FftR2C.apply
complex_to_real = FftC2R.apply
