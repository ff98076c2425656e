"""`torch.storage`: memory seen as elements of one type. The untyped memory itself is the core's."""

import lampas
from lampas import _core, unavailable

UntypedStorage = _core.UntypedStorage
_CLASSES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool",
    "ComplexDoubleStorage": "complex128", "ComplexFloatStorage": "complex64",
}  # fmt: skip


class TypedStorage:
    """A sequence of numbers over an UntypedStorage; writes are seen by the tensors over it.

    TypedStorage(size, dtype=...), TypedStorage(sequence, dtype=...) or
    TypedStorage(wrap_storage=untyped, dtype=...).
    """

    _dtype = None  # of the class, in FloatStorage and its like

    def __init__(self, *args, wrap_storage=None, dtype=None, device=None, _internal=False):
        self.dtype = dtype or self._dtype or lampas.get_default_dtype()
        if wrap_storage is not None:
            if not isinstance(wrap_storage, UntypedStorage):
                raise TypeError(
                    "Argument 'wrap_storage' must be UntypedStorage, but got "
                    f"{type(wrap_storage).__name__}"
                )
            self._untyped_storage = wrap_storage
        elif not args:
            self._untyped_storage = UntypedStorage(0)
        elif isinstance(args[0], int):
            self._untyped_storage = UntypedStorage(args[0] * self.dtype.itemsize)
        else:
            self._untyped_storage = lampas.tensor(args[0], dtype=self.dtype).untyped_storage()

    @classmethod
    def _from_buffer(cls, buffer, *args, byte_order="native", **kwargs):
        """The elements in a bytes-like object, copied."""
        if byte_order not in ("native", "little"):
            raise NotImplementedError(f"storage from a buffer in byte order {byte_order!r}")
        untyped = UntypedStorage(memoryview(buffer).nbytes)
        memoryview(untyped)[:] = memoryview(buffer).cast("B")
        return cls(wrap_storage=untyped)

    from_buffer = _from_buffer

    @property
    def device(self):
        """Where the memory is."""
        return self._untyped_storage.device

    @property
    def is_cuda(self):
        """Whether it is on a GPU."""
        return self.device.type == "cuda"

    @property
    def filename(self):
        """None: it is not a mapped file."""
        return None

    def untyped(self):
        """The same memory as bytes."""
        return self._untyped_storage

    def _elements(self):
        return _core._tensor_from_storage(self._untyped_storage, self.dtype, 0, (len(self),), (1,))

    def __len__(self):
        return self._untyped_storage.nbytes() // self.dtype.itemsize

    size = _size = __len__

    def nbytes(self):
        """The number of bytes."""
        return self._untyped_storage.nbytes()

    def element_size(self):
        """The number of bytes of one element."""
        return self.dtype.itemsize

    def data_ptr(self):
        """The address."""
        return self._untyped_storage.data_ptr()

    _data_ptr = data_ptr

    def tolist(self):
        """The elements as Python numbers."""
        return self._elements().tolist()

    def __getitem__(self, index):
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        return self._elements()[index].item()

    def __setitem__(self, index, value):
        self._elements()[index] = value

    def __iter__(self):
        return iter(self.tolist())

    def fill_(self, value):
        """Sets every element."""
        self._elements().fill_(value)
        return self

    def copy_(self, source, non_blocking=None):
        """Copies the elements of another storage, converted."""
        self._elements().copy_(source._elements())
        return self

    def clone(self):
        """A copy."""
        made = type(self)(wrap_storage=_core._copy_storage(self._untyped_storage), dtype=self.dtype)
        return made

    def cpu(self):
        """This storage: it is on the CPU."""
        return self

    def is_shared(self):
        """Whether other processes see the memory."""
        return self._elements().is_shared()

    def share_memory_(self):
        """Lets processes that it is sent to see the memory."""
        shared = self._elements().share_memory_()
        self._untyped_storage = shared.untyped_storage()
        return self

    def pin_memory(self, device=None):
        """This storage; memory is pinned for GPUs only."""
        return self

    def is_pinned(self, device=None):
        """False."""
        return False

    def type(self, dtype=None, non_blocking=False):
        """The name of its class in PyTorch, or with `dtype` a converted copy."""
        if dtype is not None:
            return self._to(dtype)
        return f"torch.{self._type_name()}"

    def _type_name(self):
        wanted = str(self.dtype).rpartition(".")[2]
        return next((name for name, dtype in _CLASSES.items() if dtype == wanted), "TypedStorage")

    def _to(self, dtype):
        return TypedStorage(wrap_storage=self._elements().to(dtype).untyped_storage(), dtype=dtype)

    def __eq__(self, other):
        return isinstance(other, TypedStorage) and self.data_ptr() == other.data_ptr()

    __hash__ = object.__hash__

    def __repr__(self):
        elements = "".join(f" {value}\n" for value in self.tolist())
        return (
            f"{elements}[torch.storage.{type(self).__name__}(dtype={self.dtype}, "
            f"device={self.device}) of size {len(self)}]"
        )

    def __reduce__(self):
        return _rebuild, (bytes(memoryview(self._untyped_storage)), self.dtype)


def _rebuild(data, dtype):
    untyped = UntypedStorage(len(data))
    memoryview(untyped)[:] = data
    return TypedStorage(wrap_storage=untyped, dtype=dtype)


class _OfType(type):
    """`isinstance(storage, torch.FloatStorage)` asks for the element type."""

    def __instancecheck__(cls, value):
        if cls._dtype is None:
            return type.__instancecheck__(cls, value)
        return isinstance(value, TypedStorage) and value.dtype is cls._dtype


class _LegacyStorage(TypedStorage, metaclass=_OfType):
    """What `torch.FloatStorage` and its like have in common."""


for _name, _dtype in _CLASSES.items():
    globals()[_name] = _OfType(
        _name, (_LegacyStorage,), {"_dtype": getattr(_core, _dtype), "__module__": "torch"}
    )


def storage_of(tensor):
    """The TypedStorage of a tensor (`Tensor.storage`)."""
    return TypedStorage(wrap_storage=tensor.untyped_storage(), dtype=tensor.dtype)


globals().update(
    unavailable.names("torch", types="QUInt8Storage QInt8Storage QInt32Storage QUInt4x2Storage")
)
