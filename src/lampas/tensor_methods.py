"""Tensor methods that are not operators: conversion to Python and NumPy, copying, pickling, hooks, printing."""

from types import FunctionType

from lampas import _core, hints, printing

Tensor = _core.Tensor


def method(function):
    """Makes a function a method of Tensor."""
    setattr(Tensor, function.__name__, function)
    return function


@method
def __repr__(self, *, tensor_contents=None):
    return printing.to_text(self, tensor_contents)


@method
def __format__(self, spec):
    if self.dim() == 0 and not self.is_meta and self.__class__ is Tensor:
        return self.item().__format__(spec)
    if spec:
        raise TypeError(f"unsupported format string passed to {self.__class__.__name__}.__format__")
    return str(self)


@method
def __iter__(self):
    if self.dim() == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))


@method
def __contains__(self, element):
    if isinstance(element, (Tensor, int, float, complex, bool)):
        return bool((element == self).any().item())
    raise RuntimeError(
        f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {element.__class__}."
    )


@method
def __reversed__(self):
    return self if self.dim() == 0 else self.flip(0)


@method
def __complex__(self):
    return complex(self.item())


@method
def __dir__(self):
    return sorted({*dir(self.__class__), *self.__dict__})


@method
def numpy(self, *, force=False):
    """A NumPy array over the same memory: writes to either are seen in both.

    force: detaches, moves to the CPU and resolves lazy bits first. Raises RuntimeError for a tensor that
    requires grad, TypeError for one that is not on the CPU or whose type NumPy lacks (bfloat16).
    """
    if force:
        return self.detach().cpu().numpy()
    if self.requires_grad:
        text = (
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )
        raise hints.hinted(RuntimeError(text))
    if not self.is_cpu:
        raise TypeError(
            f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to "
            "host memory first."
        )
    if self.dtype in (_core.bfloat16, _core.complex32):
        name = "BFloat16" if self.dtype is _core.bfloat16 else "ComplexHalf"
        raise TypeError(f"Got unsupported ScalarType {name}")
    import numpy

    return numpy.asarray(memoryview(self))


@method
def __array__(self, dtype=None, copy=None):
    array = self.numpy()
    return array if dtype is None else array.astype(dtype, copy=False)


@method
def __array_wrap__(self, array, *_):
    if array.dtype == bool:
        array = array.astype("uint8")
    return _core.from_numpy(array)


Tensor.__array_priority__ = 1000


@method
def __dlpack__(self, *, stream=-1, max_version=None, dl_device=None, copy=None):
    """A capsule over this tensor's memory for another library; see lampas.utils.dlpack."""
    from lampas.utils import dlpack

    return dlpack.export(self, stream, max_version, dl_device, copy)


@method
def __dlpack_device__(self):
    """(kind, index) of the device, as DLPack numbers them."""
    from lampas.utils import dlpack

    return dlpack.device_of(self)


@method
def tolist(self):
    """Nested lists of Python numbers; a number for a 0-d tensor."""
    return _core._to_list(self)


@method
def untyped_storage(self):
    """The block of memory this tensor shows, as bytes."""
    return _core._untyped_storage(self)


def _typed_storage(self):
    from lampas.storage import TypedStorage

    return TypedStorage._over(_core._untyped_storage(self), self.dtype)


Tensor._typed_storage = _typed_storage


@method
def storage(self):
    """The memory this tensor shows, as a `TypedStorage` of the tensor's dtype. Deprecated."""
    from lampas.storage import warn_deprecated

    warn_deprecated()
    return self._typed_storage()


@method
def storage_type(self):
    """The class of `storage()`: `FloatStorage` and so on."""
    from lampas.storage import class_of

    return class_of(self.dtype)


@method
def get_device(self):
    return -1 if self.device.index is None else self.device.index


@method
def detach(self):
    """A tensor over the same memory that does not require gradients."""
    return _core._detach(self)


@method
def detach_(self):
    return _core._forget_history(self)


@method
def register_hook(self, hook):
    """Calls `hook(grad)` when the gradient of this tensor is computed; a returned tensor replaces it."""
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    return RemovableHandle(self, _core._register_hook(self, hook))


@method
def register_post_accumulate_grad_hook(self, hook):
    """Calls `hook(tensor)` after a gradient was added to the `.grad` of this leaf."""
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self.grad_fn is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    return RemovableHandle(self, _core._register_after_accumulate(self, hook))


class RemovableHandle:
    """Takes a hook off again."""

    def __init__(self, tensor, id):
        self._tensor, self.id = tensor, id

    def remove(self):
        if self._tensor is not None:
            _core._remove_hook(self._tensor, self.id)
            self._tensor = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


@method
def __deepcopy__(self, memo):
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
            "moment.  If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm "
            "usage, see https://github.com/pytorch/pytorch/pull/103001"
        )
    if id(self) in memo:
        return memo[id(self)]
    from copy import deepcopy

    with _no_grad():
        whole = self.untyped_storage().__deepcopy__(memo)
        copy = _core._tensor_from_storage(
            whole, self.dtype, self.storage_offset(), tuple(self.shape), self.stride()
        )
    if self.__class__ is not Tensor:
        copy = Tensor._make_subclass(self.__class__, copy, self.requires_grad)
    elif self.requires_grad:
        copy.requires_grad_()
    if self.grad is not None:
        copy.grad = deepcopy(self.grad, memo)
    if self.__dict__:
        copy.__dict__ = deepcopy(self.__dict__, memo)
    memo[id(self)] = copy
    return copy


def _no_grad():
    from lampas.autograd.grad_mode import no_grad

    return no_grad()


def _rebuild(cls, values, dtype, shape, stride, requires_grad, state):
    """Pickle's way back: bytes to a tensor (checkpoints go through lampas.save instead)."""
    if values is None:
        tensor = _core.empty_strided(shape, stride, dtype=dtype, device="meta")
    else:
        storage = _core.UntypedStorage(len(values))
        memoryview(storage)[:] = values
        tensor = _core._tensor_from_storage(storage, dtype, 0, shape, stride)
    if cls is not None:
        tensor = Tensor._make_subclass(cls, tensor, requires_grad)
    elif requires_grad:
        tensor.requires_grad_()
    if state:
        tensor.__dict__.update(state)
    return tensor


def _span(tensor):
    """The bytes from the tensor's first to its last element; None on the meta device."""
    if tensor.is_meta:
        return None
    if not tensor.numel():
        return b""
    size, first = tensor.element_size(), tensor.storage_offset()
    last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride()))
    storage = tensor.untyped_storage().cpu()
    return bytes(memoryview(storage)[first * size : (first + last + 1) * size])


@method
def __reduce_ex__(self, protocol):
    """For plain pickle and queues: what is shown of the storage, with the strides it has."""
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support pickling at the moment"
        )
    shown = self.detach().resolve_conj().resolve_neg()
    return _rebuild, (
        None if self.__class__ is Tensor else self.__class__,
        _span(shown),
        self.dtype,
        tuple(self.shape),
        shown.stride(),
        self.requires_grad,
        self.__dict__,
    )


_TYPE_NAMES = {
    "float32": "Float",
    "float64": "Double",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "uint8": "Byte",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
    "bool": "Bool",
    "complex32": "ComplexHalf",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
}


def _type(self, dtype=None, non_blocking=False, **kwargs):
    """The name of the tensor's type, or the tensor converted to the type given by name or dtype."""
    if dtype is None:
        name = _TYPE_NAMES.get(str(self.dtype).rpartition(".")[2], str(self.dtype))
        place = "torch.cuda." if self.is_cuda else "torch."
        return f"{place}{name}Tensor"
    if isinstance(dtype, str):
        wanted = dtype.rpartition(".")[2].removesuffix("Tensor")
        for name, label in _TYPE_NAMES.items():
            if label == wanted:
                return self.to(getattr(_core, name))
        raise ValueError(f"invalid type: {dtype!r}")
    if isinstance(dtype, _core.dtype):
        return self.to(dtype)
    return self.to(dtype.dtype)


_type.__name__ = _type.__qualname__ = "type"  # `type` itself is Python's in this file
Tensor.type = _type


@method
def is_shared(self):
    """Whether the memory is shared with other processes, see `share_memory_`."""
    from lampas.multiprocessing import reductions

    return reductions.is_shared(self.untyped_storage())


@method
def share_memory_(self):
    """Moves the tensor's memory to where child processes share it; nothing where it is already.

    Other tensors over the old memory (views) keep that and are no longer views of this one.
    """
    from lampas.multiprocessing import reductions

    return reductions.share_memory_(self)


def _data_type(name):
    def convert(self, memory_format=_core.preserve_format):
        return self.to(getattr(_core, name), memory_format=memory_format)

    return convert


for _short, _long in (
    ("float", "float32"),
    ("double", "float64"),
    ("half", "float16"),
    ("bfloat16", "bfloat16"),
    ("byte", "uint8"),
    ("char", "int8"),
    ("short", "int16"),
    ("int", "int32"),
    ("long", "int64"),
    ("bool", "bool"),
    ("chalf", "complex32"),
    ("cfloat", "complex64"),
    ("cdouble", "complex128"),
):
    _convert = _data_type(_long)
    _convert.__name__ = _convert.__qualname__ = _short
    setattr(Tensor, _short, _convert)


@method
def cpu(self, memory_format=_core.preserve_format):
    return self.to("cpu", memory_format=memory_format)


@method
def cuda(self, device=None, non_blocking=False, memory_format=_core.preserve_format):
    where = "cuda" if device is None else device
    return self.to(where, non_blocking=non_blocking, memory_format=memory_format)


def _cuda_array_interface(self):
    from lampas.cuda import _array_interface

    return _array_interface.describe(self)


Tensor.__cuda_array_interface__ = property(_cuda_array_interface)


@method
def record_stream(self, stream):
    if not self.is_cuda:
        raise NotImplementedError(
            "torch.Tensor.record_stream is not available in Lampas: there are no streams to record on"
        )
    _core._cuda_record_stream(self, stream.device_index, stream.cuda_stream)


@method
def pin_memory(self, device=None):
    """A copy in page-locked memory, which devices read and write while the host goes on."""
    return _core._cuda_pin_memory(self)


@method
def is_pinned(self, device=None):
    """Whether the elements lie in page-locked memory."""
    return _core._cuda_is_pinned(self)


# What PyTorch's errors about `set_` call an element type.
_SCALAR_NAMES = {
    "float32": "float",
    "float64": "double",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long int",
    "complex32": "c10::complex<c10::Half>",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}
_SET_FORMS = """
 * ()
{wrong} * (torch.Storage source)
{wrong} * (torch.Storage source, int storage_offset, tuple of ints size, tuple of ints stride = None)
 * (Tensor source)
{wrong} * (Tensor source, int storage_offset, tuple of ints size, tuple of ints stride = None)
"""


def _untyped(source, dtype):
    """The bytes of a TypedStorage of this type."""
    from lampas.ops.call_errors import type_name
    from lampas.storage import TypedStorage

    if not isinstance(source, TypedStorage):
        kind = type_name(source)
        wrong = f"      didn't match because some of the arguments have invalid types: (!{kind}!)\n"
        raise TypeError(
            f"set_() received an invalid combination of arguments - got ({kind}), but expected one of:"
            + _SET_FORMS.format(wrong=wrong)
        )
    if source.dtype is not dtype:
        wanted, given = (str(each).rpartition(".")[2] for each in (dtype, source.dtype))
        raise RuntimeError(
            f"Expected a Storage of type {_SCALAR_NAMES.get(wanted, wanted)} or an UntypedStorage, "
            f"but got type {_TYPE_NAMES.get(given, given)} for argument 1 'storage'"
        )
    return source.untyped()


@method
def set_(self, source=None, storage_offset=0, size=None, stride=None):
    """Makes this tensor show the memory of another tensor or storage."""
    if source is None:
        source = self.new_empty(0)
    if not isinstance(source, (Tensor, _core.UntypedStorage)):
        source = _untyped(source, self.dtype)
    if isinstance(source, _core.UntypedStorage):
        if size is None:
            size, stride = (source.nbytes() // self.element_size(),), (1,)
        if stride is None:
            stride = _strides(size)
        source = _core._tensor_from_storage(
            source, self.dtype, storage_offset, tuple(size), tuple(stride)
        )
    elif size is not None:
        source = _core._tensor_from_storage(
            source.untyped_storage(),
            source.dtype,
            storage_offset,
            tuple(size),
            tuple(stride or _strides(size)),
        )
    return _core._set_storage(self, source)


def _strides(size):
    strides, step = [], 1
    for n in reversed(size):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


@method
def type_as(self, other):
    return self.to(other.dtype)


def _as_type(result, cls):
    """Tensors of the result, also in tuples and lists, as tensors of type `cls`."""
    if isinstance(result, Tensor) and not isinstance(result, cls):
        return result.as_subclass(cls)
    if isinstance(result, (tuple, list)):
        return type(result)(_as_type(item, cls) for item in result)
    return result


# Attributes of a subclass's object that stay plain tensors.
PLAIN_GETTERS = frozenset(Tensor.__dict__[name].__get__ for name in ("_base", "grad"))


def _torch_function(cls, func, types, args=(), kwargs=None):
    """What a subclass makes of `func(*args, **kwargs)`: its result, with tensors of the subclass.

    NotImplemented when an argument is of a type that this one does not know (is no subclass of).
    """
    if not all(issubclass(cls, each) for each in types):
        return NotImplemented
    before = _core._set_torch_function(1)
    try:
        result = func(*args, **(kwargs or {}))
    finally:
        _core._set_torch_function(before)
    return result if func in PLAIN_GETTERS else _as_type(result, cls)


_torch_function.__name__ = _torch_function.__qualname__ = "__torch_function__"
Tensor.__torch_function__ = classmethod(_torch_function)


def make_overridable():
    """Lets types and modes take over the methods of Tensor that are written in Python."""
    kept = ("__iter__", "__dir__")
    for name, value in list(Tensor.__dict__.items()):
        if type(value) is FunctionType and name not in kept:
            setattr(Tensor, name, _core._python_operator(value, "lampas"))


Tensor.__module__ = "torch"


@method
def __array_namespace__(self, *, api_version=None):
    """The functions of the array API standard, see `lampas.array_api`. PyTorch's tensors lack this."""
    from lampas import array_api

    return array_api.namespace_for(api_version)


@method
def to_device(self, device, /, *, stream=None):
    """The array on another device, as the array API standard calls `to`."""
    if stream is not None:
        raise NotImplementedError("Tensor.to_device: streams are not available")
    return self.to(device)
