"""Methods of `UntypedStorage` that are said in Python: filling, copying, converting, printing.

The type itself, its size, address and items are the core's; `TypedStorage` is in `storage`.
"""

import lampas
from lampas import _core

UntypedStorage = _core.UntypedStorage
_item = UntypedStorage.__getitem__
_set_item = UntypedStorage.__setitem__

# method -> dtype of the storage that it converts to
CONVERSIONS = {
    "double": "float64",
    "float": "float32",
    "half": "float16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "char": "int8",
    "byte": "uint8",
    "bool": "bool",
    "bfloat16": "bfloat16",
    "complex_double": "complex128",
    "complex_float": "complex64",
}


def flat_tensor(storage, dtype):
    """All whole elements of a storage as a tensor over the same memory."""
    count = storage.nbytes() // dtype.itemsize
    return _core._tensor_from_storage(storage, dtype, 0, (count,), (1,))


def method(function):
    setattr(UntypedStorage, function.__name__, function)
    return function


def _bytes(self):
    return flat_tensor(self, _core.uint8)


@method
def __getitem__(self, index):
    if not isinstance(index, slice):
        return _item(self, index)
    start, stop, step = index.indices(self.nbytes())
    if step != 1:
        raise RuntimeError(
            f"Trying to slice with a step of {step}, but only a step of 1 is supported"
        )
    count = max(stop - start, 0)
    if not count:
        return UntypedStorage(0)
    # The part keeps the whole alive through the buffer it stands on.
    part = memoryview(self)[start:stop]
    return lampas.frombuffer(part, dtype=_core.uint8).untyped_storage()


@method
def __setitem__(self, index, value):
    if isinstance(index, slice):
        _bytes(self)[index] = value
    else:
        _set_item(self, index, value & 0xFF if isinstance(value, int) else value)


@method
def __iter__(self):
    return iter(self.tolist())


@method
def __bool__(self):
    return self.nbytes() > 0


@method
def __repr__(self):
    values = "\n ".join(str(value) for value in self.tolist())
    return f" {values}\n[torch.storage.UntypedStorage(device={self.device}) of size {len(self)}]"


@method
def __eq__(self, other):
    if not isinstance(other, UntypedStorage):
        return NotImplemented
    # Each request makes a new object for the same memory. Without memory, only itself is equal.
    mine, others = self.data_ptr(), other.data_ptr()
    return self is other or (mine == others != 0 and self.nbytes() == other.nbytes())


@method
def __hash__(self):
    return hash(self.data_ptr()) or id(self)


@method
def __copy__(self):
    return self.clone()


@method
def __deepcopy__(self, memo):
    # Storage objects come and go, their memory stays: views of one memory stay views of the copy.
    if not self.nbytes():
        return self.clone()
    key = ("storage", self.data_ptr(), self.nbytes())
    if key not in memo:
        memo[key] = self.clone()
    return memo[key]


@method
def __reduce__(self):
    return _rebuild_untyped, (bytes(memoryview(self.cpu())),)


def _rebuild_untyped(content):
    storage = UntypedStorage(len(content))
    memoryview(storage)[:] = content
    return storage


@method
def __sizeof__(self):
    """What sys.getsizeof counts, as for PyTorch's storages: the object and its bytes."""
    return 64 + self.nbytes()


@method
def clone(self):
    """A storage of its own with the same bytes."""
    return _core._copy_storage(self)


@method
def copy_(self, source, non_blocking=None):
    """Take over the bytes of a storage of the same size. RuntimeError for another size."""
    source = getattr(source, "_untyped_storage", source)
    if source.nbytes() != self.nbytes():
        raise RuntimeError(
            f"size does not match, self was {self.nbytes()} bytes but src was "
            f"{source.nbytes()} bytes"
        )
    _bytes(self).copy_(_bytes(source))
    return self


@method
def fill_(self, value):
    """Set every byte."""
    _bytes(self).fill_(value)
    return self


@method
def tolist(self):
    """The bytes as ints."""
    return _bytes(self).tolist()


@method
def byteswap(self, dtype):
    """Reverse the byte order of every element, in place."""
    size = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
    rows = _bytes(self)[: self.nbytes() // size * size].view(-1, size)
    rows.copy_(rows.flip(1))


@method
def cpu(self):
    """The same storage where it is in main memory already, else a copy there."""
    return self if self.device.type == "cpu" else _bytes(self).cpu().untyped_storage()


@method
def cuda(self, device=None, non_blocking=False):
    """A copy on a CUDA device."""
    return _bytes(self).cuda(device, non_blocking).untyped_storage()


@method
def to(self, *, device, non_blocking=False):
    """The storage on another device; itself where it is there already."""
    device = lampas.device(device)
    return (
        self
        if device == self.device
        else _bytes(self).to(device, non_blocking=non_blocking).untyped_storage()
    )


@method
def untyped(self):
    """Itself."""
    return self


@method
def new(self):
    """An empty storage on the same device."""
    return lampas.empty(0, dtype=_core.uint8, device=self.device).untyped_storage()


@method
def element_size(self):
    return 1


@method
def type(self, dtype=None, non_blocking=False):
    """`'torch.storage.UntypedStorage'`."""
    return "torch.storage.UntypedStorage"


@method
def get_device(self):
    return self.device.index


@method
def resizable(self):
    return True


@method
def is_pinned(self, device="cuda"):
    return _core._cuda_is_pinned(_bytes(self))


@method
def is_shared(self):
    """Whether the memory is shared with other processes, see `Tensor.share_memory_`."""
    from lampas.multiprocessing import reductions

    return reductions.is_shared(self)


@method
def share_memory_(self):
    """Itself where it is shared; NotImplementedError otherwise: a storage cannot move."""
    if self.is_shared():
        return self
    raise NotImplementedError(
        "UntypedStorage.share_memory_: call share_memory_() of the tensor instead"
    )


def from_buffer(buffer, *, dtype, byte_order="native", count=-1, offset=0):
    """A storage with a copy of a buffer's bytes, turned into the machine's byte order."""
    import sys

    content = memoryview(buffer).cast("B")[offset:]
    storage = _rebuild_untyped(content[: count * dtype.itemsize] if count >= 0 else content)
    if byte_order not in ("native", sys.byteorder):
        storage.byteswap(dtype)
    return storage


def from_file(filename, shared=False, nbytes=0):
    """A storage of `nbytes` bytes mapped from a file, as `torch.from_file` maps a tensor."""
    from lampas.ops import files

    return files.from_file(filename, shared, nbytes, dtype=_core.uint8).untyped_storage()


def _typed(dtype_name):
    def convert(self):
        from lampas.storage import TypedStorage

        dtype = getattr(_core, dtype_name)
        values = _bytes(self).to(dtype)
        return TypedStorage._over(values.untyped_storage(), dtype)

    return convert


for _name, _dtype_name in CONVERSIONS.items():
    setattr(UntypedStorage, _name, _typed(_dtype_name))
UntypedStorage.from_buffer = staticmethod(from_buffer)
UntypedStorage.from_file = staticmethod(from_file)
UntypedStorage.is_cuda = property(lambda self: self.device.type == "cuda")
UntypedStorage.is_sparse = UntypedStorage.is_sparse_csr = UntypedStorage.is_hpu = False
UntypedStorage.filename = None
UntypedStorage._cdata = property(lambda self: self.data_ptr())
