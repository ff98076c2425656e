"""What was measured: the task, the times, their quartiles, and the text that shows them."""

import dataclasses
import math
import statistics
import textwrap

_UNITS = (
    ("ns", 1e-9, "nanosecond"),
    ("us", 1e-6, "microsecond"),
    ("ms", 1e-3, "millisecond"),
    ("s", 1, "second"),
)
_WIDE, _VERY_WIDE = 0.1, 0.25  # quartiles apart, as a part of the median
_MOST_FIGURES = 4
_SHORTEST = 25e-9  # seconds: no time is known better


def select_unit(t):
    """(name, seconds) of the unit in which a time reads best."""
    name, seconds, _ = next((u for u in reversed(_UNITS) if t >= u[1]), _UNITS[-1])
    return name, seconds


def unit_to_english(u):
    """The English name: "microsecond" for "us"."""
    return next(english for name, _, english in _UNITS if name == u)


def trim_sigfig(x, n):
    """`x` rounded to `n` significant figures."""
    if x != int(x) or x:
        magnitude = int(math.ceil(math.log10(abs(x)))) if x else 0
        scale = 10 ** (magnitude - n)
        return float(round(x / scale) * scale)
    return 0.0


def ordered_unique(elements):
    """Each element once, where it comes first."""
    return list(dict.fromkeys(elements))


@dataclasses.dataclass(init=True, repr=False, eq=True, frozen=True)
class TaskSpec:
    """What is run, and the labels under which it is shown."""

    stmt: str
    setup: str
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self):
        """The label, else the statement; then the second label."""
        if self.label is None and "\n" in self.stmt:
            second = f" ({self.sub_label})" if self.sub_label else ""
            return f"stmt:{second}\n" + textwrap.indent(self.stmt, "  ")
        second = f": {self.sub_label}" if self.sub_label else ""
        return (self.stmt if self.label is None else self.label) + second

    def setup_str(self):
        """The preparation as it is shown; "" for none."""
        if not self.setup or self.setup == "pass":
            return ""
        if "\n" in self.setup:
            return "setup:\n" + textwrap.indent(self.setup, "  ") + "\n"
        return f"setup: {self.setup}"


class Measurement:
    """Times in seconds: `raw_times`, each of `number_per_run` runs of a task.

    `times` are those of one run. Attributes of the task (`stmt`, `label`, ...) can be read here, too.
    """

    def __init__(self, number_per_run, raw_times, task_spec, metadata=None):
        self.number_per_run, self.raw_times = number_per_run, raw_times
        self.task_spec, self.metadata = task_spec, metadata

    def __getattr__(self, name):
        if name == "task_spec":
            raise AttributeError(name)
        return getattr(self.task_spec, name)

    @property
    def times(self):
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def median(self):
        """The middle time, -1.0 without times."""
        return statistics.median(self.times) if self.raw_times else -1.0

    @property
    def mean(self):
        return sum(self.times) / len(self.times) if self.raw_times else -1.0

    def _quartiles(self):
        """First and third, by linear interpolation."""
        ordered = sorted(self.times)
        found = []
        for part in (0.25, 0.75):
            place = part * (len(ordered) - 1)
            low = int(place)
            high = min(low + 1, len(ordered) - 1)
            found.append(ordered[low] + (ordered[high] - ordered[low]) * (place - low))
        return found

    @property
    def iqr(self):
        """The distance of the quartiles."""
        low, high = self._quartiles()
        return high - low

    @property
    def significant_figures(self):
        """How many figures of the median mean something: 90 % of a normal distribution of the middle half."""
        ordered, n = sorted(self.times), len(self.raw_times)
        middle = ordered[n // 4 : math.ceil(3 * n / 4)] if n > 1 else ordered
        spread = 1.645 * statistics.pstdev(middle) / math.sqrt(len(middle))
        relative = -math.log10(max(spread, _SHORTEST) / self.median)
        return min(max(math.floor(relative), 1), _MOST_FIGURES)

    @property
    def has_warnings(self):
        """Whether the quartiles are far apart."""
        return self.iqr / self.median > _WIDE

    def meets_confidence(self, threshold=_WIDE):
        """Whether the quartiles are close to each other."""
        return self.iqr / self.median < threshold

    @property
    def as_row_name(self):
        return self.task_spec.sub_label or self.task_spec.stmt or "[Unknown]"

    @staticmethod
    def merge(measurements):
        """Measurements of the same task as one, in their order."""
        grouped = {}
        for one in measurements:
            grouped.setdefault(one.task_spec, []).append(one)
        return [
            Measurement(1, [t for one in group for t in one.times], task)
            for task, group in grouped.items()
        ]

    def __repr__(self):
        unit, seconds = select_unit(self.median)
        n, runs, threads = len(self.times), self.number_per_run, self.task_spec.num_threads
        title = self.task_spec.title
        lines = [super().__repr__(), title + "\n" * title.startswith("stmt:")]
        lines += [text for text in (self.task_spec.description, self.task_spec.setup_str()) if text]
        lines.append(f"  {'Median: ' if n > 1 else ''}{self.median / seconds:.2f} {unit}")
        if n >= 4:
            low, high = (q / seconds for q in self._quartiles())
            lines.append(f"  IQR:    {self.iqr / seconds:.2f} {unit} ({low:.2f} to {high:.2f})")
        lines.append(
            f"  {n} measurement{'s' if n > 1 else ''}, {runs} runs {'per measurement' if n > 1 else ''}, "
            f"{threads} thread{'s' if threads > 1 else ''}"
        )
        if self.has_warnings:
            part = self.iqr / self.median
            lines.append(
                f"  WARNING: Interquartile range is {part * 100:.1f}% of the median measurement."
            )
            lines.append(f"           {_ADVICE[part > _VERY_WIDE]}")
        return "\n".join(lines)


_ADVICE = (
    "This could indicate system fluctuation.",
    "This suggests significant environmental influence.",
)
