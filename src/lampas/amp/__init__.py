"""Mixed precision. Only disabled contexts and a disabled GradScaler are offered; see `autocast`."""

import functools

from lampas.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
_DEVICES = ("cpu", "cuda", "mps", "xpu", "hpu", "mtia", "maia", "xla", "ipu")


def is_autocast_available(device_type):
    """Whether the device type knows mixed precision."""
    return device_type in _DEVICES


class autocast:
    """Context or decorator: operators choose their precision. `enabled=False` (or no such device) does nothing.

    Raises NotImplementedError when it is entered enabled for a device that is there.
    """

    def __init__(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if device_type not in _DEVICES:
            raise RuntimeError(
                f"User specified an unsupported autocast device_type '{device_type}'"
            )
        self.device, self.fast_dtype, self._cache_enabled = device_type, dtype, cache_enabled
        if enabled and device_type == "cuda":
            import warnings

            warnings.warn(
                "User provided device_type of 'cuda', but CUDA is not available. Disabling",
                stacklevel=2,
            )
            enabled = False
        self._enabled = bool(enabled)

    def __enter__(self):
        if self._enabled:
            raise NotImplementedError(f"autocast(device_type={self.device!r}, enabled=True)")
        return self

    def __exit__(self, *_):
        return False

    def __call__(self, function):
        @functools.wraps(function)
        def within(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return within


def custom_fwd(fwd=None, *, device_type="cuda", cast_inputs=None):
    """Decorator for the forward of an autograd.Function; without mixed precision it changes nothing."""
    return functools.partial(custom_fwd, device_type=device_type) if fwd is None else fwd


def custom_bwd(bwd=None, *, device_type="cuda"):
    """Decorator for the backward of an autograd.Function; without mixed precision it changes nothing."""
    return functools.partial(custom_bwd, device_type=device_type) if bwd is None else bwd
