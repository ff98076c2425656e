"""Making tensors from data, and questions about types. Factories by shape (zeros, arange ...) are primitives."""

import sys

from lampas import _core, hints
from lampas.ops.register import composite

Tensor = _core.Tensor
_default_devices = []  # innermost `with torch.device(...)` last


def _enter_device(device):
    _default_devices.append(device)
    return device


def _leave_device(device):
    _default_devices.pop()


def _finish(result, device, requires_grad):
    if device is not None:
        result = result.to(device)
    return _with_gradient(result) if requires_grad else result


def _with_gradient(made):
    if not made.is_floating_point() and not made.is_complex():
        text = "Only Tensors of floating point and complex dtype can require gradients"
        raise hints.hinted(RuntimeError(text))
    return made.requires_grad_()


def _on_gpu(array):
    from lampas.cuda import _array_interface

    return _array_interface.take(array)


@composite
def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor with a copy of `data`: numbers, nested sequences, arrays or tensors.

    dtype: default: bool, int64, the default float type or its complex partner, by what the data holds.
    Raises ValueError for ragged sequences, TypeError and RuntimeError for data that are no numbers.
    """
    if isinstance(data, Tensor):
        import warnings

        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            stacklevel=2,
        )
        copied = data.detach().clone() if dtype is None else data.detach().to(dtype, copy=True)
    elif hasattr(data, "__cuda_array_interface__"):
        copied = _on_gpu(data).to(dtype, copy=True) if dtype else _on_gpu(data).clone()
        device = copied.device if device is None else device
    else:
        copied = _core._make_tensor(data, dtype)
    if pin_memory:
        copied = _core.empty_like(copied, pin_memory=True).copy_(copied)
    return _finish(copied, device, requires_grad)


@composite
def as_tensor(data, dtype=None, device=None):
    """`data` as a tensor, without a copy where that is possible (tensors, NumPy arrays)."""
    if isinstance(data, Tensor):
        shared = data
    elif type(data).__module__ == "numpy" and type(data).__name__ == "ndarray":
        shared = _core.from_numpy(data)
    elif hasattr(data, "__cuda_array_interface__"):
        shared = _on_gpu(data)
    else:
        return _finish(_core._make_tensor(data, dtype), device, False)
    if dtype is not None:
        shared = shared.to(dtype)
    return shared if device is None else shared.to(device)


@composite
def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """`obj` (tensor, array, DLPack producer, storage, buffer or sequence) as a tensor; see the array API standard.

    copy: True always copies, False raises ValueError where a copy would be needed, None copies when needed.
    """
    if isinstance(obj, Tensor):
        shared = obj
    elif type(obj).__module__ == "numpy" and type(obj).__name__ == "ndarray":
        shared = _core.from_numpy(obj)
    elif hasattr(obj, "__dlpack__"):
        import lampas

        shared = lampas.from_dlpack(obj)
    elif isinstance(obj, _core.UntypedStorage):
        shared = _over_storage(obj, dtype)
    elif isinstance(obj, (bytes, bytearray, memoryview)):
        shared = _core.frombuffer(obj, dtype=dtype or _core.get_default_dtype())
    else:
        if copy is False:
            raise ValueError("can't alias arbitrary sequence into a tensor.")
        return _finish(_core._make_tensor(obj, dtype), device, requires_grad)
    wanted = shared.to(dtype or shared.dtype)
    if device is not None:
        wanted = wanted.to(device)
    if copy is False and wanted.data_ptr() != shared.data_ptr():
        raise ValueError(
            "can't alias tensor with dtype or device that differ from the requested ones."
        )
    if copy and wanted.data_ptr() == shared.data_ptr():
        wanted = wanted.clone()
    if requires_grad and not wanted.requires_grad:
        wanted = _with_gradient(wanted.detach())
    elif not requires_grad and wanted.requires_grad:
        wanted = wanted.detach()
    return wanted


def _over_storage(storage, dtype):
    """The bytes of a storage read as whole elements of `dtype`; as numbers, int64, where it is not given."""
    if dtype is None:
        dtype = _core.int64 if storage.nbytes() else _core.get_default_dtype()
    count = storage.nbytes() // dtype.itemsize
    return _core._tensor_from_storage(storage, dtype, 0, (count,), (1,))


@composite
def is_tensor(obj):
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


@composite
def is_storage(obj):
    """Whether `obj` is a storage."""
    if isinstance(obj, _core.UntypedStorage):
        return True
    typed = sys.modules.get("lampas.storage")  # without it there are none
    return typed is not None and isinstance(obj, typed.TypedStorage)


def _question(name):
    def ask(input):
        if not isinstance(input, Tensor):
            raise TypeError(
                f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
            )
        return getattr(input, name)()

    ask.__name__ = ask.__qualname__ = name
    return composite(ask)


for _name in (
    "is_floating_point",
    "is_complex",
    "is_signed",
    "is_inference",
    "is_conj",
    "is_neg",
    "numel",
):
    _question(_name)


@composite(method=True)
def is_nonzero(input):
    """Whether the one element of `input` is not zero."""
    if input.numel() != 1:
        kind = "no values" if input.numel() == 0 else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {kind} is ambiguous")
    return bool(input)


@composite(method=True)
def is_same_size(input, other):
    """Whether both have one shape."""
    return input.shape == other.shape
