"""Tensors over the bytes of a file. Checkpoints are read and written in `lampas.serialization`."""

import mmap
import os

from lampas import _core
from lampas.ops.register import composite


@composite
def from_file(
    filename, shared=False, size=0, *, dtype=None, layout=None, device=None, requires_grad=False,
    pin_memory=False,
):  # fmt: skip
    """A vector of `size` elements in the memory of a mapped file.

    shared: writing into the tensor writes into the file, which is made or lengthened as needed. Otherwise
    writes stay in memory, and RuntimeError is raised when the file is missing or too short.
    """
    dtype = dtype or _core.get_default_dtype()
    if not size:
        return _core.empty((0,), dtype=dtype)
    count = size * dtype.itemsize
    try:
        file = os.open(filename, os.O_RDWR | os.O_CREAT if shared else os.O_RDONLY, 0o600)
    except OSError as error:
        mode = "read-write" if shared else "read-only"
        raise RuntimeError(
            f"unable to open file <{filename}> in {mode} mode: {error.strerror} ({error.errno})"
        ) from None
    try:
        found = os.fstat(file).st_size
        if found < count and not shared:
            raise RuntimeError(
                f"file <{filename}> size <{found}> is smaller than the required mapping size <{count}>"
            )
        if found < count:
            os.ftruncate(file, count)
        flags = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE
        memory = mmap.mmap(file, count, flags, mmap.PROT_READ | mmap.PROT_WRITE)
    finally:
        os.close(file)
    tensor = _core.frombuffer(memory, dtype=dtype)  # keeps the mapping alive
    return tensor.requires_grad_() if requires_grad else tensor
