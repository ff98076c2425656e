"""The switches of mixed precision under the names of the top namespace: those of the CPU and of CUDA."""

from lampas import _core
from lampas.amp import _DEVICES
from lampas.ops.register import composite

_dtypes = {"cpu": _core.bfloat16, "xla": _core.bfloat16}  # float16 elsewhere
KINDS = ("cpu", "cuda")  # that can be switched on
_state = {"nesting": 0, "cache": True, "policies": False}


def switch(kind, enabled, dtype):
    """Turns the autocast of a kind of device on or off; gives (kind, enabled, dtype) before."""
    if enabled and not _state["policies"]:
        from lampas.amp import policies

        policies.install()
        _state["policies"] = True
    return _core._set_autocast(kind, bool(enabled), dtype)


def _kind(device_type):
    if device_type in _DEVICES:
        return device_type
    return _core.device(device_type).type  # refuses unknown kinds


@composite
def is_autocast_enabled(device_type="cuda"):
    """Whether autocast is on for a kind of device."""
    kind = _kind(device_type)
    return kind in KINDS and _core._autocast_enabled(kind)


@composite
def set_autocast_enabled(device_type, enabled=None):
    """set_autocast_enabled(False), or for one kind of device.

    NotImplementedError for True but on the CPU and CUDA.
    """
    if enabled is None:
        device_type, enabled = "cuda", device_type
    kind = _kind(device_type)
    if kind in KINDS:
        switch(kind, enabled, get_autocast_dtype(kind))
    elif enabled:
        raise NotImplementedError(f"set_autocast_enabled({_kind(device_type)!r}, True)")


@composite
def get_autocast_dtype(device_type):
    """The lower precision: bfloat16 on the CPU, float16 elsewhere, until set_autocast_dtype."""
    return _dtypes.get(_kind(device_type), _core.float16)


@composite
def set_autocast_dtype(device_type, dtype):
    """Chooses the lower precision of a kind of device."""
    if not isinstance(dtype, _core.dtype):
        raise TypeError(
            "set_autocast_dtype(): argument 'dtype' (position 2) must be torch.dtype, not "
            f"{type(dtype).__name__}"
        )
    kind = _kind(device_type)
    _dtypes[kind] = dtype
    if kind in KINDS and _core._autocast_enabled(kind):
        switch(kind, True, dtype)


@composite
def autocast_increment_nesting():
    """How many contexts are open, with one more."""
    _state["nesting"] += 1
    return _state["nesting"]


@composite
def autocast_decrement_nesting():
    """How many contexts are open, with one less."""
    _state["nesting"] -= 1
    return _state["nesting"]


@composite
def clear_autocast_cache():
    """Nothing: no converted weights are kept."""


@composite
def is_autocast_cache_enabled():
    """What set_autocast_cache_enabled was given; True at first."""
    return _state["cache"]


@composite
def set_autocast_cache_enabled(enabled):
    """Noted only."""
    _state["cache"] = bool(enabled)


def _for_kind(kind, short):
    """The older functions for one kind of device."""

    def enabled():
        if kind == "cpu":
            import warnings

            warnings.warn(
                "torch.is_autocast_cpu_enabled() is deprecated. Please use "
                "torch.is_autocast_enabled('cpu') instead.",
                DeprecationWarning,
                stacklevel=2,
            )
        return is_autocast_enabled(kind)

    def set_enabled(enabled):
        set_autocast_enabled(kind, enabled)

    def get_dtype():
        import warnings

        warnings.warn(
            f"torch.get_autocast_{short}_dtype() is deprecated. Please use "
            f"torch.get_autocast_dtype('{kind}') instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return get_autocast_dtype(kind)

    def set_dtype(dtype):
        set_autocast_dtype(kind, dtype)

    for pattern, function in (
        ("is_autocast_{}_enabled", enabled), ("set_autocast_{}_enabled", set_enabled),
        ("get_autocast_{}_dtype", get_dtype), ("set_autocast_{}_dtype", set_dtype),
    ):  # fmt: skip
        function.__name__ = function.__qualname__ = pattern.format(short)
        function.__doc__ = f"As the function without {short}, for {kind}."
        globals()[function.__name__] = composite(function)


for _short, _of in (("cpu", "cpu"), ("ipu", "ipu"), ("xla", "xla"), ("gpu", "cuda")):
    _for_kind(_of, _short)
