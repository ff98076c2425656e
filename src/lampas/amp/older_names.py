"""`torch.cpu.amp` and `torch.cuda.amp`: the older names of `torch.amp`, which warn and fix the device."""

import warnings

import lampas.amp
from lampas import _core


def _deprecated(device, name):
    given = f"'{device}', args..." if name[0] in "aG" else f"args..., device_type='{device}'"
    warnings.warn(
        f"`torch.{device}.amp.{name}(args...)` is deprecated. "
        f"Please use `torch.amp.{name}({given})` instead.",
        FutureWarning,
        stacklevel=3,
    )


def names(device):
    """The names for one kind of device, as a dict to update a module's globals with."""
    half = _core.bfloat16 if device == "cpu" else _core.float16

    class autocast(lampas.amp.autocast):
        __doc__ = f"As `torch.amp.autocast({device!r}, ...)`; warns that it is deprecated."

        def __init__(self, enabled=True, dtype=half, cache_enabled=True):
            _deprecated(device, "autocast")
            super().__init__(device, enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)

    class GradScaler(lampas.amp.GradScaler):
        __doc__ = f"As `torch.amp.GradScaler({device!r}, ...)`; warns that it is deprecated."

        def __init__(self, init_scale=2.0**16, growth_factor=2.0, backoff_factor=0.5,
                     growth_interval=2000, enabled=True):  # fmt: skip
            _deprecated(device, "GradScaler")
            super().__init__(
                device, init_scale, growth_factor, backoff_factor, growth_interval, enabled
            )

    def custom_fwd(fwd=None, *, cast_inputs=None):
        """As `torch.amp.custom_fwd`, with this device; warns that it is deprecated."""
        _deprecated(device, "custom_fwd")
        return lampas.amp.custom_fwd(fwd, device_type=device, cast_inputs=cast_inputs)

    def custom_bwd(bwd):
        """As `torch.amp.custom_bwd`, with this device; warns that it is deprecated."""
        _deprecated(device, "custom_bwd")
        return lampas.amp.custom_bwd(bwd, device_type=device)

    made = {"autocast": autocast, "GradScaler": GradScaler}
    if device == "cuda":
        made.update(custom_fwd=custom_fwd, custom_bwd=custom_bwd)
    for name, value in made.items():
        value.__module__, value.__qualname__ = f"lampas.{device}.amp", name
    return made
