"""Mixed precision: `autocast` on the CPU and on CUDA, and the gradient scaler.

The switches are in `state`, the operators' policies in `policies`.
"""

import functools

from lampas import _core
from lampas.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
_LOWER_DTYPES = (_core.bfloat16, _core.float16)
_DEVICES = ("cpu", "cuda", "mps", "xpu", "hpu", "mtia", "maia", "xla", "ipu")


def is_autocast_available(device_type):
    """Whether the device type knows mixed precision."""
    return device_type in _DEVICES


class autocast:
    """Context or decorator: operators choose their precision.

    Matrix products, convolutions and recurrent layers take float32 arguments as `dtype`: bfloat16 or float16, by
    default the first on the CPU, the second on CUDA. Losses take 16-bit ones as float32, and on CUDA so do sums,
    powers, exponentials and norms. Other devices are not there, so nothing changes for them.

    Raises RuntimeError for bfloat16 on a GPU that lacks it.
    """

    def __init__(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if device_type not in _DEVICES:
            raise RuntimeError(
                f"User specified an unsupported autocast device_type '{device_type}'"
            )
        from lampas.amp import state

        if enabled and device_type == "cuda" and not _cuda().is_available():
            _warn("CUDA is not available or torch_xla is imported. Disabling autocast.")
            enabled = False
        self.device, self._cache_enabled, self._before = device_type, cache_enabled, []
        self.fast_dtype = state.get_autocast_dtype(device_type) if dtype is None else dtype
        if enabled and device_type in state.KINDS and self.fast_dtype not in _LOWER_DTYPES:
            name = device_type.upper()
            _warn(
                f"In {name} autocast, but the target dtype is not supported. Disabling autocast.\n"
                f"{name} Autocast only supports dtypes of torch.bfloat16, torch.float16 currently.",
            )
            enabled = False
        if enabled and device_type == "cuda" and self.fast_dtype is _core.bfloat16:
            if not _cuda().is_bf16_supported():
                raise RuntimeError(
                    "Current CUDA Device does not support bfloat16. Please switch dtype to float16."
                )
        self._enabled = bool(enabled)

    def __enter__(self):
        from lampas.amp import state

        if self.device not in state.KINDS:
            if self._enabled:
                raise NotImplementedError(f"autocast(device_type={self.device!r}, enabled=True)")
            return self
        self._before.append(state.switch(self.device, self._enabled, self.fast_dtype))
        return self

    def __exit__(self, *_):
        if self._before:
            _core._set_autocast(*self._before.pop())
        return False

    def __call__(self, function):
        @functools.wraps(function)
        def within(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return within


def _cuda():
    from lampas import cuda

    return cuda


def _warn(text):
    import warnings

    warnings.warn(text, stacklevel=3)


def custom_fwd(fwd=None, *, device_type, cast_inputs=None):
    """Decorator for the forward of an autograd.Function: its backward will run as the forward did.

    cast_inputs: under autocast, floating inputs are cast to this dtype and autocast is off inside.
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    from lampas.amp import state

    @functools.wraps(fwd)
    def forward(ctx, *args, **kwargs):
        ctx._dtype = state.get_autocast_dtype(device_type)
        ctx._fwd_used_autocast = state.is_autocast_enabled(device_type)
        if cast_inputs is None or not ctx._fwd_used_autocast:
            return fwd(ctx, *args, **kwargs)
        ctx._fwd_used_autocast = False
        with autocast(device_type, enabled=False):
            return fwd(ctx, *_cast(args, cast_inputs), **_cast(kwargs, cast_inputs))

    return forward


def custom_bwd(bwd=None, *, device_type):
    """Decorator for the backward of an autograd.Function whose forward has `custom_fwd`."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(ctx, *args, **kwargs):
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return bwd(ctx, *args, **kwargs)

    return backward


def _cast(value, dtype):
    """Floating tensors inside containers as `dtype`; float64 stays."""
    if isinstance(value, _core.Tensor):
        lowered = value.is_floating_point() and value.dtype is not _core.float64
        return value.to(dtype) if lowered else value
    if isinstance(value, dict):
        return {key: _cast(entry, dtype) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_cast(entry, dtype) for entry in value)
    return value
