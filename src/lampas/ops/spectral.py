"""Windows under their function names and short-time Fourier transforms. `lampas.fft` is loaded when first used."""

import lampas
from lampas import _core
from lampas.ops.register import composite

Tensor = _core.Tensor


def _windowed(name, make, window_length, periodic, dtype, layout, device, requires_grad):
    dtype = dtype or _core.get_default_dtype()
    if window_length < 0:
        raise RuntimeError(
            f"{name} requires non-negative window_length, got window_length={window_length}"
        )
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    window = make(window_length, sym=not periodic, dtype=lampas.float64)
    return window.to(dtype=dtype, device=device).requires_grad_(requires_grad)


def _named_window(kind, parameters=()):
    name = f"{kind}_window"

    def window(
        window_length, periodic=True, *args, dtype=None, layout=None, device=None, requires_grad=False,
        pin_memory=False, **kwargs,
    ):  # fmt: skip
        from lampas.signal import windows

        values = dict(parameters)
        values.update(zip(values, args))
        for key in kwargs:
            if key not in values:
                raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")
        values.update(kwargs)

        def make(M, **options):
            if kind == "hamming":
                a = [values["alpha"], values["beta"]]
                return windows.general_cosine(M, a=a, **options)
            return getattr(windows, kind)(M, **values, **options)

        return _windowed(name, make, window_length, periodic, dtype, layout, device, requires_grad)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = (
        f"The {kind} window (lampas.signal.windows); periodic: one period, for spectra."
    )
    composite(window, out=False)


for _kind, _parameters in (
    ("hann", {}),
    ("hamming", {"alpha": 0.54, "beta": 0.46}),
    ("blackman", {}),
    ("bartlett", {}),
    ("kaiser", {"beta": 12.0}),
):
    _named_window(_kind, _parameters)


@composite
def range(start=0, end=None, step=1, *, dtype=None, layout=None, device=None, requires_grad=False):
    """start, start + step, ... up to and including `end`; deprecated, use arange."""
    import warnings

    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent "
        "with Python's range builtin. Instead, use torch.arange, which produces values in [start, end).",
        stacklevel=2,
    )
    if end is None:
        start, end = 0, start
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    dtype = dtype or _core.get_default_dtype()
    k = lampas.arange(int((end - start) / step) + 1, dtype=lampas.float64, device=device)
    return (start + k * step).to(dtype).requires_grad_(requires_grad)


def _full_window(name, window, win_length, n_fft, like):
    """The window (ones by default), with zeros on both sides up to n_fft."""
    if window is None:
        window = lampas.ones(win_length, dtype=like, device=None)
    left = (n_fft - win_length) // 2
    if win_length < n_fft:
        window = lampas.constant_pad_nd(window, (left, n_fft - win_length - left), 0)
    return window


def _text(x):
    return f"{x.type()}{list(x.shape)}"


@composite(method=True)
def stft(
    input, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect",
    normalized=False, onesided=None, return_complex=None, align_to_window=None,
):  # fmt: skip
    """The transforms of overlapping pieces of a signal (N,) or (B, N), as (..., frequencies, frames).

    hop_length: between frames, default n_fft // 4. win_length: default n_fft. center: frame t is
    centred at t * hop_length, the ends padded by `pad_mode`. onesided: half of the spectrum (default
    for real data). return_complex: must be given; False gives a last dimension (real, imaginary).
    """
    import lampas.fft
    import lampas.nn.functional

    real = not input.is_complex() and (window is None or not window.is_complex())
    given = None if onesided is None else int(onesided)
    onesided = real if onesided is None else onesided
    if return_complex is None:
        if real:
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs, and will further "
                "require that return_complex=True in a future PyTorch release."
            )
        return_complex = True
    if input.dim() not in (1, 2):
        raise RuntimeError(f"stft({_text(input)}...): expected a 1D or 2D tensor")
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    x = input if input.dim() == 2 else input.unsqueeze(0)
    if center:
        if align_to_window:
            raise RuntimeError("stft align_to_window should only be set when center = false")
        x = lampas.nn.functional.pad(
            x.unsqueeze(1), (n_fft // 2, n_fft // 2), mode=pad_mode
        ).squeeze(1)
    length = x.shape[-1]
    shown = "None" if window is None else f"{window.type()}{{{list(window.shape)}}}"
    head = (
        f"stft({input.type()}{[*input.shape[:-1], length]}, n_fft={n_fft}, hop_length={hop}, "
        f"win_length={width}, window={shown}, normalized={int(normalized)}, onesided={given}, "
        f"return_complex={int(return_complex)}, align_to_window=None) "
    )
    if n_fft <= 0 or n_fft > length:
        raise RuntimeError(f"{head}: expected 0 < n_fft < {length}, but got n_fft={n_fft}")
    if hop <= 0:
        raise RuntimeError(f"{head}: expected hop_length > 0, but got hop_length={hop}")
    if width <= 0 or width > n_fft:
        raise RuntimeError(f"{head}: expected 0 < win_length <= n_fft, but got win_length={width}")
    if window is not None and (window.dim() != 1 or window.shape[0] != width):
        raise RuntimeError(
            f"{head}: expected a 1D window tensor of size equal to win_length={width}, "
            f"but got window with size {list(window.shape)}"
        )
    frames = x.unfold(-1, n_fft, hop)  # (B, frames, n_fft)
    if window is not None or width < n_fft:
        like = input.dtype if not input.is_complex() else None
        frames = frames * _full_window("stft", window, width, n_fft, like)
    norm = "ortho" if normalized else None
    if onesided:
        if frames.is_complex():
            raise RuntimeError("Cannot have onesided output if window or input is complex")
        spectrum = lampas.fft.rfft(frames, dim=-1, norm=norm)
    else:
        spectrum = lampas.fft.fft(frames, dim=-1, norm=norm)
    spectrum = spectrum.transpose(1, 2)
    if input.dim() == 1:
        spectrum = spectrum.squeeze(0)
    return spectrum if return_complex else lampas.view_as_real(spectrum)


def _overlap_add(frames, hop):
    """Frames (B, T, n) laid hop apart and summed: (B, n + hop * (T - 1))."""
    batch, count, n = frames.shape
    device = frames.device
    starts = lampas.arange(count, device=device).unsqueeze(1) * hop
    places = starts + lampas.arange(n, device=device)
    total = lampas.zeros(batch, n + hop * (count - 1), dtype=frames.dtype, device=frames.device)
    return total.index_add(1, places.reshape(-1), frames.reshape(batch, -1))


@composite(method=True)
def istft(
    input, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False,
    onesided=None, length=None, return_complex=False,
):  # fmt: skip
    """The signal with this short-time transform, by least squares (Griffin and Lim 1984)."""
    import lampas.fft

    if not input.is_complex():
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with return_complex=True."
        )
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    x = input if input.dim() == 3 else input.unsqueeze(0)
    onesided = x.shape[1] != n_fft if onesided is None else onesided
    value_type = lampas.float64 if input.dtype is lampas.complex128 else lampas.float32
    window = _full_window("istft", window, width, n_fft, value_type)
    x = x.transpose(1, 2)
    norm = "ortho" if normalized else None
    if return_complex:
        frames = lampas.fft.ifft(x, n_fft, -1, norm)
    else:
        frames = lampas.fft.irfft(x if onesided else x[..., : n_fft // 2 + 1], n_fft, -1, norm)
    signal = _overlap_add(frames * window, hop)
    weight = _overlap_add((window * window).expand(1, x.shape[1], n_fft), hop)
    start = n_fft // 2 if center else 0
    stop = start + length if length is not None else weight.shape[1] - start
    signal, weight = signal[:, start:stop], weight[:, start:stop]
    if signal.numel() and float(weight.abs().min()) < 1e-11:
        raise RuntimeError(
            f"istft({_text(input)}, n_fft={n_fft}, hop_length={hop}, win_length={width}) window overlap add min: 1"
        )
    y = signal / weight
    if length is not None and y.shape[1] < length:
        y = lampas.constant_pad_nd(y, (0, length - y.shape[1]), 0)
    return y.squeeze(0) if input.dim() == 2 else y
