"""Storages with an element type: `TypedStorage`, and `FloatStorage` and its like.

A typed storage is an untyped one and a dtype; PyTorch keeps it for old code, and files name it.
The methods of `UntypedStorage` itself are in `ops.untyped_storage`.
"""

import reprlib
import warnings

import lampas
from lampas import UntypedStorage
from lampas.ops.untyped_storage import CONVERSIONS, flat_tensor

__all__ = ["TypedStorage", "UntypedStorage"]

# The storage class of each element type. Types without one travel in files as bytes.
STORAGE_NAMES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    "complex64": "ComplexFloatStorage",
    "complex128": "ComplexDoubleStorage",
}
_TYPED_FORMS = (
    "TypedStorage.__init__ received an invalid combination of arguments. Expected one of:\n"
    " * (*, torch.device device, torch.dtype dtype)\n"
    " * (int size, *, torch.device device, torch.dtype dtype)\n"
    " * (Sequence data, *, torch.device device, torch.dtype dtype)\n"
    " * (*, UntypedStorage wrap_storage, torch.dtype dtype)\n"
)
_LEGACY_FORMS = (
    ".__new__ received an invalid combination of arguments. Expected one of:\n"
    " * no arguments\n * (int size)\n * (Sequence data)\n * (*, UntypedStorage wrap_storage)\n"
)
_warned = False


def warn_deprecated(stacklevel=3):
    """PyTorch's warning about typed storages, once in a process."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will "
            "be the only storage class. This should only matter to you if you are using storages "
            "directly.  To access UntypedStorage directly, use tensor.untyped_storage() instead of "
            "tensor.storage()",
            stacklevel=stacklevel,
        )


class TypedStorage:
    """A storage whose elements have a dtype (default float32) instead of being bytes.

    Made of a size, of a sequence of numbers, or around an `UntypedStorage` with `wrap_storage` and
    `dtype`. RuntimeError or TypeError for other arguments.
    """

    __slots__ = ("_untyped_storage", "_dtype", "__weakref__")

    def __new__(cls, *args, wrap_storage=None, dtype=None, device=None):
        warn_deprecated()
        return cls._made(args, wrap_storage, dtype, device, _TYPED_FORMS)

    @classmethod
    def _over(cls, untyped, dtype):
        """Without the warning: `untyped` with a dtype."""
        self = object.__new__(TypedStorage)
        self._untyped_storage, self._dtype = untyped, dtype
        return self

    @classmethod
    def _made(cls, args, wrap_storage, dtype, device=None, forms=_TYPED_FORMS):
        if len(args) > (1 if wrap_storage is None else 0):
            raise RuntimeError(forms + "Too many positional arguments")
        if wrap_storage is not None:
            if dtype is None:
                raise RuntimeError(forms + "Argument 'dtype' must be specified")
            if not isinstance(wrap_storage, UntypedStorage):
                kind = type(wrap_storage)
                message = f"Argument 'wrap_storage' must be UntypedStorage, but got {kind}"
                raise TypeError(forms + message)
            return cls._over(wrap_storage, dtype)
        dtype = dtype or lampas.get_default_dtype()
        given = args[0] if args else 0
        if isinstance(given, int):
            untyped = _bytes_on(device, given * dtype.itemsize)
        elif isinstance(given, (list, tuple)):
            untyped = lampas.tensor(given, dtype=dtype, device=device).untyped_storage()
        elif isinstance(given, (str, bytes)):
            raise TypeError(f"new(): invalid data type {type(given).__name__!r}")
        else:
            raise TypeError(forms + f"Argument type not recognized: {type(given)}")
        return cls._over(untyped, dtype)

    @property
    def dtype(self):
        return self._dtype

    @property
    def device(self):
        return self._untyped_storage.device

    is_cuda = property(lambda self: self._untyped_storage.is_cuda)
    is_sparse = is_hpu = False
    filename = None
    _cdata = property(lambda self: self._untyped_storage._cdata)

    def __len__(self):
        return self._untyped_storage.nbytes() // self._dtype.itemsize

    size = _size = __len__

    def __getitem__(self, index):
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        if not isinstance(index, int):
            raise RuntimeError(f"can't index a {TypedStorage} with {type(index)}")
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"index {index} out of range for storage of size {count}")
        return self._tensor()[index].item()

    def __setitem__(self, index, value):
        if not isinstance(index, (int, slice)):
            raise RuntimeError(f"can't index a {TypedStorage} with {type(index)}")
        self._tensor()[index] = value

    def __iter__(self):
        return iter(self.tolist())

    def __repr__(self):
        values = "\n ".join(str(value) for value in self.tolist())
        return (
            f" {values}\n[torch.storage.TypedStorage(dtype={self._dtype}, "
            f"device={self.device}) of size {len(self)}]"
        )

    def __copy__(self):
        return self.clone()

    def __deepcopy__(self, memo):
        return self._over(self._untyped_storage.__deepcopy__(memo), self._dtype)

    def __reduce__(self):
        return TypedStorage._over, (self._untyped_storage, self._dtype)

    def _tensor(self):
        return flat_tensor(self._untyped_storage, self._dtype)

    def untyped(self):
        """The bytes without the dtype."""
        return self._untyped_storage

    def nbytes(self):
        return self._untyped_storage.nbytes()

    def element_size(self):
        return self._dtype.itemsize

    def data_ptr(self):
        return self._untyped_storage.data_ptr()

    def tolist(self):
        """The elements as Python numbers."""
        return self._tensor().tolist()

    def fill_(self, value):
        """Set every element."""
        self._tensor().fill_(value)
        return self

    def copy_(self, source, non_blocking=None):
        """Take over the bytes of a storage of the same size in bytes."""
        self._untyped_storage.copy_(source, non_blocking)
        return self

    def clone(self):
        """A storage of its own with the same elements."""
        return self._over(self._untyped_storage.clone(), self._dtype)

    def resize_(self, size):
        """Give it `size` elements. Returns None, as PyTorch's does."""
        self._untyped_storage.resize_(size * self._dtype.itemsize)

    def new(self):
        """An empty storage of this dtype and device."""
        return self._over(self._untyped_storage.new(), self._dtype)

    def cpu(self):
        return self._over(self._untyped_storage.cpu(), self._dtype)

    def cuda(self, device=None, non_blocking=False):
        return self._over(self._untyped_storage.cuda(device, non_blocking), self._dtype)

    def to(self, *, device, non_blocking=False):
        return self._over(self._untyped_storage.to(device=device), self._dtype)

    def get_device(self):
        return self._untyped_storage.get_device()

    def resizable(self):
        return True

    def is_pinned(self, device="cuda"):
        return self._untyped_storage.is_pinned()

    def is_shared(self):
        """Whether the memory is shared with other processes, see `Tensor.share_memory_`."""
        return self._untyped_storage.is_shared()

    def share_memory_(self):
        """Itself where it is shared; NotImplementedError otherwise: a storage cannot move."""
        self._untyped_storage.share_memory_()
        return self

    def type(self, dtype=None, non_blocking=False):
        """The name of the class, or the storage converted to the class or dtype that is given."""
        place = "torch.cuda." if self.is_cuda else "torch."
        if dtype is None:
            return place + self.pickle_storage_type()
        if isinstance(dtype, str):
            dtype = CLASSES[dtype.rpartition(".")[2]]
        return self._converted(getattr(dtype, "dtype", dtype))

    def pickle_storage_type(self):
        """The name of the class in files. KeyError for dtypes that have none."""
        name = str(self._dtype).rpartition(".")[2]
        if name not in STORAGE_NAMES:
            raise KeyError(f"dtype {self._dtype} is not recognized")
        return STORAGE_NAMES[name]

    def _converted(self, dtype):
        return self._over(self._tensor().to(dtype).clone().untyped_storage(), dtype)


def _conversion(dtype_name):
    return lambda self: self._converted(getattr(lampas, dtype_name))


for _name, _dtype_name in CONVERSIONS.items():
    setattr(TypedStorage, _name, _conversion(_dtype_name))


def _bytes_on(device, count):
    if device is None or lampas.device(device).type == "cpu":
        return UntypedStorage(count)
    return lampas.empty(count, dtype=lampas.uint8, device=device).untyped_storage()


class _LegacyMeta(type):
    """`isinstance(storage, FloatStorage)` asks for the dtype: instances are `TypedStorage`s."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, TypedStorage) and instance._dtype == cls.dtype


def _legacy_new(cls, *args, **kwargs):
    forms = f"<class 'torch.{cls.__name__}'>{_LEGACY_FORMS}"
    for name in kwargs:
        if name != "wrap_storage":
            raise RuntimeError(forms + f"Keyword argument '{name}' cannot be specified")
    warn_deprecated()
    return cls._made(args, kwargs.get("wrap_storage"), cls.dtype, None, forms)


def _legacy_from_buffer(cls, buffer, byte_order=None, *, count=-1, offset=0):
    """A storage with a copy of a buffer's bytes, which are in `byte_order` (native, little, big)."""
    if byte_order is None and cls.dtype.itemsize > 1:
        raise RuntimeError("function missing required argument 'byte_order' (pos 2)")
    dtype, order = cls.dtype, byte_order or "native"
    if order not in ("native", "little", "big"):
        raise ValueError(f"invalid byte_order {reprlib.repr(order)}: expected 'little' or 'big'")
    wanted = {"dtype": dtype, "byte_order": order, "count": count, "offset": offset}
    return cls._over(UntypedStorage.from_buffer(buffer, **wanted), dtype)


def _legacy_from_file(cls, filename, shared, size=0):
    """A storage of `size` elements mapped from a file, see `UntypedStorage.from_file`."""
    mapped = UntypedStorage.from_file(filename, shared, size * cls.dtype.itemsize)
    return cls._over(mapped, cls.dtype)


def _legacy_class(name, dtype_name):
    namespace = {
        "__slots__": (),
        "__module__": "lampas",
        "__doc__": f"Makes a `TypedStorage` of {dtype_name}.",
        "__new__": _legacy_new,
        "dtype": getattr(lampas, dtype_name),
        "from_buffer": classmethod(_legacy_from_buffer),
        "from_file": classmethod(_legacy_from_file),
    }
    return _LegacyMeta(name, (TypedStorage,), namespace)


# name -> class; `storage.FloatStorage` and `lampas.FloatStorage` are the same.
CLASSES = {name: _legacy_class(name, dtype) for dtype, name in STORAGE_NAMES.items()}
globals().update(CLASSES)
Storage = CLASSES["FloatStorage"]


def class_of(dtype):
    """The class that stands for a dtype: `FloatStorage` and so on, or `UntypedStorage`."""
    return CLASSES.get(STORAGE_NAMES.get(str(dtype).rpartition(".")[2]), UntypedStorage)


def _load_from_bytes(content):
    """A storage that PyTorch pickled with plain `pickle`. As PyTorch's, this trusts the bytes."""
    import io

    return lampas.load(io.BytesIO(content), weights_only=False)
