"""Discrete Fourier transforms. One-dimensional transforms and their gradients: `transform`."""

import math

import lampas
from lampas import _core
from lampas.fft.transform import (
    by_stride,
    complex_to_complex,
    complex_to_real,
    real_to_complex,
)
from lampas.ops.register import NAMESPACES, composite

__all__ = [
    "fft", "ifft", "fft2", "ifft2", "fftn", "ifftn", "rfft", "irfft", "rfft2", "irfft2", "rfftn", "irfftn",
    "hfft", "ihfft", "hfft2", "ihfft2", "hfftn", "ihfftn", "fftfreq", "rfftfreq", "fftshift", "ifftshift",
]  # fmt: skip


def _scale(norm, inverse, count):
    """The factor of the result: `norm` says which direction is divided by the number of points."""
    if norm not in (None, "backward", "forward", "ortho"):
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    if norm == "ortho":
        return count**-0.5
    return 1.0 / count if inverse != (norm == "forward") else 1.0


def _check_length(n):
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")


def _floating(x, name, real_only=False):
    if real_only and x.is_complex():
        raise RuntimeError(f"{name} expects a real input tensor, but got {_label(x)}")
    if x.dtype is lampas.bfloat16 or (x.dtype is lampas.float16 and not x.is_cuda):
        raise RuntimeError(f"Unsupported dtype {_label(x)}")
    if not (x.is_floating_point() or x.is_complex()):
        x = x.to(_core.get_default_dtype())
    return x


def _label(x):
    return x.type().rpartition(".")[2].removesuffix("Tensor")


def _complex(x, name):
    x = _floating(x, name)
    if x.is_complex():
        return x
    return x.to(lampas.complex128 if x.dtype is lampas.float64 else lampas.complex64)


def _wrap(x, dim):
    if x.dim() == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    if not -x.dim() <= dim < x.dim():
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-x.dim()}, {x.dim() - 1}], "
            f"but got {dim})"
        )
    return dim % x.dim()


def _sized(x, n, dim):
    """x with n points along dim: cut, or followed by zeros."""
    size = x.shape[dim]
    if n < size:
        return x.narrow(dim, 0, n)
    if n > size:
        shape = list(x.shape)
        shape[dim] = n - size
        return lampas.cat((x, lampas.zeros(shape, dtype=x.dtype, device=x.device)), dim)
    return x


# --- one dimension ---


def _c2c(name, x, n, dim, norm, inverse):
    x = _complex(x, name)
    dim = _wrap(x, dim)
    n = x.shape[dim] if n is None else n
    _check_length(n)
    return complex_to_complex(_sized(x, n, dim), [dim], inverse, _scale(norm, inverse, n))


def _r2c(name, x, n, dim, norm, inverse):
    x = _floating(x, name, real_only=True)
    dim = _wrap(x, dim)
    n = x.shape[dim] if n is None else n
    _check_length(n)
    y = real_to_complex(_sized(x, n, dim), [dim], _scale(norm, inverse, n))
    return y.conj() if inverse else y


def _c2r(name, x, n, dim, norm, inverse):
    x = _complex(x, name)
    dim = _wrap(x, dim)
    n = 2 * (x.shape[dim] - 1) if n is None else n
    _check_length(n)
    x = _sized(x, n // 2 + 1, dim)
    return complex_to_real(x if inverse else x.conj(), dim, n, _scale(norm, inverse, n))


@composite(namespace="fft", out=True)
def fft(input, n=None, dim=-1, norm=None):
    """sum_j x_j exp(-2 pi i jk / n). n: points used (cut or padded). norm: "backward", "ortho", "forward"."""
    return _c2c("fft", input, n, dim, norm, False)


@composite(namespace="fft", out=True)
def ifft(input, n=None, dim=-1, norm=None):
    """The inverse of fft."""
    return _c2c("ifft", input, n, dim, norm, True)


@composite(namespace="fft", out=True)
def rfft(input, n=None, dim=-1, norm=None):
    """The n // 2 + 1 first values of the transform of real numbers."""
    return _r2c("rfft", input, n, dim, norm, False)


@composite(namespace="fft", out=True)
def irfft(input, n=None, dim=-1, norm=None):
    """The inverse of rfft: n (default 2 (m - 1)) real numbers."""
    return _c2r("irfft", input, n, dim, norm, True)


@composite(namespace="fft", out=True)
def hfft(input, n=None, dim=-1, norm=None):
    """The real transform of a Hermitian signal given by its first half."""
    return _c2r("hfft", input, n, dim, norm, False)


@composite(namespace="fft", out=True)
def ihfft(input, n=None, dim=-1, norm=None):
    """The inverse of hfft: half of a Hermitian signal."""
    return _r2c("ihfft", input, n, dim, norm, True)


# --- several dimensions ---


def _axes(x, s, dim, half=False):
    """(dims, sizes): sizes of -1 and missing ones are those of x (of the half spectrum: 2 (m - 1))."""
    if x.dim() == 0 and (dim is not None or s is not None):
        _wrap(x, dim[0] if isinstance(dim, (tuple, list)) and dim else dim or 0)
    if isinstance(s, int):
        s = (s,)
    if isinstance(dim, int):
        dim = (dim,)
    if dim is None:
        if s is not None and len(s) > x.dim():
            raise RuntimeError(
                f"Got shape with {len(s)} values but input tensor only has {x.dim()} dimensions."
            )
        dim = range(x.dim()) if s is None else range(x.dim() - len(s), x.dim())
    dims = [_wrap(x, d) for d in dim]
    if len(set(dims)) < len(dims):
        raise RuntimeError("FFT dims must be unique")
    if s is not None and len(s) != len(dims):
        raise RuntimeError("When given, dim and shape arguments must have the same length")
    sizes = [-1] * len(dims) if s is None else list(s)
    for i, n in enumerate(sizes):
        if n == -1:
            last = half and i == len(sizes) - 1
            sizes[i] = 2 * (x.shape[dims[i]] - 1) if last else x.shape[dims[i]]
        _check_length(sizes[i])
    return dims, sizes


def _resized(x, dims, sizes):
    for d, n in zip(dims, sizes):
        x = _sized(x, n, d)
    return x


def _c2c_over(x, dims, sizes, norm, inverse):
    x = _resized(x, dims, sizes)
    scale = _scale(norm, inverse, math.prod(sizes))
    return complex_to_complex(x, by_stride(x, dims), inverse, scale) if dims else x


def _c2cn(name, x, s, dim, norm, inverse):
    x = _complex(x, name)
    dims, sizes = _axes(x, s, dim)
    return _c2c_over(x, dims, sizes, norm, inverse)


def _r2cn(name, x, s, dim, norm, inverse):
    x = _floating(x, name, real_only=True)
    dims, sizes = _axes(x, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    x = _resized(x, dims, sizes)
    if not inverse:
        order = [*by_stride(x, dims[:-1]), dims[-1]]
        return real_to_complex(x, order, _scale(norm, inverse, math.prod(sizes)))
    half = _r2c(name, x, None, dims[-1], norm, inverse)
    return _c2c_over(half, dims[:-1], sizes[:-1], norm, inverse)


def _c2rn(name, x, s, dim, norm, inverse):
    x = _complex(x, name)
    dims, sizes = _axes(x, s, dim, half=True)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    x = _c2c_over(x, dims[:-1], sizes[:-1], norm, inverse)
    return _c2r(name, x, sizes[-1], dims[-1], norm, inverse)


def _several(transform, name, inverse, like):
    def over_all(input, s=None, dim=None, norm=None):
        return transform(f"{name}n", input, s, dim, norm, inverse)

    def over_two(input, s=None, dim=(-2, -1), norm=None):
        return transform(f"{name}2", input, s, dim, norm, inverse)

    for function, suffix, where in (
        (over_all, "n", "all dimensions"),
        (over_two, "2", "two dimensions"),
    ):
        function.__name__ = function.__qualname__ = name + suffix
        function.__doc__ = f"{like} over {where} (`dim`), of sizes `s`."
        composite(function, namespace="fft", out=True)


_several(_c2cn, "fft", False, "fft")
_several(_c2cn, "ifft", True, "ifft")
_several(_r2cn, "rfft", False, "rfft of the last, then fft,")
_several(_c2rn, "irfft", True, "The inverse of rfftn")
_several(_c2rn, "hfft", False, "fft, then hfft of the last,")
_several(_r2cn, "ihfft", True, "The inverse of hfftn")
globals().update(NAMESPACES["fft"])


# --- frequencies and shifts ---


@composite(namespace="fft", out=True)
def fftfreq(n, d=1.0, *, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of fft's values: 0, 1, ..., -2, -1 over n d."""
    k = lampas.arange(n, dtype=dtype or _core.get_default_dtype(), device=device)
    k = lampas.where(k >= (n + 1) // 2, k - n, k)
    return (k * (1.0 / (n * d))).requires_grad_(requires_grad)


@composite(namespace="fft", out=True)
def rfftfreq(n, d=1.0, *, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of rfft's values: 0, 1, ..., n // 2 over n d."""
    k = lampas.arange(n // 2 + 1, dtype=dtype or _core.get_default_dtype(), device=device)
    return (k * (1.0 / (n * d))).requires_grad_(requires_grad)


def _shift(x, dim, by):
    dims = range(x.dim()) if dim is None else (dim,) if isinstance(dim, int) else dim
    dims = tuple(dims)
    return x.roll([by(x.shape[d]) for d in dims], dims) if dims else x.clone()


@composite(namespace="fft")
def fftshift(input, dim=None):
    """Frequency zero moved to the middle."""
    return _shift(input, dim, lambda n: n // 2)


@composite(namespace="fft")
def ifftshift(input, dim=None):
    """The inverse of fftshift."""
    return _shift(input, dim, lambda n: (n + 1) // 2)
