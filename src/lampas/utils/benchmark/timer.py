"""Timing of Python statements, after a warm-up and with a set number of threads."""

import contextlib
import enum
import timeit

import lampas
from lampas.utils.benchmark.measurement import Measurement, TaskSpec

timer = timeit.default_timer


class Language(enum.Enum):
    """The language of a statement; C++ is not offered."""

    PYTHON = 0
    CPP = 1


@contextlib.contextmanager
def set_torch_threads(n):
    """Context: `n` threads."""
    before = lampas.get_num_threads()
    lampas.set_num_threads(n)
    try:
        yield
    finally:
        lampas.set_num_threads(before)


class Timer:
    """Measures `stmt` after `setup`, with the names in `globals` and with `num_threads` threads.

    label, sub_label, description and env are for the texts of measurements. Returns come as
    `Measurement`. ValueError for a statement that is no string, NotImplementedError for C++.
    """

    _timer_cls = timeit.Timer

    def __init__(self, stmt="pass", setup="pass", global_setup="", timer=timer, globals=None, label=None,
                 sub_label=None, description=None, env=None, num_threads=1, language=Language.PYTHON):  # fmt: skip
        if not isinstance(stmt, str):
            raise ValueError("Currently only a `str` stmt is supported.")
        if language in (Language.CPP, "cpp", "c++"):
            raise NotImplementedError("torch.utils.benchmark.Timer: only Python is measured")
        if language not in (Language.PYTHON, "py", "python"):
            raise ValueError(f"Invalid language `{language}`.")
        if global_setup:
            raise ValueError(
                f"global_setup is C++ only, got `{global_setup}`. Most likely this code can simply "
                "be moved to `setup`."
            )
        # As written inside a function: without the indentation that all lines share.
        stmt, setup = _dedented(stmt), _dedented(setup)
        names = {"torch": lampas, **(globals or {})}
        self._task_spec = TaskSpec(
            stmt=stmt, setup=setup, label=label, sub_label=sub_label, description=description, env=env,
            num_threads=num_threads,
        )  # fmt: skip
        self._timer = self._timer_cls(stmt=stmt, setup=setup, timer=timer, globals=names)

    def _timeit(self, number):
        return max(self._timer.timeit(number), 1e-9)  # a clock may be too coarse to see one run

    def _measurement(self, number, times):
        return Measurement(number, times, self._task_spec)

    def timeit(self, number=1000000):
        """One time of `number` runs, after a hundredth as many to warm up."""
        with set_torch_threads(self._task_spec.num_threads):
            self._timeit(max(number // 100, 2))
            return self._measurement(number, [self._timeit(number)])

    def repeat(self, repeat=-1, number=-1):
        """Not offered, as in PyTorch: NotImplementedError."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def autorange(self, callback=None):
        """Not offered, as in PyTorch: NotImplementedError."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def _block(self, min_run_time):
        """How many runs one time takes: enough that the clock's own time is a thousandth."""
        overhead = min(self._timer_overhead() for _ in range(5))
        number = 1
        while True:
            taken = self._timeit(number)
            if overhead / taken <= 1e-4 and taken >= min_run_time / 1000 or taken > min_run_time:
                return number
            number *= 10

    def _timer_overhead(self):
        return self._timer_cls("pass").timeit(1)

    def blocked_autorange(self, callback=None, min_run_time=0.2):
        """Times of blocks of runs until they take `min_run_time` seconds together."""
        with set_torch_threads(self._task_spec.num_threads):
            number = self._block(min_run_time)
            return self._measurement(number, self._until(number, min_run_time, callback))

    def _until(self, number, seconds, callback):
        times = []
        while sum(times) < seconds:
            times.append(self._timeit(number))
            if callback is not None:
                callback(number, times[-1])
        return times

    def adaptive_autorange(
        self, threshold=0.1, *, min_run_time=0.01, max_run_time=10.0, callback=None
    ):
        """As blocked_autorange, going on until the quartiles are close or `max_run_time` is over."""
        with set_torch_threads(self._task_spec.num_threads):
            number, times = self._block(0.05), []
            while True:
                times += self._until(number, min_run_time, callback)
                measured = self._measurement(number, times)
                if sum(times) > max_run_time or (
                    len(times) > 3 and measured.meets_confidence(threshold)
                ):
                    return measured

    def collect_callgrind(
        self, number=100, *, repeats=None, collect_baseline=True, retain_out_file=False
    ):
        """Not offered: NotImplementedError."""
        raise NotImplementedError("Timer.collect_callgrind: instructions are not counted")


def _dedented(text):
    import textwrap

    return textwrap.dedent(text).strip("\n")
