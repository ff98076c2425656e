"""`torch.profiler`: schedules and labels. Operators are not measured: `profile` raises when entered."""

import enum
import warnings

from lampas import unavailable
from lampas.autograd.profiler import record_function

__all__ = [
    "ProfilerAction", "ProfilerActivity", "profile", "record_function", "schedule", "supported_activities",
    "tensorboard_trace_handler",
]  # fmt: skip
_HINT = "operators are not measured; use Python's cProfile or time.perf_counter"
globals().update(
    unavailable.names(
        "torch.profiler", "tensorboard_trace_handler", "ExecutionTraceObserver", _HINT
    )
)
kineto_available = unavailable.answering("torch.profiler.kineto_available", False)


class ProfilerActivity(enum.Enum):
    """What a profile would watch."""

    CPU, XPU, MTIA, CUDA, HPU, PrivateUse1 = range(6)


class ProfilerAction(enum.Enum):
    """What a profile would do in a step."""

    NONE, WARMUP, RECORD, RECORD_AND_SAVE = range(4)


def supported_activities():
    """Nothing is measured: an empty set."""
    return set()


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


class profile:
    """A measurement of operators. It can be made, not entered: that raises NotImplementedError."""

    def __init__(self, *, activities=None, schedule=None, on_trace_ready=None, **options):
        self.activities, self.schedule, self.on_trace_ready = activities, schedule, on_trace_ready

    def __enter__(self):
        raise NotImplementedError(unavailable.message("torch.profiler.profile", _HINT))

    start = __enter__

    def __exit__(self, *_):
        return False

    def _unstarted(self, *args, **kwargs):
        raise NotImplementedError(unavailable.message("torch.profiler.profile", _HINT))

    stop = step = key_averages = events = export_chrome_trace = export_stacks = _unstarted
