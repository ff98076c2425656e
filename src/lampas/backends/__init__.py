"""`torch.backends`: switches that scripts set. Those of cuDNN and `cuda.matmul.allow_tf32` choose how products and
convolutions on a GPU are computed; the others are kept and read back."""

import contextlib
import importlib.machinery
import sys
import types

from lampas import _core, unavailable
from lampas.ops import defaults


class _Backend(types.ModuleType):
    """A module of switches. `flags` sets some of them for a while."""

    def __init__(self, name, answers, **switches):
        super().__init__(f"lampas.backends.{name}")
        self.__spec__ = importlib.machinery.ModuleSpec(self.__name__, None)
        self.__dict__.update(switches)
        for question, answer in answers.items():
            setattr(self, question, _answering(question, answer))
        self._switches = tuple(switches)
        sys.modules[self.__name__] = self

    @contextlib.contextmanager
    def flags(self, **values):
        """Context: these switches have these values."""
        kept = {name: getattr(self, name) for name in self._switches}
        self._update(values)
        try:
            yield
        finally:
            self._update(kept)

    def _update(self, values):
        for name, value in values.items():
            setattr(self, name, value)


def _answering(name, answer):
    def ask(*args, **kwargs):
        return answer

    ask.__name__ = ask.__qualname__ = name
    return ask


class _Cudnn(_Backend):
    """Its switches are the core's too."""

    _in_core = {
        "enabled": "cudnn",
        "allow_tf32": "tf32_convolutions",
        "deterministic": "deterministic",
    }

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name in self._in_core:
            _core._cuda_set_precision(self._in_core[name], bool(value))

    @staticmethod
    def is_available():
        """Whether cuDNN can be opened."""
        return _core._cuda_device_count() > 0 and not _core._cuda_missing_library("cudnn")


class _Products:
    """`cuda.matmul`: float32 products may round their factors to ten bits where `allow_tf32` says so, which is the
    same as `set_float32_matmul_precision("high")`."""

    def __init__(self, **switches):
        self.__dict__.update(switches)

    @property
    def allow_tf32(self):
        return defaults.get_float32_matmul_precision() != "highest"

    @allow_tf32.setter
    def allow_tf32(self, value):
        defaults.set_float32_matmul_precision("high" if value else "highest")


_NOT_THERE = {"is_available": False}

cudnn = _Cudnn(
    "cudnn", {"version": None, "is_acceptable": False},
    enabled=True, benchmark=False, deterministic=False, allow_tf32=True, benchmark_limit=10,
)  # fmt: skip
cuda = _Backend(
    "cuda",
    {
        "is_built": False,
        "flash_sdp_enabled": True,
        "mem_efficient_sdp_enabled": True,
        "math_sdp_enabled": True,
        "cudnn_sdp_enabled": True,
        **{f"enable_{kind}_sdp": None for kind in ("flash", "mem_efficient", "math", "cudnn")},
    },
)
cuda.matmul = _Products(
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
    allow_fp16_accumulation=False,
)
cuda.__dict__.update(
    unavailable.names(
        "torch.backends.cuda", "can_use_flash_attention can_use_efficient_attention", "SDPAParams"
    )
)
mps = _Backend("mps", {"is_available": False, "is_built": False, "is_macos_or_newer": False})
mkl = _Backend("mkl", _NOT_THERE)
mkldnn = _Backend("mkldnn", _NOT_THERE, enabled=True, deterministic=False, allow_tf32=True)
openmp = _Backend("openmp", _NOT_THERE)
opt_einsum = _Backend("opt_einsum", _NOT_THERE, enabled=False, strategy=None)
nnpack = _Backend("nnpack", _NOT_THERE, enabled=False)
mha = _Backend("mha", {"get_fastpath_enabled": False, "set_fastpath_enabled": None})
xeon = _Backend("xeon", {})
cusparselt = _Backend("cusparselt", {"is_available": False, "version": None})
quantized = _Backend("quantized", {}, engine="none", supported_engines=["none"])


fp32_precision = "none"


class _Cpu(_Backend):
    @staticmethod
    def get_cpu_capability():
        """The instruction set in use, as PyTorch spells it."""
        return {"avx512": "AVX512", "avx2": "AVX2"}.get(_core._isa(), "DEFAULT")


cpu = _Cpu("cpu", {})
