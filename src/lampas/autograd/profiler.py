"""`torch.autograd.profiler`: measuring a block of code, and labels in it. Schedules are `torch.profiler`'s."""

import functools
import time

from lampas import _core, unavailable
from lampas.autograd import profiler_reading
from lampas.autograd.profiler_trace import write_trace
from lampas.autograd.profiler_util import EventList, FunctionEvent, MemRecordsAcc

__all__ = [
    "EnforceUnique", "EventList", "FunctionEvent", "KinetoStepTracker", "MemRecordsAcc", "emit_itt",
    "emit_nvtx", "load_nvprof", "parse_nvprof_trace", "profile", "record_function",
]  # fmt: skip
_HINT = "use torch.profiler.profile"
load_nvprof = unavailable.function("torch.autograd.profiler.load_nvprof", _HINT)
parse_nvprof_trace = unavailable.function("torch.autograd.profiler.parse_nvprof_trace", _HINT)


class record_function:
    """Labels a block of code or, as a decorator, a function: a profile shows it as one event."""

    def __init__(self, name, args=None):
        self.name, self.args = name, args
        self._event = 0

    def __enter__(self):
        self._event = _core._profile_enter(self.name)
        return self

    def __exit__(self, *_):
        event, self._event = self._event, 0
        if event:
            _core._profile_leave(event)

    def __call__(self, function):
        @functools.wraps(function)
        def labelled(*args, **kwargs):
            with record_function(self.name, self.args):
                return function(*args, **kwargs)

        return labelled


class profile:
    """Measures every operator, backward node and label between its beginning and its end.

    record_shapes, profile_memory, with_stack, with_flops: what events note besides their times.
    use_device, use_cuda and the other options concern devices that are not there.
    Errors: RuntimeError when it is entered twice or while another profile runs.
    """

    def __init__(
        self,
        enabled=True,
        *,
        use_cuda=False,
        use_device=None,
        record_shapes=False,
        with_flops=False,
        profile_memory=False,
        with_stack=False,
        with_modules=False,
        use_kineto=False,
        use_cpu=True,
        experimental_config=None,
        acc_events=False,
        custom_trace_id_callback=None,
        post_processing_timeout_s=None,
        activity_filters=None,
    ):
        self.enabled, self.entered = enabled, False
        self.record_shapes = record_shapes or with_flops
        self.with_flops, self.with_stack = with_flops, with_stack
        self.profile_memory = profile_memory
        self.acc_events = acc_events
        self._found, self._raw, self._start_ns = None, None, 0

    def _start(self):
        self.entered = True
        self._start_ns = time.monotonic_ns()
        profiler_reading.start(
            inputs=self.record_shapes, memory=self.profile_memory, stack=self.with_stack
        )

    def __enter__(self):
        if not self.enabled:
            return None
        if self.entered:
            raise RuntimeError("Profiler context manager is not reentrant")
        self._start()
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        if self.enabled:
            self._raw, self._found = profiler_reading.stop(), None
        return False

    def __repr__(self):
        return "<unfinished torch.autograd.profile>" if self._raw is None else repr(self._events())

    def __str__(self):
        return "<unfinished torch.autograd.profile>" if self._raw is None else str(self._events())

    def _events(self):
        if self._raw is None:
            raise RuntimeError("Profiler didn't finish running")
        if self._found is None:
            self._found = profiler_reading.read(
                self._raw,
                self._start_ns,
                record_shapes=self.record_shapes,
                profile_memory=self.profile_memory,
                with_flops=self.with_flops,
            )
        return self._found

    @property
    def function_events(self):
        """The events in the order of their starts; None before the end."""
        return None if self._raw is None else self._events()

    def table(self, *args, **kwargs):
        """The events as text; see EventList.table."""
        return self._events().table(*args, **kwargs)

    def export_chrome_trace(self, path, metadata=None):
        """Writes a JSON that chrome://tracing and Perfetto read."""
        write_trace(path, self._events(), self._start_ns / 1000, metadata)

    def export_stacks(self, path, metric="self_cpu_time_total"):
        """Writes the Python stacks with their times, for drawing flame graphs."""
        if not self.with_stack:
            raise AssertionError("export_stacks() requires with_stack=True")
        return self._events().export_stacks(path, metric)

    def key_averages(
        self, group_by_input_shape=False, group_by_stack_n=0, group_by_overload_name=False
    ):
        """Averages over the events of each name."""
        return self._events().key_averages(
            group_by_input_shape, group_by_stack_n, group_by_overload_name
        )

    def total_average(self):
        """The sum over all events."""
        return self._events().total_average()

    @property
    def self_cpu_time_total(self):
        """The time of all events, in microseconds."""
        return self._events().self_cpu_time_total


class emit_nvtx:
    """Marks operators for NVIDIA's profilers. Entering it raises AssertionError: there is no CUDA."""

    def __init__(self, enabled=True, record_shapes=False):
        self.enabled, self.record_shapes = enabled, record_shapes

    def __enter__(self):
        if self.enabled:
            raise AssertionError("Torch not compiled with CUDA enabled")

    def __exit__(self, *_):
        return False


class emit_itt(emit_nvtx):
    """Marks operators for Intel's profiler. Entering it raises NotImplementedError."""

    def __enter__(self):
        if self.enabled:
            raise NotImplementedError(
                unavailable.message("torch.autograd.profiler.emit_itt", _HINT)
            )


class EnforceUnique:
    """Raises RuntimeError when a key is seen a second time."""

    def __init__(self):
        self.seen = set()

    def see(self, *key):
        """Notes the key."""
        if key in self.seen:
            raise RuntimeError("duplicate key: " + str(key))
        self.seen.add(key)


class KinetoStepTracker:
    """Counts steps over all who ask: the number is the largest of theirs."""

    _current_step, _steps = 0, {}

    @classmethod
    def init_step_count(cls, requester):
        """A new requester begins at the present step."""
        cls._steps[requester] = cls._current_step

    @classmethod
    def erase_step_count(cls, requester):
        """Whether the requester was known; it is forgotten."""
        return cls._steps.pop(requester, None) is not None

    @classmethod
    def increment_step(cls, requester):
        """Counts one step of the requester; returns the step over all."""
        cls._steps[requester] = cls._steps.get(requester, cls._current_step) + 1
        cls._current_step = max(cls._current_step, max(cls._steps.values()))
        return cls._current_step

    @classmethod
    def current_step(cls):
        """The step over all."""
        return cls._current_step
