"""Window functions of M samples. sym: symmetric, for filters; else one period of a longer one, for spectra.

dtype: float32 or float64, by default the default type. Raises ValueError for other types, and for M < 0.
"""

import math

import lampas

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming",
    "hamming", "hann", "kaiser", "nuttall",
]  # fmt: skip


def _window(name, M, shape, sym, dtype, layout, device, requires_grad):
    """shape(k, last): samples from places k = 0, 1, ... (float64) of a window that ends at `last`."""
    dtype = dtype or lampas.get_default_dtype()
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not lampas.strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if dtype not in (lampas.float32, lampas.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")
    if M == 1:
        samples = lampas.ones(1, dtype=lampas.float64)
    else:
        samples = shape(lampas.arange(M, dtype=lampas.float64), (M - 1 if sym else M) if M else 1)
    return samples.to(dtype=dtype, device=device).requires_grad_(requires_grad)


def bartlett(M, *, sym=True, dtype=None, layout=lampas.strided, device=None, requires_grad=False):
    """A triangle that is zero at both ends."""

    def shape(k, last):
        return 1 - (2 * k / last - 1).abs()

    return _window("bartlett", M, shape, sym, dtype, layout, device, requires_grad)


def cosine(M, *, sym=True, dtype=None, layout=lampas.strided, device=None, requires_grad=False):
    """Half a period of the sine."""

    def shape(k, last):
        return (math.pi / (last + 1) * (k + 0.5)).sin()

    return _window("cosine", M, shape, sym, dtype, layout, device, requires_grad)


def exponential(
    M,
    *,
    center=None,
    tau=1.0,
    sym=True,
    dtype=None,
    layout=lampas.strided,
    device=None,
    requires_grad=False,
):
    """exp(-|k - center| / tau). ValueError for tau <= 0, or a `center` with sym=True."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def shape(k, last):
        return (-(k - (last / 2 if center is None else center)).abs() / tau).exp()

    return _window("exponential", M, shape, sym, dtype, layout, device, requires_grad)


def gaussian(
    M, *, std=1.0, sym=True, dtype=None, layout=lampas.strided, device=None, requires_grad=False
):
    """A bell of standard deviation `std` around the middle. ValueError for std <= 0."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")

    def shape(k, last):
        return (-0.5 * ((k - last / 2) / std) ** 2).exp()

    return _window("gaussian", M, shape, sym, dtype, layout, device, requires_grad)


def kaiser(
    M, *, beta=12.0, sym=True, dtype=None, layout=lampas.strided, device=None, requires_grad=False
):
    """Kaiser's window I0(beta sqrt(1 - t^2)) / I0(beta), -1 <= t <= 1. ValueError for beta < 0."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")

    def shape(k, last):
        t = 2 * k / last - 1
        # Rounding may take 1 - t^2 a little below zero at the ends.
        height = lampas.i0(beta * (1 - t * t).clamp_min(0).sqrt())
        return height / lampas.i0(lampas.tensor(float(beta), dtype=lampas.float64))

    return _window("kaiser", M, shape, sym, dtype, layout, device, requires_grad)


def _cosines(name, M, a, sym, dtype, layout, device, requires_grad):
    if not isinstance(a, (list, tuple)):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")

    def shape(k, last):
        angle = 2 * math.pi * k / last
        return sum((-1) ** i * c * (i * angle).cos() for i, c in enumerate(a))

    return _window(name, M, shape, sym, dtype, layout, device, requires_grad)


def general_cosine(
    M, *, a, sym=True, dtype=None, layout=lampas.strided, device=None, requires_grad=False
):
    """a[0] - a[1] cos(t) + a[2] cos(2t) - ..., t from 0 to 2 pi."""
    return _cosines("general_cosine", M, a, sym, dtype, layout, device, requires_grad)


def general_hamming(
    M, *, alpha=0.54, sym=True, dtype=None, layout=lampas.strided, device=None, requires_grad=False
):
    """alpha - (1 - alpha) cos(t), t from 0 to 2 pi."""
    return _cosines(
        "general_cosine", M, [alpha, 1.0 - alpha], sym, dtype, layout, device, requires_grad
    )


def hamming(M, *, sym=True, dtype=None, layout=lampas.strided, device=None, requires_grad=False):
    """0.54 - 0.46 cos(t)."""
    return _cosines("general_cosine", M, [0.54, 0.46], sym, dtype, layout, device, requires_grad)


def hann(M, *, sym=True, dtype=None, layout=lampas.strided, device=None, requires_grad=False):
    """0.5 - 0.5 cos(t)."""
    return _cosines("general_cosine", M, [0.5, 0.5], sym, dtype, layout, device, requires_grad)


def blackman(M, *, sym=True, dtype=None, layout=lampas.strided, device=None, requires_grad=False):
    """0.42 - 0.5 cos(t) + 0.08 cos(2t)."""
    return _cosines("blackman", M, [0.42, 0.5, 0.08], sym, dtype, layout, device, requires_grad)


def nuttall(M, *, sym=True, dtype=None, layout=lampas.strided, device=None, requires_grad=False):
    """Four cosines with the smallest highest side lobe (Nuttall 1981)."""
    a = [0.3635819, 0.4891775, 0.1365995, 0.0106411]
    return _cosines("general_cosine", M, a, sym, dtype, layout, device, requires_grad)
