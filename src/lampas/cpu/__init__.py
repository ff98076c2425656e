"""`torch.cpu`: the CPU seen as a device among others. It has no streams; everything is in order."""

import contextlib
import importlib


def is_available():
    """True."""
    return True


is_initialized = is_available


def device_count():
    """1."""
    return 1


def current_device():
    """ "cpu"."""
    return "cpu"


def synchronize(device=None):
    """Nothing to wait for."""


def set_device(device):
    """There is one CPU."""


class Stream:
    """Operations in order; the CPU needs none."""

    def __init__(self, priority=-1):
        pass

    def wait_stream(self, stream):
        """Nothing to wait for."""

    def record_event(self):
        """Nothing to record."""

    def wait_event(self, event):
        """Nothing to wait for."""


class Event:
    """A point in a stream."""

    def query(self):
        """True: it is reached."""
        return True

    def record(self, stream=None):
        """Nothing to record."""

    def synchronize(self):
        """Nothing to wait for."""

    def wait(self, stream=None):
        """Nothing to wait for."""


_stream = Stream()


def current_stream(device=None):
    """The stream of all operations."""
    return _stream


class StreamContext(contextlib.nullcontext):
    """Context: another current stream, which changes nothing."""

    def __init__(self, stream):
        super().__init__(stream)
        self.stream = stream


def stream(stream):
    """Context: another current stream, which changes nothing."""
    return StreamContext(stream)


def _features():
    try:
        with open("/proc/cpuinfo") as file:
            return file.read()
    except OSError:
        return ""


def _is_avx2_supported():
    """Whether the processor has AVX2."""
    return "avx2" in _features()


def _is_avx512_supported():
    """Whether the processor has AVX-512."""
    return "avx512f" in _features()


def __getattr__(name):
    if name == "amp":
        return importlib.import_module("lampas.cpu.amp")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
