"""What `lampas.cuda` answers where there is a GPU; `__init__.py` puts these names over its own.

Devices, streams, events and memory. Names that are not here keep saying that they are not there.
"""

import collections

from lampas import _core
from lampas._utils import _get_device_index

_Properties = collections.namedtuple(
    "_CudaDeviceProperties",
    "name major minor total_memory multi_processor_count warp_size max_threads_per_multi_processor",
)


def _index(device=None):
    """The number of a device; None: the current one."""
    chosen = _get_device_index(device, optional=True)
    return _core._cuda_current_device() if chosen is None or chosen < 0 else chosen


def is_available():
    """Whether there is a GPU that can be used."""
    return True


def device_count():
    """How many GPUs there are."""
    return _core._cuda_device_count()


def is_initialized():
    """True: devices are opened when they are first used."""
    return True


def init():
    """Nothing to do: devices are opened when they are first used."""


def is_bf16_supported(including_emulation=True):
    """Whether the current device computes in bfloat16 (by itself from compute capability 8.0 on)."""
    return including_emulation or get_device_capability() >= (8, 0)


def is_tf32_supported():
    """Whether the current device has TF32."""
    return get_device_capability() >= (8, 0)


def current_device():
    """The number of this thread's current device."""
    return _core._cuda_current_device()


def set_device(device):
    """Makes a device current on this thread. A negative number does nothing."""
    index = _get_device_index(device, optional=True)
    if index is not None and index >= 0:
        _core._cuda_set_device(index)


def synchronize(device=None):
    """Waits until a device (None: the current one) has done all its work."""
    _core._cuda_synchronize(_index(device))


def get_device_properties(device=None):
    """Name, compute capability, memory and size of a device."""
    return _Properties(*_core._cuda_properties(_index(device)))


def get_device_name(device=None):
    """The name of a device."""
    return get_device_properties(device).name


def get_device_capability(device=None):
    """(major, minor) compute capability of a device."""
    return get_device_properties(device)[1:3]


class device:
    """Context: another current device. None and negative indices do nothing."""

    def __init__(self, device):
        index = -1 if device is None else _get_device_index(device, optional=True)
        self.idx = -1 if index is None else index
        self.prev_idx = -1

    def __enter__(self):
        self.prev_idx = current_device()
        set_device(self.idx)

    def __exit__(self, *_):
        set_device(self.prev_idx)
        return False


class device_of(device):
    """Context: the device of a tensor becomes current; a tensor on the CPU does nothing."""

    def __init__(self, obj):
        super().__init__(obj.get_device() if obj.is_cuda else -1)


class Stream:
    """A queue of work on a device, beside the default one.

    device: None for the current one. priority: 0, or -1 for work that goes first. Of 32 in turn.
    """

    def __init__(self, device=None, priority=0, *, _handle=None):
        self.device_index = _index(device)
        self.device = _core.device("cuda", self.device_index)
        self.priority = priority
        if _handle is None:
            _handle = _core._cuda_new_stream(self.device_index, priority)
        self.cuda_stream = self.stream_id = _handle

    def query(self):
        """Whether all work given to the stream is done."""
        return _core._cuda_stream_done(self.device_index, self.cuda_stream)

    def synchronize(self):
        """Waits until all work given to the stream is done."""
        _core._cuda_stream_synchronize(self.device_index, self.cuda_stream)

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

    def __eq__(self, other):
        return isinstance(other, Stream) and (self.device_index, self.cuda_stream) == (
            other.device_index,
            other.cuda_stream,
        )

    def __hash__(self):
        return hash((self.device_index, self.cuda_stream))

    def __repr__(self):
        return f"<torch.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


class Event:
    """A moment on a stream. enable_timing: False; the other arguments have no effect."""

    def __init__(self, enable_timing=False, blocking=False, interprocess=False, external=False):
        self._event = _core._cuda_new_event(bool(enable_timing))

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


def current_stream(device=None):
    """The stream that takes this thread's work on a device."""
    index = _index(device)
    return Stream(index, _handle=_core._cuda_current_stream(index))


def default_stream(device=None):
    """The stream that a device has by itself."""
    return Stream(_index(device), _handle=0)


def set_stream(stream):
    """Makes a stream current on this thread. None does nothing."""
    if stream is not None:
        _core._cuda_set_device(stream.device_index)
        _core._cuda_set_stream(stream.device_index, stream.cuda_stream)


class StreamContext:
    """Context: another current stream, and its device. None does nothing."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        if self.stream is not None:
            self._device = current_device()
            self._before = current_stream(self.stream.device_index)
            set_stream(self.stream)

    def __exit__(self, *_):
        if self.stream is not None:
            set_stream(self._before)
            set_device(self._device)
        return False


def stream(stream):
    """`StreamContext(stream)`."""
    return StreamContext(stream)


# --- memory ---

_COUNTS = ("allocation", "segment", "active", "inactive_split")
_BYTES = "allocated_bytes reserved_bytes active_bytes requested_bytes inactive_split_bytes".split()
_PARTS = ("current", "peak", "allocated", "freed")


def empty_cache():
    """Gives memory that no tensor uses back to the driver."""
    _core._cuda_empty_cache()


def memory_stats_as_nested_dict(device=None):
    """Statistics of the allocator: {kind: {"all": {"current", "peak", "allocated", "freed"}}}."""
    kinds, retries, out_of_memory = _core._cuda_statistics(_index(device))
    nested = {name: {"all": dict(zip(_PARTS, kinds[name]))} for name in (*_COUNTS, *_BYTES)}
    return {**nested, "num_alloc_retries": retries, "num_ooms": out_of_memory}


def memory_stats(device=None):
    """The statistics under names such as "allocated_bytes.all.peak"."""
    flat = {}
    for kind, entry in memory_stats_as_nested_dict(device).items():
        if not isinstance(entry, dict):
            flat[kind] = entry
            continue
        for pool, parts in entry.items():
            flat.update({f"{kind}.{pool}.{part}": number for part, number in parts.items()})
    return collections.OrderedDict(sorted(flat.items()))


def _statistic(name):
    def read(device=None):
        return memory_stats(device)[name]

    read.__doc__ = f"`memory_stats()[{name!r}]`, in bytes."
    return read


memory_allocated = _statistic("allocated_bytes.all.current")
max_memory_allocated = _statistic("allocated_bytes.all.peak")
memory_reserved = memory_cached = _statistic("reserved_bytes.all.current")
max_memory_reserved = max_memory_cached = _statistic("reserved_bytes.all.peak")


def reset_peak_memory_stats(device=None):
    """Peaks start again from what is in use now."""
    _core._cuda_reset_statistics(_index(device), True)


reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats


def reset_accumulated_memory_stats(device=None):
    """Totals of what was allocated and freed start again from 0."""
    _core._cuda_reset_statistics(_index(device), False)


def mem_get_info(device=None):
    """(free, total) bytes of a device, as the driver sees it."""
    return _core._cuda_memory_info(_index(device))


def set_per_process_memory_fraction(fraction, device=None):
    """Refuses to reserve more than this fraction of a device's memory. ValueError outside 0 to 1."""
    if not isinstance(fraction, float):
        raise TypeError("Invalid type for fraction argument, must be `float`")
    if not 0 <= fraction <= 1:
        raise ValueError(f"Invalid fraction value: {fraction}. Allowed range: 0~1")
    _core._cuda_set_fraction(fraction, _index(device))


def get_allocator_backend():
    """The name of the allocator."""
    return "native"


def names():
    """What stands in `lampas.cuda` where there is a GPU."""
    hidden = ("collections", "names")
    return {k: v for k, v in globals().items() if not k.startswith("_") and k not in hidden}
