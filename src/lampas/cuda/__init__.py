"""`torch.cuda` where there is no CUDA: questions say so, seeds and caches do nothing, real use raises."""

import contextlib

from lampas import _core, hints

has_half = True
has_magma = False
default_generators = ()
_LACKING = (
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver "
    "from http://www.nvidia.com/Download/index.aspx"
)
OutOfMemoryError = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch"})
AcceleratorError = type("AcceleratorError", (RuntimeError,), {"__module__": "torch"})


class CudaError(RuntimeError):
    """An error of the CUDA driver."""


def is_available():
    """False."""
    return False


is_initialized = is_bf16_supported = is_tf32_supported = is_current_stream_capturing = is_available


def device_count():
    """0."""
    return 0


def get_arch_list():
    """No architectures."""
    return []


def _nothing(name):
    def does_nothing(*args, **kwargs):
        return None

    does_nothing.__name__ = does_nothing.__qualname__ = name
    return does_nothing


def _zero(name):
    def none_used(*args, **kwargs):
        return 0

    none_used.__name__ = none_used.__qualname__ = name
    return none_used


def _refusing(name):
    def refuse(*args, **kwargs):
        raise hints.hinted(RuntimeError(_LACKING))

    refuse.__name__ = refuse.__qualname__ = name
    return refuse


for _name in "manual_seed manual_seed_all empty_cache ipc_collect seed seed_all".split():
    globals()[_name] = _nothing(_name)
for _name in (
    "memory_allocated max_memory_allocated memory_reserved max_memory_reserved memory_cached max_memory_cached"
).split():
    globals()[_name] = _zero(_name)
for _name in (
    "init current_device set_device synchronize get_device_name get_device_properties get_device_capability "
    "current_stream default_stream set_stream mem_get_info get_rng_state set_rng_state "
    "initial_seed reset_peak_memory_stats reset_max_memory_allocated can_device_access_peer "
    "memory_summary memory_snapshot utilization temperature power_draw clock_rate list_gpu_processes "
    "set_per_process_memory_fraction cudart current_blas_handle reset_accumulated_memory_stats"
).split():
    globals()[_name] = _refusing(_name)


def get_rng_state_all():
    """The states of the GPUs' generators: none."""
    return []


def set_rng_state_all(new_states):
    """Sets the states of the GPUs' generators, of which there are none: RuntimeError for any state."""
    for state in new_states:
        set_rng_state(state)  # noqa: F821 (made above)


def memory_stats(device=None):
    """Empty: no memory of a GPU is in use."""
    return {}


class _Absent:
    def __init__(self, *args, **kwargs):
        raise hints.hinted(RuntimeError(_LACKING))


Stream = type("Stream", (_Absent,), {})
Event = type("Event", (_Absent,), {})
CUDAGraph = type("CUDAGraph", (_Absent,), {})
graph = type("graph", (_Absent,), {"__doc__": "Raises RuntimeError: there is no CUDA."})
StreamContext = type(
    "StreamContext", (_Absent,), {"__doc__": "Raises RuntimeError: there is no CUDA."}
)
ExternalStream = type("ExternalStream", (Stream,), {})


class _AbsentTensor:
    """`torch.cuda.FloatTensor` and its like: no tensor is an instance, and none can be made."""

    def __init__(self, *args, **kwargs):
        raise TypeError(
            f"type torch.cuda.{type(self).__name__} not available. Torch not compiled with CUDA enabled."
        )


for _kind in "Float Double Half BFloat16 Long Int Short Char Byte Bool".split():
    globals()[f"{_kind}Tensor"] = type(
        f"{_kind}Tensor", (_AbsentTensor,), {"__module__": "torch.cuda"}
    )


class device:
    """Context: another current device. None and negative indices do nothing."""

    def __init__(self, device):
        index = device if isinstance(device, int) or device is None else _core.device(device).index
        self.idx = -1 if index is None else index

    def __enter__(self):
        if self.idx >= 0:
            raise hints.hinted(RuntimeError(_LACKING))

    def __exit__(self, *_):
        return False


class device_of(device):
    """Context: the device of a tensor becomes current; a tensor on the CPU does nothing."""

    def __init__(self, obj):
        super().__init__(obj.get_device() if obj.is_cuda else -1)


def stream(stream):
    """Context: another current stream; None does nothing."""
    if stream is not None:
        raise hints.hinted(RuntimeError(_LACKING))
    return contextlib.nullcontext()


def __getattr__(name):
    if name in ("amp", "nvtx"):
        import importlib

        return importlib.import_module(f"lampas.cuda.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
