"""Streams and events of devices, for `lampas.cuda` where there is a GPU.

A stream is known by its device and the driver's handle; the core keeps which one is current on each
thread.
"""

from lampas import _core
from lampas._utils import _get_device_index

__all__ = [
    "Event", "ExternalStream", "Stream", "StreamContext", "current_stream", "default_stream",
    "get_stream_from_external", "is_current_stream_capturing", "set_stream", "stream",
]  # fmt: skip


def index_of(device=None):
    """The number of a device; None: the current one."""
    chosen = _get_device_index(device, optional=True)
    return _core._cuda_current_device() if chosen is None or chosen < 0 else chosen


class Stream:
    """A queue of work on a device, beside the default one.

    device: None for the current one. priority: 0, down to -3 for work that goes first. Each priority
    has 32 streams of a device, which are given in turn.
    """

    device_type = 1  # of CUDA, among PyTorch's numbers

    def __init__(self, device=None, priority=0, *, _handle=None, **kwargs):
        if "stream_ptr" in kwargs:
            _handle = kwargs.pop("stream_ptr")
        elif "stream_id" in kwargs:
            _handle, device = kwargs.pop("stream_id"), kwargs.pop("device_index", device)
            kwargs.pop("device_type", None)
        if kwargs:
            raise TypeError(f"Stream() got an unexpected keyword argument '{next(iter(kwargs))}'")
        self.device_index = index_of(device)
        self.device = _core.device("cuda", self.device_index)
        if _handle is None:
            _handle = _core._cuda_new_stream(self.device_index, priority)
        self.cuda_stream = self.stream_id = _handle

    @property
    def priority(self):
        """What it was made with, as the driver sees it: 0, or less for work that goes first."""
        return _core._cuda_stream_priority(self.device_index, self.cuda_stream)

    @staticmethod
    def priority_range():
        """(least, greatest) priority that the current device's streams may have."""
        least, greatest = _core._cuda_priority_range(index_of())
        return least, max(greatest, -3)

    @property
    def _as_parameter_(self):
        import ctypes

        return ctypes.c_void_p(self.cuda_stream)

    def query(self):
        """Whether all work given to the stream is done."""
        return _core._cuda_stream_done(self.device_index, self.cuda_stream)

    def synchronize(self):
        """Waits until all work given to the stream is done."""
        _core._cuda_stream_synchronize(self.device_index, self.cuda_stream)

    def is_capturing(self):
        """Whether what the stream is given becomes part of a graph."""
        return _core._cuda_stream_capturing(self.device_index, self.cuda_stream)

    def record_event(self, event=None):
        """Records an event (None: a new one) and returns it."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event):
        """Later work waits for the event."""
        event.wait(self)

    def wait_stream(self, stream):
        """Later work waits for what has been given to the other stream."""
        self.wait_event(stream.record_event())

    def __enter__(self):
        self._contexts = [*getattr(self, "_contexts", ()), StreamContext(self)]
        self._contexts[-1].__enter__()
        return self

    def __exit__(self, *error):
        return self._contexts.pop().__exit__(*error)

    def __eq__(self, other):
        return isinstance(other, Stream) and (self.device_index, self.cuda_stream) == (
            other.device_index,
            other.cuda_stream,
        )

    def __hash__(self):
        return hash((self.device_index, self.cuda_stream))

    def __repr__(self):
        return f"<torch.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


class ExternalStream(Stream):
    """A stream that another library made, and keeps: its driver's handle as a number."""

    def __init__(self, stream_ptr, device=None):
        super().__init__(device, _handle=stream_ptr)


def get_stream_from_external(data_ptr, device=None):
    """`ExternalStream(data_ptr, device)`."""
    return ExternalStream(data_ptr, device)


class Event:
    """A moment on a stream.

    enable_timing: whether `elapsed_time` may be asked. blocking: whether `synchronize` sleeps; it
    waits busily otherwise.

    Raises:
        NotImplementedError: interprocess or external events.
    """

    def __init__(self, enable_timing=False, blocking=False, interprocess=False, external=False):
        if interprocess or external:
            kind = "interprocess" if interprocess else "external"
            raise NotImplementedError(f"torch.cuda.Event({kind}=True) is not available in Lampas")
        self._event = _core._cuda_new_event(bool(enable_timing), bool(blocking))

    @property
    def cuda_event(self):
        """The driver's handle as a number; 0 before the first record."""
        return _core._cuda_event_handle(self._event)[1]

    @property
    def device(self):
        """The device it was recorded on; None before the first record."""
        index = _core._cuda_event_handle(self._event)[0]
        return None if index < 0 else _core.device("cuda", index)

    def record(self, stream=None):
        """Marks where the stream (None: the current one) is now."""
        stream = current_stream() if stream is None else stream
        _core._cuda_event_on_stream(self._event, "record", stream.device_index, stream.cuda_stream)

    def wait(self, stream=None):
        """Later work of the stream waits for the moment."""
        stream = current_stream() if stream is None else stream
        _core._cuda_event_on_stream(self._event, "wait", stream.device_index, stream.cuda_stream)

    def query(self):
        """Whether the moment has come."""
        return _core._cuda_event_done(self._event)

    def synchronize(self):
        """Waits until the moment has come."""
        _core._cuda_event_synchronize(self._event)

    def elapsed_time(self, end_event):
        """Milliseconds from this moment to another; both must have come. Raises RuntimeError."""
        return _core._cuda_event_elapsed(self._event, end_event._event)

    def ipc_handle(self):
        """Raises NotImplementedError: events stay in their process."""
        raise NotImplementedError("torch.cuda.Event.ipc_handle is not available in Lampas")

    def __repr__(self):
        handle = self.cuda_event
        return f"<torch.cuda.Event {handle:#x}>" if handle else "<torch.cuda.Event uninitialized>"


def current_stream(device=None):
    """The stream that takes this thread's work on a device."""
    index = index_of(device)
    return Stream(index, _handle=_core._cuda_current_stream(index))


def default_stream(device=None):
    """The stream that a device has by itself."""
    return Stream(index_of(device), _handle=0)


def set_stream(stream):
    """Makes a stream current on this thread. None does nothing."""
    if stream is not None:
        _core._cuda_set_device(stream.device_index)
        _core._cuda_set_stream(stream.device_index, stream.cuda_stream)


def is_current_stream_capturing():
    """Whether what the current stream is given becomes part of a graph."""
    return _core._cuda_is_capturing()


class StreamContext:
    """Context: another current stream, and its device. None does nothing."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        if self.stream is not None:
            self._device = _core._cuda_current_device()
            self._before = current_stream(self.stream.device_index)
            set_stream(self.stream)

    def __exit__(self, *_):
        if self.stream is not None:
            set_stream(self._before)
            _core._cuda_set_device(self._device)
        return False


def stream(stream):
    """`StreamContext(stream)`."""
    return StreamContext(stream)
