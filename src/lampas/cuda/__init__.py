"""`torch.cuda`. Without a GPU as PyTorch's CPU build has it: questions say that there is none, real use
raises. With one the names of `_present.py` stand in the place of these.

Where that build fails inside itself (an AttributeError about `torch._C`), here it is the error that
it gives elsewhere: "Torch not compiled with CUDA enabled".
"""

import collections
import contextlib
import importlib

from lampas import _core, hints
from lampas.unavailable import answering, function

has_half = True
has_magma = False
default_generators = ()
_LACKING = "Torch not compiled with CUDA enabled"
_LACKING_DOC = "Raises AssertionError: there is no CUDA."
_NO_STREAMS = "PyTorch was compiled without CUDA support"
_NO_NVML = "nvidia-ml-py does not seem to be installed or it can't be imported."
_SUBMODULES = {"amp", "comm", "graphs", "memory", "nvtx", "profiler", "streams"}

OutOfMemoryError = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch"})
AcceleratorError = type("AcceleratorError", (RuntimeError,), {"__module__": "torch"})
DeferredCudaCallError = type("DeferredCudaCallError", (Exception,), {"__module__": "torch.cuda"})


class CudaError(RuntimeError):
    """An error of the CUDA driver."""


class cudaStatus:
    """Return codes of the CUDA runtime."""

    SUCCESS, ERROR_NOT_READY = 0, 34


def _lacking():
    raise hints.hinted(AssertionError(_LACKING))


def _without_nvml():
    raise ModuleNotFoundError(_NO_NVML)


def _dummy(name):
    raise RuntimeError(f"Tried to instantiate dummy base class {name}")


def _define(signatures, result, doc):
    """Functions of these signatures, one each line or between bars, that return `result()`."""
    for signature in signatures.replace("\n", "|").split("|"):
        name, _, parameters = signature.strip().partition("(")
        if name:
            made = eval(f"lambda {parameters[:-1]}: result()", {"result": result})
            made.__name__ = made.__qualname__ = name
            made.__module__, made.__doc__ = "torch.cuda", doc
            globals()[name] = made


_define(
    "is_available() | is_initialized() | is_bf16_supported(including_emulation=True) | "
    "is_tf32_supported()",
    lambda: False,
    "False: there is no CUDA.",
)
_define(
    "device_count() | memory_allocated(device=None) | max_memory_allocated(device=None) | "
    "memory_reserved(device=None) | max_memory_reserved(device=None) | memory_cached(device=None) | "
    "max_memory_cached(device=None)",
    lambda: 0,
    "0: there is no CUDA.",
)
_define(
    "empty_cache() | seed() | seed_all() | caching_allocator_enable(value=True)",
    lambda: None,
    "Does nothing without CUDA.",
)
_define("get_arch_list() | get_rng_state_all()", list, "Empty: there is no CUDA.")
_define("get_gencode_flags()", str, "Empty: nothing is compiled for CUDA.")
_define(
    "memory_stats(device=None) | host_memory_stats()",
    collections.OrderedDict,
    "Empty: no memory of a GPU is in use.",
)
_define(
    "memory_stats_as_nested_dict(device=None) | host_memory_stats_as_nested_dict()",
    dict,
    "Empty: no memory of a GPU is in use.",
)
_define(
    """
    init() | ipc_collect() | current_device() | synchronize(device=None)
    get_device_name(device=None) | get_device_properties(device=None) | cudart()
    get_device_capability(device=None) | can_device_access_peer(device, peer_device)
    current_stream(device=None) | default_stream(device=None) | set_stream(stream)
    get_stream_from_external(data_ptr, device=None) | current_blas_handle() | current_solver_handle()
    initial_seed() | get_rng_state(device='cuda') | set_rng_state(new_state, device='cuda')
    mem_get_info(device=None) | memory_summary(device=None, abbreviated=False)
    memory_snapshot(mempool_id=None, include_traces=True) | reset_peak_memory_stats(device=None)
    reset_peak_host_memory_stats() | reset_accumulated_memory_stats(device=None)
    reset_accumulated_host_memory_stats() | reset_max_memory_allocated(device=None)
    reset_max_memory_cached(device=None) | set_per_process_memory_fraction(fraction, device=None)
    get_per_process_memory_fraction(device=None) | get_allocator_backend()
    caching_allocator_alloc(size, device=None, stream=None) | caching_allocator_delete(mem_ptr)
    change_current_allocator(allocator) | check_error(res) | get_sync_debug_mode()
    set_sync_debug_mode(debug_mode)
    make_graphed_callables(callables, sample_args, num_warmup_iters=3, allow_unused_input=False, pool=None)
    """,
    _lacking,
    _LACKING_DOC,
)
_define(
    "utilization(device=None) | temperature(device=None) | power_draw(device=None) | "
    "clock_rate(device=None) | memory_usage(device=None) | device_memory_used(device=None)",
    _without_nvml,
    "Raises ModuleNotFoundError: NVIDIA's management library is not used.",
)
_define(
    "list_gpu_processes(device=None)",
    lambda: "pynvml module not found, please install nvidia-ml-py",
    "A text that says that NVIDIA's management library is not there.",
)
_define(
    "is_current_stream_capturing()",
    lambda: _dummy("_cuda_isCurrentStreamCapturing"),
    "Raises RuntimeError: there is no CUDA.",
)
_define(
    "graph_pool_handle()",
    lambda: _dummy("_graph_pool_handle"),
    "Raises RuntimeError: there is no CUDA.",
)


def manual_seed(seed):
    """Takes the seed for a GPU that may come: None. ValueError for what is no number."""
    int(seed)


def manual_seed_all(seed):
    """As manual_seed."""
    int(seed)


def set_rng_state_all(new_states):
    """Sets the states of the GPUs' generators, of which there are none: AssertionError for any."""
    for state in new_states:
        set_rng_state(state)  # noqa: F821 (made above)


def _absent(name, refuse, parameters="*args, **kwargs", base=object):
    """A class that calls `refuse` when it is made."""
    init = eval(f"lambda self, {parameters}: refuse()", {"refuse": refuse})
    init.__qualname__ = f"{name}.__init__"
    doc = "Cannot be made: there is no CUDA."
    made = type(name, (base,), {"__module__": "torch.cuda", "__init__": init, "__doc__": doc})
    globals()[name] = made


def _no_stream():
    raise hints.hinted(RuntimeError("torch.cuda.Stream requires CUDA support"))


def _no_support():
    raise hints.hinted(RuntimeError(_NO_STREAMS))


_absent("Stream", _no_stream)
_absent("ExternalStream", _no_support, "stream_ptr, device=None", base=globals()["Stream"])
_absent("graph", _no_stream, "cuda_graph, pool=None, stream=None, capture_error_mode='global'")
_absent("CUDAPluggableAllocator", _lacking, "path_to_so_file, alloc_fn_name, free_fn_name")
_absent("GreenContext", _no_support)
for _name in ("Event", "CUDAGraph", "MemPool"):
    _absent(_name, lambda _name=_name: _dummy(_name))


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
for (
    _kind
) in "Float Double Half BFloat16 Long Int Short Char Byte Bool ComplexFloat ComplexDouble".split():
    _absent(f"{_kind}Storage", _lacking)


def set_device(device):
    """Makes a device current; a negative index does nothing. AssertionError: there is no CUDA."""
    from lampas._utils import _get_device_index

    if _get_device_index(device) >= 0:
        _lacking()


class device:
    """Context: another current device. None and negative indices do nothing.

    RuntimeError where it is entered with a device.
    """

    def __init__(self, device):
        from lampas._utils import _get_device_index

        self.idx = -1 if device is None else _get_device_index(device, optional=True)

    def __enter__(self):
        if self.idx is None or self.idx >= 0:
            _no_support()

    def __exit__(self, *_):
        return False


class device_of(device):
    """Context: the device of a tensor becomes current; a tensor on the CPU does nothing."""

    def __init__(self, obj):
        super().__init__(obj.get_device() if obj.is_cuda else -1)


class StreamContext:
    """Context: another current stream. Without CUDA every stream is none, and nothing happens."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        """Nothing to change."""

    def __exit__(self, *_):
        return False


def stream(stream):
    """`StreamContext(stream)`."""
    return StreamContext(stream)


@contextlib.contextmanager
def use_mem_pool(pool, device=None):
    """Context: allocations from a pool. AssertionError on entering: there is no CUDA."""
    _lacking()
    yield


@contextlib.contextmanager
def caching_allocator_disabled():
    """Context: no cache of allocations. Without CUDA there is none, and nothing happens."""
    yield


_is_in_bad_fork = answering("torch.cuda._is_in_bad_fork", False)


# A GPU alone does not count: without `pip install lampas[cuda]` programs that ask stay on the CPU.
if _core._cuda_device_count() and not _core._cuda_why_unavailable():
    from lampas.cuda import _present, _random

    _lacking_names = [n for n, f in globals().items() if getattr(f, "__doc__", 0) == _LACKING_DOC]
    globals().update({n: function(f"torch.cuda.{n}") for n in _lacking_names})
    globals().update({**_present.names(), **_random.names()})


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"lampas.cuda.{name}")
    if name == "classproperty":
        return importlib.import_module("lampas._utils").classproperty
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
