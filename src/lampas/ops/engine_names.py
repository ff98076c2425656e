"""Names of `torch` that are PyTorch's engine showing: schemes, forms for views, old states.

Each does here what it does there where that has a meaning, and refuses by name otherwise.
"""

import lampas
from lampas import _core
from lampas.ops.one_node import one_node
from lampas.ops.register import FUNCTIONS, composite

Tensor = _core.Tensor


class qscheme:
    """How numbers are quantised. Only the named ones exist; no tensor here has one."""

    __module__ = "torch"

    def __new__(cls, *args):
        raise TypeError("cannot create 'torch.qscheme' instances")

    def __repr__(self):
        return f"torch.{self._name}"

    def __reduce__(self):
        return FUNCTIONS.__getitem__, (self._name,)


def _scheme(name):
    FUNCTIONS[name] = scheme = object.__new__(qscheme)
    scheme._name = name


FUNCTIONS["qscheme"] = qscheme
for _name in (
    "per_tensor_affine per_tensor_symmetric per_channel_affine per_channel_symmetric "
    "per_channel_affine_float_qparams"
).split():
    _scheme(_name)


@composite
def thread_safe_generator():
    """The generator of a worker thread of a DataLoader; None: workers are processes."""
    return None


@composite
def fork(func, *args, **kwargs):
    """`torch.jit.fork` without its warning: calls now, `wait` gives the result."""
    if not callable(func):
        raise TypeError(f"Object of type '{type(func).__name__}' is not an instance of 'function'")
    from lampas.jit import called_future

    return called_future(func, args, kwargs)


@composite
def wait(future):
    """The result of `fork`. TypeError for what is no Future."""
    if not isinstance(future, lampas.futures.Future):
        raise TypeError(
            "wait(): incompatible function arguments. The following argument types are supported:\n"
            f"    1. (arg0: torch._C.Future) -> object\n\nInvoked with: {future!r}"
        )
    return future.wait()


@composite(method=True)
def slice_inverse(input, src, dim=0, start=None, end=None, step=1):
    """The tensor of which `input` would be the slice: its memory, seen as `src` sees its own."""
    return input.as_strided(src.shape, src.stride(), src.storage_offset())


@composite
def fake_quantize_per_channel_affine(input, scale, zero_point, axis, quant_min, quant_max):
    """Rounds to the grid `scale[c] * (q - zero_point[c])`, quant_min <= q <= quant_max, per channel.

    scale (C,) float32, zero_point (C,) int32, float32 or float16. The gradient goes through where q is
    in range (straight-through; Jacob et al., "Quantization and training of neural networks for
    efficient integer-arithmetic-only inference", 2018).
    """
    _check_channels(input, scale, zero_point, axis, quant_min, quant_max)
    shape = [-1 if d == axis % input.dim() else 1 for d in range(input.dim())]
    limits = (scale.reshape(shape), zero_point.reshape(shape), quant_min, quant_max)
    return _rounded_to_grid(input, *limits)[0]


def _on_grid(x, scale, zero_point, quant_min, quant_max):
    q = (x * (1 / scale) + zero_point).round()  # half to even, as the hardware rounds
    inside = (q >= quant_min) & (q <= quant_max)
    return ((q.clamp(quant_min, quant_max) - zero_point) * scale).to(x.dtype), inside


_rounded_to_grid = one_node(
    "FakeQuantizePerChannelAffineCachemaskBackward0",
    _on_grid,
    lambda grads, args, outputs: (grads[0] * outputs[1], None, None),
    differentiable=1,
)


def _check_channels(input, scale, zero_point, axis, quant_min, quant_max):
    _require(
        scale.dtype in (lampas.float32, lampas.bfloat16),
        f"Scale must be Float or BFloat16, found {_spoken(scale)}",
    )
    _require(
        input.is_floating_point(),
        f"\"fake_quantize_channel_cachemask_cpu_type_handling\" not implemented for '{_spoken(input)}'",
        NotImplementedError,
    )
    _require(
        zero_point.dtype in (lampas.int32, lampas.float32, lampas.float16),
        f"Zero-point must be Int32, Float or Half, found {_spoken(zero_point)}",
    )
    _require(scale.dim() == 1, "scale should be a 1-D tensor")
    _require(zero_point.dim() == 1, "zero point should be a 1-D tensor")
    _require(
        scale.numel() == zero_point.numel(), "scale and zero-point need to have the same dimensions"
    )
    input.size(axis)
    _require(axis >= 0, "`axis` must be between 0 and number of dimensions of input")
    _require(
        scale.numel() == input.size(axis), "dimensions of scale and zero-point are not consistent "
        "with input tensor",
    )  # fmt: skip
    _require(
        quant_min <= quant_max,
        "`quant_min` should be less than or         equal to `quant_max`.",
    )
    if not zero_point.is_floating_point():
        inside = bool(((zero_point >= quant_min) & (zero_point <= quant_max)).all())
        _require(inside, "`zero_point` must be between `quant_min` and `quant_max`.")


def _spoken(tensor):
    """The name of a dtype in messages: Float, Long."""
    return tensor.type().rpartition(".")[2].removesuffix("Tensor")


def _require(holds, text, error=RuntimeError):
    if not holds:
        raise error(text)


def _grad_dtype(self):
    """The dtype of `grad`, for a leaf: its own."""
    if not self.is_leaf:
        raise RuntimeError("grad_dtype can only be accessed on leaf tensors.")
    return self.dtype


def _set_grad_dtype(self, dtype):
    if not self.is_leaf:
        raise RuntimeError("grad_dtype can only be set on leaf tensors.")
    if dtype is not None and dtype != self.dtype:
        raise NotImplementedError("Tensor.grad_dtype: a gradient has the dtype of its tensor")


Tensor.grad_dtype = property(_grad_dtype, _set_grad_dtype)


@composite(public=False, method=True)
def index(self, positions, dims):
    """First-class dimensions are not available: NotImplementedError."""
    raise NotImplementedError("Tensor.index: first-class dimensions are not available in Lampas")


@composite(public=False, method=True)
def ipu(self, device=None, non_blocking=False, memory_format=None):
    """Raises RuntimeError: there is no such device."""
    raise RuntimeError("PyTorch is not linked with support for ipu devices")


def _setstate(self, state):
    """Takes over what older versions pickled: (storage, offset, size, stride)."""
    if not self.is_leaf:
        raise RuntimeError("__setstate__ can be only called on leaf Tensors")
    if len(state) == 4:
        self.set_(*state)
        return
    if len(state) == 5:
        self.data, state = state[0], (state[3], state[4], state[2])
    self.requires_grad, _, _ = state


Tensor.__setstate__ = _setstate
