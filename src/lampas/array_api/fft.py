"""The extension `fft`: Fourier transforms under the standard's names of their arguments."""

import lampas


def _one(name):
    transform = getattr(lampas.fft, name)

    def function(x, /, *, n=None, axis=-1, norm="backward"):
        return transform(x, n, axis, norm)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`lampas.fft.{name}` along `axis`."
    return function


def _several(name):
    transform = getattr(lampas.fft, name)

    def function(x, /, *, s=None, axes=None, norm="backward"):
        return transform(x, s, axes, norm)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`lampas.fft.{name}` along `axes`."
    return function


for _name in "fft ifft rfft irfft hfft ihfft".split():
    globals()[_name] = _one(_name)
for _name in "fftn ifftn rfftn irfftn".split():
    globals()[_name] = _several(_name)


def fftfreq(n, /, *, d=1.0, dtype=None, device=None):
    """The frequencies of `fft`."""
    return lampas.fft.fftfreq(n, d, dtype=dtype, device=device)


def rfftfreq(n, /, *, d=1.0, dtype=None, device=None):
    """The frequencies of `rfft`."""
    return lampas.fft.rfftfreq(n, d, dtype=dtype, device=device)


def fftshift(x, /, *, axes=None):
    """Frequency zero moved to the middle."""
    return lampas.fft.fftshift(x, axes)


def ifftshift(x, /, *, axes=None):
    """Frequency zero moved back to the front."""
    return lampas.fft.ifftshift(x, axes)
