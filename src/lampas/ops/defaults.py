"""Settings of the whole process: default type and device, determinism, precision of matrix products."""

import importlib
import warnings

from lampas import _core
from lampas.ops import creation
from lampas.ops.register import FUNCTIONS, composite

_state = {
    "deterministic": False, "warn_only": False, "fill": True, "precision": "highest", "warn_always": False,
    "interop": 1, "device": None, "warned_of_tensor_type": False,
}  # fmt: skip


@composite
def set_default_dtype(d):
    """Sets the type of floating-point results made from Python numbers: a floating-point dtype."""
    if not isinstance(d, _core.dtype):
        raise TypeError(
            "invalid dtype object: only floating-point types are supported as the default type"
        )
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _core.set_default_dtype(d)


@composite
def set_default_tensor_type(t):
    """Sets the default type by a tensor type or its name: "torch.DoubleTensor". Deprecated."""
    if _state["warn_always"] or not _state["warned_of_tensor_type"]:
        _state["warned_of_tensor_type"] = True
        warnings.warn(
            "torch.set_default_tensor_type() is deprecated as of PyTorch 2.1, please use "
            "torch.set_default_dtype() and torch.set_default_device() as alternatives."
        )
    if isinstance(t, str):
        space, _, name = t.rpartition(".")
        if space == "torch.cuda":
            raise TypeError(f"type {t} not available. Torch not compiled with CUDA enabled.")
        module = "lampas" if space == "torch" else space or name
        t = getattr(importlib.import_module(module), name)
    if not isinstance(t, type) or not isinstance(getattr(t, "dtype", None), _core.dtype):
        raise TypeError(
            "invalid type object: only floating-point types are supported as the default type"
        )
    if not t.dtype.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _core.set_default_dtype(t.dtype)


@composite
def get_default_device():
    """The device on which tensors are made when none is named."""
    return creation._default_devices[-1] if creation._default_devices else _core.device("cpu")


@composite
def set_default_device(device):
    """Sets the device on which tensors are made when none is named. Only the CPU is offered here."""
    if device is not None and _core.device(device).type != "cpu":
        raise NotImplementedError(f"set_default_device: {device}")


@composite
def get_device(input):
    """The index of the tensor's device, -1 on the CPU."""
    return input.get_device()


@composite
def set_flush_denormal(mode):
    """Not offered: returns False, as where the processor cannot do it."""
    return False


@composite
def use_deterministic_algorithms(mode, *, warn_only=False):
    """Kernels of a GPU then avoid orders of summation that vary; on the CPU none varies."""
    _core._switch("deterministic", bool(mode))
    _state["deterministic"], _state["warn_only"] = bool(mode), bool(warn_only)


@composite
def are_deterministic_algorithms_enabled():
    """What use_deterministic_algorithms was given."""
    return _state["deterministic"]


@composite
def is_deterministic_algorithms_warn_only_enabled():
    """What use_deterministic_algorithms was given as warn_only."""
    return _state["warn_only"]


@composite
def set_deterministic_debug_mode(debug_mode):
    """0 "default", 1 "warn" or 2 "error"."""
    names = {"default": 0, "warn": 1, "error": 2}
    if isinstance(debug_mode, str):
        if debug_mode not in names:
            raise RuntimeError(
                f"invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got {debug_mode}"
            )
        debug_mode = names[debug_mode]
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}"
        )
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


@composite
def get_deterministic_debug_mode():
    """0, 1 or 2: see set_deterministic_debug_mode."""
    return 0 if not _state["deterministic"] else 1 if _state["warn_only"] else 2


@composite
def set_float32_matmul_precision(precision):
    """Precision "highest", or "high" and "medium": products on a GPU may use TF32. The CPU's are exact to float32.

    A warning, and no effect, for anything else.
    """
    if precision not in ("highest", "high", "medium"):
        text = (
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current"
            "setFloat32MatmulPrecision call has no effect."
        )
        return warnings.warn(text, stacklevel=2)
    from lampas.backends import cuda

    cuda.matmul.allow_tf32 = precision != "highest"
    _state["precision"] = precision


@composite
def get_float32_matmul_precision():
    """What set_float32_matmul_precision was given, or backends.cuda.matmul.allow_tf32 stands for."""
    if not _core._switch("matmul_tf32"):
        return "highest"
    return "medium" if _state["precision"] == "medium" else "high"


@composite
def set_warn_always(b):
    """Whether warnings come every time instead of once."""
    _state["warn_always"] = bool(b)


@composite
def is_warn_always_enabled():
    """What set_warn_always was given."""
    return _state["warn_always"]


@composite
def set_num_interop_threads(n):
    """Noted only: there is one pool of threads (set_num_threads)."""
    if n <= 0:
        raise RuntimeError("expected positive number of threads")
    _state["interop"] = n


@composite
def get_num_interop_threads():
    """What set_num_interop_threads was given."""
    return _state["interop"]


@composite
def is_distributed(input):
    """False."""
    return False


@composite
def compiled_with_cxx11_abi():
    """True."""
    return True


@composite
def is_vulkan_available():
    """False."""
    return False


_core.Tensor.is_distributed = is_distributed


@composite
def init_num_threads():
    """Nothing: the pool of threads is made when it is first needed."""


@composite
def get_device_module(device=None):
    """`torch.cpu`, `torch.cuda`, ... for a device, its name, or None: the accelerator's, or the CPU's."""
    import importlib

    if device is None:
        kind = "cpu"
    elif isinstance(device, (str, _core.device)):
        kind = _core.device(device).type
    else:
        raise RuntimeError(f"Invalid value of device '{device}', expect torch.device, str, or None")
    try:
        return importlib.import_module(f"lampas.{kind}")
    except ModuleNotFoundError:
        raise RuntimeError(
            f"Device '{device}' does not have a corresponding module registered as 'torch.{kind}'."
        ) from None


FUNCTIONS["legacy_contiguous_format"] = _core.contiguous_format
