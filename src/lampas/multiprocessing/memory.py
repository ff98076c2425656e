"""Anonymous memory that processes share: made, mapped, passed on by file descriptor, given back.

A segment has no name, so nothing can be left behind: the kernel frees it with the last process
that maps it, however that process ends. Tensors over segments are in `reductions`.
"""

import ctypes
import functools
import mmap
import os
import tempfile
import weakref

STRATEGIES = ("file_descriptor", "file_system")
_strategy = STRATEGIES[0]
_FAILED = ctypes.c_void_p(-1).value

segments = {}  # address -> the Segment mapped there


def set_sharing_strategy(new_strategy):
    """Where shared memory comes from.

    "file_descriptor" (default): memory of the kernel's own (memfd), which the size of /dev/shm does
    not limit. A shared tensor holds a file descriptor, in every process that received it.
    "file_system": files without a name in /dev/shm, which does limit them. Received tensors hold
    no descriptors; sent on once more, they arrive as copies.

    Either way nothing has a name, so nothing is left behind. AssertionError for other names.
    """
    global _strategy
    if new_strategy not in STRATEGIES:
        raise AssertionError(
            f"invalid sharing strategy '{new_strategy}', expected one of {set(STRATEGIES)}"
        )
    _strategy = new_strategy


def get_sharing_strategy():
    """The current strategy, see `set_sharing_strategy`."""
    return _strategy


def get_all_sharing_strategies():
    """The names that `set_sharing_strategy` takes."""
    return set(STRATEGIES)


class Segment:
    """Shared memory mapped into this process: `size` bytes at `address`.

    `fd` is open until `close_fd`. The memory stays mapped until `unmap`, or, for a segment with
    `on_release` None, until the last buffer over it dies. Otherwise `on_release(segment)` is called
    for each buffer that dies, from any thread and at any time: it must not take locks.
    """

    def __init__(self, fd, size, on_release=None):
        self.fd = fd
        self.size = size
        self.on_release = on_release
        self.address = _map(fd, size)
        self._buffers = {}  # id -> weak reference (which has no hash: the arrays have none)
        segments[self.address] = self

    @property
    def used(self):
        """Whether a buffer over it is alive in this process."""
        return bool(self._buffers)

    def buffer(self, size):
        """A writable buffer over the first `size` bytes, which keeps them mapped."""
        array = (ctypes.c_char * size).from_address(self.address)
        reference = weakref.ref(array, self._released)
        self._buffers[id(reference)] = reference
        return array

    def _released(self, reference):
        self._buffers.pop(id(reference), None)
        if self.on_release is not None:
            self.on_release(self)
        elif not self._buffers:
            self.unmap()

    def close_fd(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def unmap(self):
        """Gives the memory back. The caller knows that no buffer is in use."""
        self.close_fd()
        if segments.pop(self.address, None) is self:
            _libc().munmap(self.address, self.size)


def create(size):
    """A new segment of at least `size` bytes, with all of its memory reserved.

    RuntimeError where there is not enough: better here than a bus error at the first write.
    """
    size = max(-(-size // mmap.PAGESIZE), 1) * mmap.PAGESIZE
    fd = None
    try:
        fd = _open()
        _reserve(fd, size)
        return Segment(fd, size)
    except OSError as error:
        if fd is not None:
            os.close(fd)
        raise RuntimeError(_explain(error, size)) from None


def attach(fd, size):
    """The segment of another process, by a file descriptor, which it takes over."""
    try:
        return Segment(fd, size)
    except OSError as error:
        os.close(fd)
        raise RuntimeError(_explain(error, size)) from None


def _open():
    if _strategy == "file_descriptor" and hasattr(os, "memfd_create"):
        return os.memfd_create("lampas", os.MFD_CLOEXEC)
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir()
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        return os.dup(file.fileno())


def _reserve(fd, size):
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
    else:
        os.ftruncate(fd, size)


def _explain(error, size):
    place = "/dev/shm" if _strategy == "file_system" else "memfd"
    return (
        f"unable to allocate shared memory(shm) for file <{place}>: "
        f"{os.strerror(error.errno)} ({error.errno})\n"
        f"hint: {size} bytes were asked for; use smaller batches, a smaller prefetch_factor or "
        "fewer workers, or raise the limit (size of /dev/shm, memory of the container, ulimit -n)"
    )


def _map(fd, size):
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    address = _libc().mmap(None, size, protection, mmap.MAP_SHARED, fd, 0)
    if address == _FAILED:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return address


@functools.cache
def _libc():
    # Not the module mmap: before Python 3.13 its objects keep a file descriptor each.
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    ]  # fmt: skip
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return libc
