"""The older names of mixed precision on the CPU."""

import warnings

import lampas.amp
from lampas import _core

__all__ = ["GradScaler", "autocast"]


def _deprecated(name):
    warnings.warn(
        f"`torch.cpu.amp.{name}(args...)` is deprecated. "
        f"Please use `torch.amp.{name}('cpu', args...)` instead.",
        FutureWarning,
        stacklevel=3,
    )


class autocast(lampas.amp.autocast):
    """As `torch.amp.autocast("cpu", ...)`."""

    def __init__(self, enabled=True, dtype=_core.bfloat16, cache_enabled=True):
        _deprecated("autocast")
        super().__init__("cpu", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


class GradScaler(lampas.amp.GradScaler):
    """As `torch.amp.GradScaler("cpu", ...)`."""

    def __init__(
        self,
        init_scale=2.0**16,
        growth_factor=2.0,
        backoff_factor=0.5,
        growth_interval=2000,
        enabled=True,
    ):
        _deprecated("GradScaler")
        super().__init__("cpu", init_scale, growth_factor, backoff_factor, growth_interval, enabled)
