"""`torch._C`: the few names of PyTorch's private core that packages reach for.

Everything else is missing here, since it describes an engine that is not this one.
"""

import contextlib

import lampas
from lampas import _core, overrides, unavailable

Size, dtype, device, layout, memory_format = (
    _core.Size, _core.dtype, _core.device, _core.layout, _core.memory_format,
)  # fmt: skip
TensorBase = _TensorBase = _core.Tensor
_TensorMeta = type(_core.Tensor)
Generator = lampas.Generator
_VariableFunctions = _VariableFunctionsClass = lampas
_EngineBase = object
_has_torch_function = overrides.has_torch_function
_has_torch_function_unary = overrides.has_torch_function_unary
_has_torch_function_variadic = overrides.has_torch_function_variadic
_has_mps = _has_mkldnn = _has_cuda = has_openmp = False
has_mkl = has_lapack = True


def _answer(name, value):
    globals()[name] = unavailable.answering(f"torch._C.{name}", value)


# Questions about tracing, TorchScript's switches and modes of dispatch: none is ever on.
_answer("_get_tracing_state", None)
_answer("_get_privateuse1_backend_name", "privateuseone")
for _name in (
    "_jit_can_fuse_on_cpu _jit_can_fuse_on_gpu _are_functorch_transforms_active _is_tracing "
    "_jit_set_profiling_executor _jit_set_profiling_mode _jit_set_texpr_fuser_enabled "
    "_jit_override_can_fuse_on_cpu _jit_override_can_fuse_on_gpu _jit_set_nvfuser_enabled "
    "_jit_set_nvfuser_guard_mode _jit_texpr_fuser_enabled _cuda_isInBadFork"
).split():
    _answer(_name, False)
for _name in "_log_api_usage_once _set_math_sdp_allow_fp16_bf16_reduction _debug_only".split():
    _answer(_name, None)
globals().update(
    unavailable.names("torch._C", types="Graph Value Node Block DispatchKeySet ScriptModule")
)
IODescriptor = unavailable.type_("torch._C.IODescriptor")


def _get_default_device():
    """The type of the device on which tensors are made: "cpu"."""
    return str(lampas.get_default_device())


def _get_accelerator():
    """The device of the accelerator, or of the CPU without one."""
    return _core.device("cpu")


def _is_torch_function_enabled():
    """Whether types take calls over now."""
    return _core._torch_function() == 0


_disabled_torch_function_impl = _core._disabled_torch_function_impl
DisableTorchFunctionSubclass = overrides.DisableTorchFunctionSubclass
DisableTorchFunction = overrides.DisableTorchFunction
_DisableTorchDispatch = contextlib.nullcontext


class _nn:
    """Functions that PyTorch's modules call in its core."""

    @staticmethod
    def _parse_to(*args, **kwargs):
        """(device, dtype, non_blocking, memory_format) of the arguments of `Module.to`."""
        from lampas.nn.modules import _conversion

        return _conversion.arguments(args, kwargs)


class _Space:
    """`torch._C._linalg` and its like: the functions of a namespace, also by their private names."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        space = getattr(lampas, self._name)
        return getattr(space, name.removeprefix(f"{self._name}_"))


_linalg, _fft, _special = _Space("linalg"), _Space("fft"), _Space("special")
