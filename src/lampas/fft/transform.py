"""The transforms with their gradients; the adjoint of each is another one of them.

NumPy computes them where it is installed; otherwise a product with the matrix of exponentials does.
"""

import functools
import math

import lampas
from lampas import _core
from lampas.autograd.function import Function


@functools.lru_cache(maxsize=1)
def _numpy():
    try:
        import numpy
    except ImportError:
        return None
    return numpy


# --- numbers: over the last `count` dimensions, row-major results ---


def _wave(n, inverse, device):
    """exp(-+2 pi i jk / n) as a complex128 matrix; jk is reduced mod n, so that the angle stays exact."""
    k = lampas.arange(n, device=device)
    angle = (k.unsqueeze(1) * k % n).double() * (2 * math.pi / n)
    return lampas.complex(angle.cos(), angle.sin() if inverse else -angle.sin())


def _meta(x, n, dtype):
    return lampas.empty((*x.shape[:-1], n), dtype=dtype, device="meta")


def _by_products(x, count, inverse, scale):
    y = x.to(lampas.complex128)
    for dim in range(x.dim() - count, x.dim()):
        wave = _wave(x.shape[dim], inverse, x.device)
        y = (y.movedim(dim, -1) @ wave).movedim(-1, dim)
    return (y * scale).to(x.dtype).contiguous()


def _c2c(x, count, inverse, scale):
    """sum_j x_j exp(-+2 pi i jk / n), times scale."""
    if x.is_meta or x.numel() == 0:
        return x.clone(memory_format=lampas.contiguous_format)
    numpy = _numpy()
    if numpy is None:
        return _by_products(x, count, inverse, scale)
    axes = tuple(range(x.dim() - count, x.dim()))
    if inverse:
        y = numpy.fft.ifftn(x.detach().numpy(), axes=axes, norm="forward")
    else:
        y = numpy.fft.fftn(x.detach().numpy(), axes=axes)
    return _tensor(numpy, y, scale, x.dtype)


def _tensor(numpy, y, scale, dtype):
    if scale != 1:
        y = y * scale
    return lampas.from_numpy(numpy.ascontiguousarray(y)).to(dtype)


def _r2c(x, count, scale):
    dtype = lampas.complex128 if x.dtype is lampas.float64 else lampas.complex64
    half = x.shape[-1] // 2 + 1
    if x.is_meta:
        return _meta(x, half, dtype)
    numpy = _numpy()
    if numpy is None or x.numel() == 0:
        return _c2c(x.to(dtype), count, False, scale).narrow(-1, 0, half).contiguous()
    axes = tuple(range(x.dim() - count, x.dim()))
    return _tensor(numpy, numpy.fft.rfftn(x.detach().numpy(), axes=axes), scale, dtype)


def _whole(x, n):
    """The n values of a Hermitian spectrum from its first half; self-conjugate values are made real."""
    mirrored = x.narrow(-1, 1, (n - 1) // 2).flip(-1).conj()
    ends = [0, n // 2] if n % 2 == 0 else [0]
    x = x.clone()
    for end in ends:
        value = x.select(-1, end)
        value.copy_(lampas.complex(value.real, lampas.zeros_like(value.real)))
    return lampas.cat((x, mirrored), -1)


def _c2r(x, n, scale):
    """The real inverse transform (without 1/n) of n // 2 + 1 values, times scale."""
    dtype = lampas.float64 if x.dtype is lampas.complex128 else lampas.float32
    if x.is_meta:
        return _meta(x, n, dtype)
    numpy = _numpy()
    if numpy is None or x.numel() == 0:
        return _c2c(_whole(x, n), 1, True, scale).real.contiguous()
    y = numpy.fft.irfft(x.detach().numpy(), n, axis=-1, norm="forward")
    return _tensor(numpy, y, scale, dtype)


# --- memory ---


def by_stride(x, dims):
    """The dimensions, slowest in memory first."""
    return sorted(dims, key=lambda d: -x.stride(d))


def _placed(transform, x, dims, *arguments):
    """transform over `dims`; the result lies as PyTorch's does: other dimensions, then `dims`. On the host."""
    if x.is_cuda:
        _core._cuda_warn_of_fallback("fft")
        return _placed(transform, x.cpu(), dims, *arguments).to(x.device)
    order = by_stride(x, [d for d in range(x.dim()) if d not in dims]) + list(dims)
    y = transform(x.permute(order), *arguments)
    return y.permute([order.index(d) for d in range(x.dim())])


class FftC2C(Function):
    """Complex to complex, over several dimensions."""

    node_name = "FftC2CBackward0"

    @staticmethod
    def forward(ctx, x, dims, inverse, scale):
        ctx.arguments = dims, inverse, scale
        return _placed(_c2c, x, dims, len(dims), inverse, scale)

    @staticmethod
    def backward(ctx, g):
        dims, inverse, scale = ctx.arguments
        return FftC2C.apply(g, dims, not inverse, scale), None, None, None


class FftR2C(Function):
    """Real to the first half (along the last of `dims`) of the spectrum."""

    node_name = "FftR2CBackward0"

    @staticmethod
    def forward(ctx, x, dims, scale):
        ctx.arguments = dims, x.shape[dims[-1]], scale
        return _placed(_r2c, x, dims, len(dims), scale)

    @staticmethod
    def backward(ctx, g):
        dims, n, scale = ctx.arguments
        shape = list(g.shape)
        shape[dims[-1]] = n - shape[dims[-1]]
        zeros = lampas.zeros(shape, dtype=g.dtype, device=g.device)
        spectrum = lampas.cat((g, zeros), dims[-1])
        return FftC2C.apply(spectrum, dims, True, scale).real, None, None


class FftC2R(Function):
    """The first half of a Hermitian spectrum to real, over one dimension."""

    node_name = "FftC2RBackward0"

    @staticmethod
    def forward(ctx, x, dim, n, scale):
        ctx.arguments = dim, n, scale
        return _placed(_c2r, x, [dim], n, scale)

    @staticmethod
    def backward(ctx, g):
        dim, n, scale = ctx.arguments
        half = FftR2C.apply(g, [dim], scale)
        # Values with a mirror image act twice.
        weight = lampas.ones(half.shape[dim], dtype=g.dtype, device=g.device)
        weight[1 : (n - 1) // 2 + 1] = 2
        shape = [1] * g.dim()
        shape[dim] = -1
        return half * weight.reshape(shape), None, None, None


complex_to_complex = FftC2C.apply
real_to_complex = FftR2C.apply
complex_to_real = FftC2R.apply
