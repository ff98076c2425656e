"""Named ranges and marks for NVIDIA's profilers.

They go to NVIDIA's tools extension (libnvToolsExt, from the CUDA toolkit or the wheel
nvidia-nvtx-cu12), which is looked for at the first mark where there is a GPU. Without it, or without
a profiler, nothing is marked and a depth is -1.
"""

import contextlib
import ctypes
import functools
import glob
import os

from lampas import _core

__all__ = ["mark", "range", "range_end", "range_pop", "range_push", "range_start"]


@functools.cache
def _library():
    if not _core._cuda_device_count():
        return None
    from lampas import _nvidia

    folders = [folder for folder in _nvidia.folders().split(":") if folder]
    beside = {os.path.join(os.path.dirname(os.path.dirname(f)), "nvtx", "lib") for f in folders}
    found = [path for folder in sorted(beside) for path in glob.glob(f"{folder}/libnvToolsExt.so*")]
    for path in [*found, "libnvToolsExt.so.1", "libnvToolsExt.so"]:
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(path)
            library.nvtxRangeStartA.restype = ctypes.c_uint64
            library.nvtxRangeEnd.argtypes = [ctypes.c_uint64]
            return library
    return None


def range_push(msg):
    """Opens a range inside those that are open; how many there were, or -1 (see above)."""
    library = _library()
    return -1 if library is None else library.nvtxRangePushA(str(msg).encode())


def range_pop():
    """Closes the innermost range; how many are left, or -1."""
    library = _library()
    return -1 if library is None else library.nvtxRangePop()


def range_start(msg):
    """Opens a range that another thread may close; its number, 0 without the library."""
    library = _library()
    return 0 if library is None else library.nvtxRangeStartA(str(msg).encode())


def range_end(range_id):
    """Closes a range of `range_start`."""
    library = _library()
    if library is not None:
        library.nvtxRangeEnd(range_id)


def mark(msg):
    """Marks a moment."""
    library = _library()
    if library is not None:
        library.nvtxMarkA(str(msg).encode())


@contextlib.contextmanager
def range(msg, *args, **kwargs):
    """Context: a range, named `msg.format(*args, **kwargs)`."""
    range_push(msg.format(*args, **kwargs))
    try:
        yield
    finally:
        range_pop()
