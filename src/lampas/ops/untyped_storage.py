"""What can be done with a block of memory as bytes: methods of UntypedStorage beside those of the core."""

from lampas import _core

Storage = _core.UntypedStorage


def _bytes(storage):
    """The storage as a vector of uint8 in the same memory."""
    return _core._tensor_from_storage(storage, _core.uint8, 0, (storage.nbytes(),), (1,))


def method(function):
    setattr(Storage, function.__name__, function)
    return function


def check_place(index, size):
    if not -size <= index < size:
        raise IndexError(f"index {index} out of range for storage of size {size}")
    return index % size


@method
def __len__(self):
    return self.nbytes()


@method
def __getitem__(self, index):
    if not isinstance(index, slice):
        return int(_bytes(self)[check_place(index, self.nbytes())])
    # A slice shares the memory, which a new storage over part of a block cannot; the bytes are copied.
    return _bytes(self)[index].clone().untyped_storage()


@method
def __setitem__(self, index, value):
    _bytes(self)[index] = value


@method
def __iter__(self):
    return iter(self.tolist())


@method
def __bool__(self):
    return self.nbytes() > 0


@method
def __repr__(self):
    lines = "".join(f" {value}\n" for value in self.tolist())
    return f"{lines}[torch.storage.UntypedStorage(device={self.device}) of size {self.nbytes()}]"


@method
def tolist(self):
    """The bytes as a list."""
    return _bytes(self).tolist()


@method
def element_size(self):
    """1."""
    return 1


@method
def clone(self):
    """A copy in fresh memory."""
    return _bytes(self).clone().untyped_storage()


@method
def fill_(self, value):
    """Sets every byte."""
    _bytes(self).fill_(value)
    return self


@method
def copy_(self, source, non_blocking=None):
    """Takes the bytes of another storage of the same size."""
    _bytes(self).copy_(_bytes(source))
    return self


@method
def cpu(self):
    """The storage itself: it is on the CPU."""
    return self


@method
def untyped(self):
    """The storage itself."""
    return self


@method
def type(self, dtype=None, non_blocking=False):
    """The class's name; or the bytes as numbers of a type, as a TypedStorage."""
    if dtype is None:
        return "torch.storage.UntypedStorage"
    from lampas.storage import TypedStorage

    return TypedStorage(wrap_storage=_bytes(self).to(dtype).untyped_storage(), dtype=dtype)


@method
def is_pinned(self, device="cuda"):
    """False."""
    return False


@method
def resizable(self):
    """True."""
    return True


Storage.is_cuda = Storage.is_hpu = False
Storage.filename = None
