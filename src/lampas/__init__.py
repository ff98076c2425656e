"""Lampas: PyTorch's everyday API on a small engine. `import lampas as torch`.

This file only gathers names: operators come from the core and from `ops/`, sub-packages load when first used.
"""

import importlib as _importlib

from lampas import _core
from lampas import tensor_methods as _tensor_methods
from lampas._core import (
    Size,
    Tensor,
    UntypedStorage,
    device,
    dtype,
    from_numpy,
    frombuffer,
    get_default_dtype,
    get_num_threads,
    is_grad_enabled,
    is_inference_mode_enabled,
    layout,
    memory_format,
    set_default_dtype,
    set_num_threads,
)
from lampas.autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from lampas.hints import set_hints, set_language
from lampas.ops import register as _register
from lampas.printing import set_printoptions
from lampas.torch_version import __version__
from lampas.types_info import finfo, iinfo

for _name in _core._functions:
    globals()[_name] = getattr(_core, _name)
for _name in _core.__dict__:
    if isinstance(_core.__dict__[_name], (dtype, memory_format, layout)):
        globals()[_name] = _core.__dict__[_name]

# Families of composites; each registers its functions and Tensor methods when imported.
_FAMILIES = (
    "creation", "promotion", "random", "reduction", "sets", "shape", "indexing", "comparison",
    "elementwise", "gradient", "storage", "layouts", "untyped_storage", "defaults", "spectral", "factorizations",
    "solving", "eigenvalues", "matrices", "products", "contraction", "constructors", "retired", "foreach",
    "checks", "lowrank", "absent", "engine_names",
)  # fmt: skip
for _name in _FAMILIES:
    _importlib.import_module(f"lampas.ops.{_name}")
globals().update(_register.FUNCTIONS)
_tensor_methods.make_overridable()

from math import e, inf, nan, pi  # noqa: E402

newaxis = None

# Loaded when first used: `lampas.nn`, or a name that lives in one of them.
_SUBMODULES = {
    "amp", "array_api", "autograd", "backends", "compiler", "cuda", "distributed", "distributions", "export", "fft", "func",
    "fx", "hub", "jit", "library", "linalg", "multiprocessing", "nn", "onnx", "optim", "overrides", "profiler",
    "quasirandom", "random", "return_types", "signal", "sparse", "special", "storage", "testing", "types", "utils",
    "version", "vision", "_C", "_utils", "mps", "xpu", "cpu", "ao", "quantization", "masked", "nested", "futures",
    "monitor", "package", "mtia", "accelerator", "launcher", "serialization", "functional", "torch_version",
    "graph", "_dynamo", "_guards", "_inductor", "_jit_internal", "_prims_common", "_subclasses", "_tensor_str", "__config__", "classes",
}  # fmt: skip
_LAZY_NAMES = {
    "save": "serialization",
    "load": "serialization",
    "Generator": "random",
    "default_generator": "random",
    "manual_seed": "random",
    "seed": "random",
    "initial_seed": "random",
    "get_rng_state": "random",
    "set_rng_state": "random",
    "from_dlpack": "utils.dlpack",
    "to_dlpack": "utils.dlpack",
    "compile": "compiler",
    "vmap": "func",
    "autocast": "amp",
    "Future": "futures",
    **dict.fromkeys(("ScriptModule", "ScriptFunction"), "jit"),
    "as_torch": "launcher",
    "GradScaler": "amp",
    "OutOfMemoryError": "cuda",
    "AcceleratorError": "cuda",
    "segment_reduce": "ops.segments",
    "lobpcg": "ops.lobpcg",
    "from_file": "ops.files",
    "classproperty": "_utils",
    "Tag": "ops.tags",
    **dict.fromkeys(
        "Storage TypedStorage FloatStorage DoubleStorage HalfStorage BFloat16Storage ByteStorage CharStorage "
        "ShortStorage IntStorage LongStorage BoolStorage ComplexFloatStorage ComplexDoubleStorage".split(),
        "storage",
    ),
    **dict.fromkeys(
        "is_autocast_enabled set_autocast_enabled get_autocast_dtype set_autocast_dtype "
        "autocast_increment_nesting autocast_decrement_nesting clear_autocast_cache "
        "is_autocast_cache_enabled set_autocast_cache_enabled is_autocast_cpu_enabled "
        "set_autocast_cpu_enabled get_autocast_cpu_dtype set_autocast_cpu_dtype is_autocast_ipu_enabled "
        "set_autocast_ipu_enabled get_autocast_ipu_dtype set_autocast_ipu_dtype is_autocast_xla_enabled "
        "set_autocast_xla_enabled get_autocast_xla_dtype set_autocast_xla_dtype get_autocast_gpu_dtype "
        "set_autocast_gpu_dtype".split(),
        "amp.state",
    ),
    **dict.fromkeys("SymInt SymFloat SymBool cond while_loop".split(), "ops.control"),
    **dict.fromkeys(
        "bilinear conv_tbc cosine_similarity pairwise_distance pdist pixel_shuffle pixel_unshuffle "
        "native_channel_shuffle cosine_embedding_loss hinge_embedding_loss margin_ranking_loss "
        "poisson_nll_loss triplet_margin_loss grid_sampler_2d grid_sampler_3d embedding_bag".split(),
        "nn.functional.builtins",
    ),
    **dict.fromkeys(
        "is_anomaly_check_nan_enabled is_anomaly_enabled set_anomaly_enabled".split(),
        "autograd.anomaly_mode",
    ),
}


def __getattr__(name):
    if name == "torch":  # `torch.torch`
        return _importlib.import_module("lampas")
    if name in _LAZY_NAMES:
        value = getattr(_importlib.import_module(f"lampas.{_LAZY_NAMES[name]}"), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        try:
            return _importlib.import_module(f"lampas.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"lampas.{name}":
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_SUBMODULES, *_LAZY_NAMES})
