"""`torch.backends`: switches that scripts set.

Those that kernels of a GPU read live in the core (core/runtime/switches.h); the others are kept and read back,
and change nothing.
"""

import contextlib
import importlib.machinery
import sys
import types

from lampas import _core, unavailable


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
        self.__dict__.update(values)
        try:
            yield
        finally:
            self.__dict__.update(kept)


def _switch(name, setter=None):
    """A property that is a switch of the core. `setter`: the function that PyTorch's refusal names."""

    def write(self, value):
        if setter and not isinstance(value, bool):
            raise RuntimeError(f"{setter} expects a bool, but got {type(value).__name__}")
        _core._switch(name, value)

    return property(lambda self: _core._switch(name), write)


class _Precision:
    """How float32 is computed: fp32_precision "ieee", "tf32" or "none" (as it was), beside a switch."""

    __slots__ = ("_fp32_precision",)
    _tf32 = None  # the name of the switch

    def __init__(self, precision="none"):
        self._fp32_precision = precision

    @property
    def fp32_precision(self):
        return self._fp32_precision

    @fp32_precision.setter
    def fp32_precision(self, value):
        if value not in ("ieee", "tf32", "bf16", "none"):
            raise RuntimeError(f"Unknown precision: {value}")
        self._fp32_precision = value
        if value != "none":
            _core._switch(self._tf32, value == "tf32")


def _answering(name, answer):
    def ask(*args, **kwargs):
        return answer

    ask.__name__ = ask.__qualname__ = name
    return ask


class _Matmul(_Precision):
    """`cuda.matmul`: precision of products."""

    __slots__ = ()
    _tf32 = "matmul_tf32"
    allow_fp16_reduced_precision_reduction = _switch("matmul_fp16_reduction")
    allow_bf16_reduced_precision_reduction = _switch("matmul_bf16_reduction")
    allow_fp16_accumulation = _switch("matmul_fp16_accumulation")

    @property
    def allow_tf32(self):
        return _core._switch(self._tf32)

    @allow_tf32.setter
    def allow_tf32(self, value):
        self.fp32_precision = "tf32" if value else "ieee"

    def __getattr__(self, name):
        raise AttributeError(f"Unknown attribute {name}")


class _Layers(_Precision):
    """`cudnn.conv` and `cudnn.rnn`, which share one switch."""

    __slots__ = ()
    _tf32 = "cudnn_tf32"


class _Cudnn(_Backend):
    enabled = _switch("cudnn_enabled", "set_enabled_cudnn")
    benchmark = _switch("cudnn_benchmark", "set_benchmark_cudnn")
    deterministic = _switch("cudnn_deterministic", "set_deterministic_cudnn")
    allow_tf32 = _switch("cudnn_tf32", "set_allow_tf32_cublas")

    def set_flags(self, _enabled=None, _benchmark=None, _benchmark_limit=None, _deterministic=None,
                  _allow_tf32=None, _fp32_precision="none"):  # fmt: skip
        """Sets those that are not None; returns what all were."""
        before = (self.enabled, self.benchmark, None, self.deterministic, self.allow_tf32, "none")
        given = (_enabled, _benchmark, _benchmark_limit, _deterministic, _allow_tf32)
        names = ("enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32")
        for name, value in zip(names, given):
            if value is not None:
                setattr(self, name, value)
        return before

    @contextlib.contextmanager
    def flags(self, enabled=False, benchmark=False, benchmark_limit=10, deterministic=False,
              allow_tf32=True, fp32_precision="none"):  # fmt: skip
        """Context: all switches have these values."""
        before = self.set_flags(enabled, benchmark, benchmark_limit, deterministic, allow_tf32)
        try:
            yield
        finally:
            self.set_flags(*before)


_NOT_THERE = {"is_available": False}

cudnn = _Cudnn(
    "cudnn", {"is_available": False, "version": None, "is_acceptable": False}, benchmark_limit=10
)  # fmt: skip
cudnn.conv, cudnn.rnn = _Layers("tf32"), _Layers("tf32")
cudnn.fp32_precision = "none"
cuda = _Backend("cuda", {"is_built": False})
cuda.matmul = _Matmul()


def _attention(kind):
    """The switch of a way to compute attention: cuda.enable_<kind>_sdp, <kind>_sdp_enabled."""

    def enable(enabled):
        _core._switch(f"{kind}_sdp", enabled)

    def enabled():
        return _core._switch(f"{kind}_sdp")

    for function, name in ((enable, f"enable_{kind}_sdp"), (enabled, f"{kind}_sdp_enabled")):
        function.__name__ = function.__qualname__ = name
        setattr(cuda, name, function)


for _kind in ("flash", "mem_efficient", "math", "cudnn"):
    _attention(_kind)
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
