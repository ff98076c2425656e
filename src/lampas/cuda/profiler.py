"""Tells NVIDIA's profilers which part of a program to watch."""

import contextlib

from lampas import _core, hints

__all__ = ["profile", "start", "stop"]


def _tell(on):
    if not _core._cuda_device_count():
        raise hints.hinted(AssertionError("Torch not compiled with CUDA enabled"))
    _core._cuda_profile(on)


def start():
    """The profiler, if one runs the program, watches from here on. AssertionError without a GPU."""
    _tell(True)


def stop():
    """The profiler stops watching. AssertionError without a GPU."""
    _tell(False)


@contextlib.contextmanager
def profile():
    """Context: the profiler watches what is inside."""
    start()
    try:
        yield
    finally:
        stop()
