"""`torch.profiler`: measuring a program by steps. What one measurement is stands in `autograd/profiler.py`."""

import enum
import json
import os
import socket
import time
import warnings

from lampas import unavailable
from lampas.autograd import profiler as _measuring
from lampas.autograd.device_type import DeviceType
from lampas.autograd.profiler import record_function

__all__ = [
    "DeviceType", "ExecutionTraceObserver", "ProfilerAction", "ProfilerActivity", "kineto_available",
    "profile", "record_function", "schedule", "supported_activities", "tensorboard_trace_handler",
]  # fmt: skip
_HINT = "only times of operators on the CPU are measured"
ExecutionTraceObserver = unavailable.type_("torch.profiler.ExecutionTraceObserver", _HINT)
kineto_available = unavailable.answering(
    "torch.profiler.kineto_available", True, "True: operators are measured."
)


class ProfilerActivity(enum.Enum):
    """What a profile watches: CPU. CUDA is accepted, with a warning that nothing of it is measured."""

    CPU, XPU, MTIA, CUDA, HPU, PrivateUse1 = range(6)

    def __str__(self):
        return f"ProfilerActivity.{self.name}"


class ProfilerAction(enum.Enum):
    """What a profile does in a step."""

    NONE, WARMUP, RECORD, RECORD_AND_SAVE = range(4)


def supported_activities():
    """What can be measured: the CPU."""
    return {ProfilerActivity.CPU}


def schedule(*, wait, warmup, active, repeat=0, skip_first=0, skip_first_wait=0):
    """A function from a step's number to its ProfilerAction.

    After `skip_first` steps come cycles of `wait` idle steps, `warmup` and `active` ones; `repeat`
    cycles, or without end for 0. skip_first_wait: whether the first cycle leaves out its idle steps.
    """
    if min(wait, warmup, active, repeat, skip_first) < 0 or active == 0:
        raise AssertionError("Invalid profiler schedule arguments")
    if warmup == 0:
        warnings.warn(
            "Profiler won't be using warmup, this can skew profiler results", stacklevel=2
        )

    def action(step):
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        cycle, position = divmod(step, wait + warmup + active)
        if repeat and cycle >= repeat:
            return ProfilerAction.NONE
        if position < wait:
            return ProfilerAction.NONE
        if position < wait + warmup:
            return ProfilerAction.WARMUP
        last = position == wait + warmup + active - 1
        return ProfilerAction.RECORD_AND_SAVE if last else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(dir_name, worker_name=None, use_gzip=False, use_python_export=False):
    """For on_trace_ready: writes each trace to `dir_name`, named by worker (host and process) and time."""

    def write(prof):
        try:
            os.makedirs(dir_name, exist_ok=True)
        except Exception as error:
            raise RuntimeError("Can't create directory: " + dir_name) from error
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json" + (".gz" if use_gzip else "")
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return write


_RECORDS = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def _say_what_is_not_measured():
    from lampas import cuda

    if not cuda.is_available():
        text = "CUDA is not available, disabling CUDA profiling"
    else:
        text = (
            "ProfilerActivity.CUDA: times on the GPU are not measured in Lampas, those of operators are "
            "the host's. torch.cuda.Event(enable_timing=True) times parts of a stream; ranges of "
            "torch.cuda.nvtx show in Nsight Systems."
        )
    warnings.warn(text, stacklevel=3)


class profile:
    """Measures a program: all of it, or by the steps that `schedule` chooses.

    activities: a collection of ProfilerActivity (default: all that there are). schedule: a function from
    a step's number to its ProfilerAction. on_trace_ready: called with the profile when a trace is
    complete. record_shapes, profile_memory, with_stack, with_flops: what events note besides their
    times. The other options concern devices and tools that are not there.
    """

    def __init__(
        self,
        *,
        activities=None,
        schedule=None,
        on_trace_ready=None,
        record_shapes=False,
        profile_memory=False,
        with_stack=False,
        with_flops=False,
        with_modules=False,
        experimental_config=None,
        execution_trace_observer=None,
        acc_events=False,
        use_cuda=None,
        custom_trace_id_callback=None,
        post_processing_timeout_s=None,
    ):
        self.activities = set(supported_activities() if activities is None else activities)
        if not self.activities:
            raise AssertionError("No valid profiler activities found")
        if activities is not None and ProfilerActivity.CUDA in self.activities:
            _say_what_is_not_measured()
        if execution_trace_observer is not None:
            raise NotImplementedError(
                unavailable.message("torch.profiler.profile(execution_trace_observer=...)", _HINT)
            )
        self.schedule = schedule or (lambda _: ProfilerAction.RECORD)
        self.record_steps = schedule is not None
        self.on_trace_ready = on_trace_ready
        self.record_shapes, self.profile_memory = record_shapes, profile_memory
        self.with_stack, self.with_flops, self.with_modules = with_stack, with_flops, with_modules
        self.acc_events = acc_events
        self.step_num = 0
        self.current_action = self.schedule(0)
        self.step_rec_fn = None
        self.profiler = None
        self.preset_metadata = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        self.stop()

    def start(self):
        """Begins the first step."""
        self._move(ProfilerAction.NONE, self.current_action)
        self._label_step()

    def stop(self):
        """Ends the last step; a trace that is being recorded is complete with it."""
        self._end_label()
        if self.current_action in _RECORDS and self.profiler is None:
            raise AssertionError("Profiler must be initialized before stopping trace")
        if self._recording():
            self._finish()

    def step(self):
        """Ends a step and begins the next one."""
        self._end_label()
        before = self.current_action
        self.step_num += 1
        self.current_action = self.schedule(self.step_num)
        self._move(before, self.current_action)
        self._label_step()

    def _recording(self):
        return self.profiler is not None and self.profiler.function_events is None

    def _move(self, before, after):
        if self._recording() and (
            before is ProfilerAction.RECORD_AND_SAVE or after not in _RECORDS
        ):
            self._finish()
        if after in _RECORDS and not self._recording():
            self.start_trace()

    def _finish(self):
        self.stop_trace()
        if self.on_trace_ready:
            self.on_trace_ready(self)

    def _label_step(self):
        if self.record_steps and self._recording():
            self.step_rec_fn = record_function(f"ProfilerStep#{self.step_num}")
            self.step_rec_fn.__enter__()

    def _end_label(self):
        if self.step_rec_fn is not None:
            self.step_rec_fn.__exit__(None, None, None)
            self.step_rec_fn = None

    def prepare_trace(self):
        """Makes ready for a trace; nothing needs warming up."""

    def start_trace(self):
        """Begins recording."""
        self.profiler = _measuring.profile(
            record_shapes=self.record_shapes,
            profile_memory=self.profile_memory,
            with_stack=self.with_stack,
            with_flops=self.with_flops,
        )
        self.profiler.__enter__()

    def stop_trace(self):
        """Ends recording."""
        self._of_trace("stopping trace").__exit__(None, None, None)

    def _of_trace(self, purpose):
        if self.profiler is None:
            raise AssertionError(f"Profiler must be initialized before {purpose}")
        return self.profiler

    def events(self):
        """The events of the last trace in the order of their starts; none while it is recorded."""
        from lampas.autograd.profiler_util import EventList

        found = self._of_trace("accessing events").function_events
        return EventList() if found is None else found

    def key_averages(
        self, group_by_input_shape=False, group_by_stack_n=0, group_by_overload_name=False
    ):
        """Averages over the events of each name (and input shapes, and innermost frames)."""
        return self._of_trace("getting key averages").key_averages(
            group_by_input_shape, group_by_stack_n, group_by_overload_name
        )

    def export_chrome_trace(self, path):
        """Writes the trace as JSON for chrome://tracing and Perfetto; compressed for *.gz."""
        found = self._of_trace("exporting chrome trace")
        found.export_chrome_trace(path, self.preset_metadata)

    def export_stacks(self, path, metric="self_cpu_time_total"):
        """Writes the Python stacks with their times, for drawing flame graphs."""
        return self._of_trace("exporting stacks").export_stacks(path, metric)

    def export_memory_timeline(self, path, device=None):
        """Raises NotImplementedError: memory is counted by operator, not followed in time."""
        raise NotImplementedError(
            unavailable.message("torch.profiler.profile.export_memory_timeline", _HINT)
        )

    def toggle_collection_dynamic(self, enable, activities):
        """Raises NotImplementedError: recording cannot be switched within a trace."""
        raise NotImplementedError(
            unavailable.message("torch.profiler.profile.toggle_collection_dynamic", _HINT)
        )

    def preset_metadata_json(self, key, value):
        """A key of the written traces, from JSON text."""
        self.preset_metadata[key] = json.loads(value)

    add_metadata_json = preset_metadata_json

    def add_metadata(self, key, value):
        """A key of the written traces, with a text."""
        self.preset_metadata[key] = value
