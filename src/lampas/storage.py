"""Storages with an element type, as PyTorch had them first; `Tensor.untyped_storage` is what is left of them."""

import warnings

import lampas
from lampas import _core
from lampas.ops.untyped_storage import check_place

UntypedStorage = _core.UntypedStorage
_LEGACY = {
    "Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16", "Byte": "uint8",
    "Char": "int8", "Short": "int16", "Int": "int32", "Long": "int64", "Bool": "bool",
    "ComplexFloat": "complex64", "ComplexDouble": "complex128",
}  # fmt: skip
__all__ = ["Storage", "TypedStorage", "UntypedStorage", *(f"{name}Storage" for name in _LEGACY)]

_warned = False


def warn_removal(stacklevel):
    """PyTorch's warning, once in a process."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only "
            "storage class. This should only matter to you if you are using storages directly.  To access "
            "UntypedStorage directly, use tensor.untyped_storage() instead of tensor.storage()",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


class TypedStorage:
    """A block of memory as a vector of one type: TypedStorage(5, dtype=...), TypedStorage([1, 2], dtype=...).

    wrap_storage: an UntypedStorage to look at instead of fresh memory.
    """

    dtype = None

    def __init__(self, *args, wrap_storage=None, dtype=None, device=None, _internal=False):
        if not _internal:
            warn_removal(2)
        if len(args) > 1:
            raise RuntimeError(
                f"{type(self).__name__}.__init__() received too many positional arguments"
            )
        self.dtype = type(self).dtype or dtype or lampas.get_default_dtype()
        if wrap_storage is not None:
            if not isinstance(wrap_storage, UntypedStorage):
                raise TypeError(
                    "Argument 'wrap_storage' must be UntypedStorage, but got "
                    f"{type(wrap_storage).__name__}"
                )
            self._storage = wrap_storage
        else:
            self._storage = self._made(*args).untyped_storage()

    def _made(self, content=0):
        if isinstance(content, int):
            return lampas.empty(content, dtype=self.dtype)
        if isinstance(content, str) or not hasattr(content, "__len__"):
            raise TypeError(f"new(): invalid data type '{type(content).__name__}'")
        return lampas.tensor(list(content), dtype=self.dtype)

    def _vector(self):
        return _core._tensor_from_storage(self._storage, self.dtype, 0, (self.size(),), (1,))

    def _like(self, vector):
        return TypedStorage(
            wrap_storage=vector.untyped_storage(), dtype=vector.dtype, _internal=True
        )

    def untyped(self):
        """The bytes."""
        return self._storage

    def size(self):
        """How many elements."""
        return self._storage.nbytes() // self.element_size()

    __len__ = size

    def element_size(self):
        """Bytes of one element."""
        return self.dtype.itemsize

    def nbytes(self):
        """Bytes of all."""
        return self._storage.nbytes()

    def data_ptr(self):
        """The address of the first element."""
        return self._storage.data_ptr()

    @property
    def device(self):
        """Where the memory is."""
        return self._storage.device

    is_cuda, filename = False, None

    def __getitem__(self, index):
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        return self._vector()[check_place(index, self.size())].item()

    def __setitem__(self, index, value):
        self._vector()[index] = value

    def __iter__(self):
        return iter(self.tolist())

    def tolist(self):
        """The elements as a list."""
        return self._vector().tolist()

    def fill_(self, value):
        """Sets every element."""
        self._vector().fill_(value)
        return self

    def copy_(self, source, non_blocking=None):
        """Takes the bytes of another storage of as many; types are not looked at, as in PyTorch."""
        self._storage.copy_(source.untyped())
        return self

    def clone(self):
        """A copy in fresh memory."""
        return self._like(self._vector().clone())

    __copy__ = clone

    def __deepcopy__(self, memo):
        copies = memo.setdefault("lampas", {})
        key = self.data_ptr()
        if key not in copies:
            copies[key] = self.clone()
        return copies[key]

    def resize_(self, size):
        """Gives it another number of elements; those that fit stay."""
        self._storage.resize_(size * self.element_size())

    def cpu(self):
        """The same memory: it is on the CPU."""
        return self._like(self._vector())

    def to(self, *, device, non_blocking=False):
        """On another device."""
        return self._like(self._vector().to(device))

    def pickle_storage_type(self):
        """The name files use: "FloatStorage"."""
        return next(
            f"{name}Storage"
            for name, dtype in _LEGACY.items()
            if str(self.dtype) == f"torch.{dtype}"
        )

    def type(self, dtype=None, non_blocking=False):
        """The name of the type, "torch.FloatStorage"; or the elements converted."""
        if dtype is None:
            return f"torch.{self.pickle_storage_type()}"
        return self._like(self._vector().to(dtype))

    def is_shared(self):
        """Whether other processes share the memory."""
        return self._storage.is_shared()

    def is_pinned(self, device="cuda"):
        """False."""
        return False

    def __eq__(self, other):
        return self is other

    __hash__ = object.__hash__

    def __repr__(self):
        lines = "\n".join(f" {value}" for value in self.tolist()) or " "
        return (
            f"{lines}\n[torch.storage.TypedStorage(dtype={self.dtype}, device={self.device}) of size "
            f"{self.size()}]"
        )


def _converter(dtype):
    def converted(self):
        return self._like(self._vector().to(dtype))

    converted.__doc__ = f"The elements as {dtype}, in fresh memory."
    return converted


class _LegacyMeta(type):
    def __instancecheck__(cls, instance):
        return isinstance(instance, TypedStorage) and instance.dtype is cls.dtype

    def __repr__(cls):
        return f"<class 'torch.{cls.__name__}'>"


class _Legacy(TypedStorage, metaclass=_LegacyMeta):
    """A storage of one type: calling the class gives a TypedStorage."""

    def __new__(cls, *args, wrap_storage=None, dtype=None, device=None, _internal=False):
        if dtype is not None:
            raise RuntimeError(
                f"{cls.__name__}.__new__() received unexpected keyword argument 'dtype'"
            )
        return TypedStorage(
            *args, wrap_storage=wrap_storage, dtype=cls.dtype, device=device, _internal=_internal
        )


for _name, _dtype in _LEGACY.items():
    _type = getattr(_core, _dtype)
    setattr(TypedStorage, {"ComplexFloat": "complex_float", "ComplexDouble": "complex_double"}.get(
        _name, _name.lower()), _converter(_type))  # fmt: skip
    globals()[f"{_name}Storage"] = _LegacyMeta(
        f"{_name}Storage", (_Legacy,), {"dtype": _type, "__module__": "torch"}
    )
Storage = _LegacyMeta("Storage", (_Legacy,), {"dtype": None, "__module__": "torch"})  # default type
