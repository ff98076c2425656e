"""What a profile found: single events, averages over events of a name, lists of both. No measuring here.

Tables are laid out in `profiler_table.py`, traces in `profiler_trace.py`.
"""

import itertools
from collections import defaultdict

from lampas.autograd.device_type import DeviceType
from lampas.autograd.profiler_table import (
    _format_memory,
    _format_time,
    _format_time_share,
    event_table,
)

__all__ = [
    "EventList", "FormattedTimesMixin", "FunctionEvent", "FunctionEventAvg", "Interval", "Kernel",
    "StringTable",
]  # fmt: skip


class Interval:
    """A span of time, in microseconds since the start of the profile."""

    def __init__(self, start, end):
        self.start, self.end = start, end

    def elapsed_us(self):
        """Its length."""
        return self.end - self.start


class Kernel:
    """Work on an accelerator; a CPU profile has none."""

    def __init__(self, name, device, duration):
        self.name, self.device, self.duration = name, device, duration


class StringTable(defaultdict):
    """Interned names: each is its own value."""

    def __missing__(self, key):
        self[key] = key
        return key


def _time_of(attribute):
    return property(lambda self: _format_time(getattr(self, attribute)))


class FormattedTimesMixin:
    """Times as text, and the mean times of events that ran `count` times."""

    cpu_time_str = _time_of("cpu_time")
    device_time_str = _time_of("device_time")
    cpu_time_total_str = _time_of("cpu_time_total")
    device_time_total_str = _time_of("device_time_total")
    self_cpu_time_total_str = _time_of("self_cpu_time_total")
    self_device_time_total_str = _time_of("self_device_time_total")

    @property
    def cpu_time(self):
        """The mean time of a call, in microseconds."""
        return 0.0 if self.count == 0 else 1.0 * self.cpu_time_total / self.count

    @property
    def device_time(self):
        """The mean time on an accelerator, in microseconds."""
        return 0.0 if self.count == 0 else 1.0 * self.device_time_total / self.count

    cuda_time = device_time


class FunctionEvent(FormattedTimesMixin):
    """One call of an operator, node of a backward pass or labelled block. Times are in microseconds."""

    count = 1
    self_cpu_percent = total_cpu_percent = total_device_percent = -1
    device_time_total = self_device_time_total = self_device_memory_usage = 0
    cuda_time_total = self_cuda_time_total = self_cuda_memory_usage = 0

    def __init__(
        self,
        id,
        name,
        thread,
        start_us,
        end_us,
        overload_name=None,
        fwd_thread=None,
        input_shapes=None,
        stack=None,
        scope=0,
        use_device=None,
        cpu_memory_usage=0,
        device_memory_usage=0,
        is_async=False,
        is_remote=False,
        sequence_nr=-1,
        node_id=-1,
        device_type=DeviceType.CPU,
        device_index=0,
        device_resource_id=None,
        is_legacy=False,
        flops=None,
        trace_name=None,
        concrete_inputs=None,
        is_user_annotation=False,
        activity_type=None,
        structured_input_shapes=None,
        structured_input_strides=None,
        input_dtypes=None,
    ):
        self.id, self.node_id, self.name, self.thread = id, node_id, name, thread
        self.overload_name = overload_name
        self.trace_name = trace_name or name
        self.time_range = Interval(start_us, end_us)
        self.fwd_thread = fwd_thread
        self.kernels, self.cpu_children, self.cpu_parent = [], [], None
        self.input_shapes = input_shapes or []
        self.structured_input_shapes = structured_input_shapes or []
        self.structured_input_strides = structured_input_strides or []
        self.input_dtypes = input_dtypes or []
        self.concrete_inputs, self.kwinputs = concrete_inputs or [], {}
        self.stack = stack or []
        self.scope, self.use_device = scope, use_device
        self.cpu_memory_usage, self.device_memory_usage = cpu_memory_usage, device_memory_usage
        self.is_async, self.is_remote, self.is_legacy = is_async, is_remote, is_legacy
        self.sequence_nr = sequence_nr
        self.device_type, self.device_index = device_type, device_index
        self.device_resource_id = thread if device_resource_id is None else device_resource_id
        self.flops = flops
        self.is_user_annotation, self.activity_type = is_user_annotation, activity_type

    @property
    def key(self):
        """The name that averages go by."""
        return self.name

    @property
    def cpu_time_total(self):
        """From its start to its end."""
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self):
        """The time outside of the events within it."""
        return self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)

    @property
    def self_cpu_memory_usage(self):
        """Bytes that it left allocated (freed: negative), those of the events within it taken off."""
        return self.cpu_memory_usage - sum(child.cpu_memory_usage for child in self.cpu_children)

    def append_cpu_child(self, child):
        """Makes `child` one of the events within this one."""
        self.cpu_children.append(child)

    def set_cpu_parent(self, parent):
        """Sets the event that this one ran in."""
        self.cpu_parent = parent

    def __repr__(self):
        children = [child.id for child in self.cpu_children]
        return (
            f"<FunctionEvent id={self.id} name={self.name} overload_name={self.overload_name} "
            f"device_type={self.device_type} node_id={self.node_id} cpu_time={self.cpu_time_str} "
            f"start_us={self.time_range.start} end_us={self.time_range.end} cpu_children={children} "
            f"{self.use_device}_time={self.device_time_str} name={self.name} thread={self.thread} "
            f"input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage} "
            f"{self.use_device}_memory_usage={self.device_memory_usage} is_async={self.is_async} "
            f"is_remote={self.is_remote} seq_nr={self.sequence_nr} is_legacy={self.is_legacy}>"
        )


class FunctionEventAvg(FormattedTimesMixin):
    """The sum over events with one key: `count` calls, their times and memory."""

    _SUMMED = ("cpu_time_total", "self_cpu_time_total", "cpu_memory_usage", "self_cpu_memory_usage")

    def __init__(self):
        self.key, self.count, self.node_id = None, 0, 0
        self.is_async = self.is_remote = self.is_legacy = self.is_user_annotation = False
        self.use_device = None
        self.cpu_time_total = self.self_cpu_time_total = 0
        self.device_time_total = self.self_device_time_total = 0
        self.input_shapes, self.overload_name = None, None
        self.stack, self.scope = None, None
        self.cpu_memory_usage = self.self_cpu_memory_usage = 0
        self.device_memory_usage = self.self_device_memory_usage = 0
        self.cpu_children, self.cpu_parent = None, None
        self.device_type, self.flops = DeviceType.CPU, 0

    def add(self, other):
        """Counts an event, or another average, in. Returns self."""
        if self.key is None:
            self.key, self.node_id, self.scope = other.key, other.node_id, other.scope
            self.is_async, self.is_remote = other.is_async, other.is_remote
            self.is_legacy, self.use_device = other.is_legacy, other.use_device
            self.cpu_parent, self.cpu_children = other.cpu_parent, other.cpu_children
            self.overload_name, self.device_type = other.overload_name, other.device_type
            self.input_shapes, self.stack = other.input_shapes, other.stack
            self.is_user_annotation = other.is_user_annotation
        for name in self._SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.count += other.count
        self.flops += other.flops or 0
        return self

    __iadd__ = add

    def __repr__(self):
        device = self.use_device or "cuda"
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} "
            f"cpu_time={self.cpu_time_str}  self_{device}_time={self.self_device_time_total_str} "
            f"{device}_time={self.device_time_str} input_shapes={self.input_shapes!s} "
            f"cpu_memory_usage={self.cpu_memory_usage} "
            f"{device}_memory_usage={self.device_memory_usage}>"
        )


class EventList(list):
    """Events or averages, with tables and files of them."""

    supported_export_stacks_metrics = ["self_cpu_time_total", "self_cuda_time_total"]

    def __init__(self, *args, use_device=None, profile_memory=False, with_flops=False):
        super().__init__(*args)
        self._use_device, self._profile_memory = use_device, profile_memory
        self._with_flops = with_flops
        self._tree_built = False

    def _build_tree(self):
        """Takes out events that only pass a call on under the same name. Parents are known already."""
        self._drop(self._passes_on)
        self._tree_built = True

    def _drop(self, chosen):
        """Takes out the events that `chosen` holds for; what ran in them ran in their parents."""
        kept = []
        for event in self:
            if not chosen(event):
                kept.append(event)
                continue
            parent = event.cpu_parent
            for child in event.cpu_children:
                child.set_cpu_parent(parent)
            if parent is not None:
                place = parent.cpu_children.index(event)
                parent.cpu_children[place : place + 1] = event.cpu_children
        self[:] = kept

    @staticmethod
    def _passes_on(event):
        parent = event.cpu_parent
        return parent is not None and parent.name == event.name and len(parent.cpu_children) == 1

    @property
    def self_cpu_time_total(self):
        """The time of all events outside of the events within them, in microseconds."""
        return sum(event.self_cpu_time_total for event in self)

    def table(
        self,
        sort_by=None,
        row_limit=100,
        max_src_column_width=75,
        max_name_column_width=55,
        max_shapes_column_width=80,
        header=None,
        top_level_events_only=False,
        time_unit=None,
    ):
        """The events as text.

        sort_by: an attribute such as "cpu_time_total", "self_cpu_time_total", "cpu_memory_usage" or
        "count", largest first; None keeps the order. row_limit: -1 for all rows.
        """
        return event_table(
            self,
            sort_by=sort_by,
            row_limit=row_limit,
            max_src_column_width=max_src_column_width,
            max_name_column_width=max_name_column_width,
            max_shapes_column_width=max_shapes_column_width,
            header=header,
            profile_memory=self._profile_memory,
            with_flops=self._with_flops,
            top_level_events_only=top_level_events_only,
            time_unit=time_unit,
        )

    __str__ = table

    def export_chrome_trace(self, path):
        """Writes the events as a JSON that chrome://tracing and Perfetto read."""
        from lampas.autograd.profiler_trace import write_trace

        write_trace(path, self)

    def export_stacks(self, path, metric):
        """Writes one line for each Python stack: its frames, outermost first, then the metric's sum.

        metric: "self_cpu_time_total" ("self_cuda_time_total": nothing, as all is on the CPU).
        """
        if metric not in self.supported_export_stacks_metrics:
            raise ValueError(
                "metric should be one of: " + str(self.supported_export_stacks_metrics)
            )
        clean = str.maketrans(" ;\t\n", "____")
        with open(path, "w") as file:
            for event in self:
                value = int(getattr(event, metric, 0))
                if event.stack and value > 0:
                    frames = ";".join(frame.translate(clean) for frame in reversed(event.stack))
                    file.write(f"{frames} {value}\n")

    def key_averages(
        self, group_by_input_shapes=False, group_by_stack_n=0, group_by_overload_name=False
    ):
        """Averages over the events of each name (and input shapes, and innermost frames)."""
        if not self._tree_built:
            raise AssertionError("Expected tree to be built before calling key_averages")
        groups = defaultdict(FunctionEventAvg)
        for event in self:
            key = (event.key, event.node_id, event.is_user_annotation, event.is_legacy)
            key += (str(event.input_shapes),) if group_by_input_shapes else ()
            key += (event.overload_name,) if group_by_overload_name else ()
            groups[(*key, *event.stack[:group_by_stack_n])].add(event)
        averages = EventList(
            groups.values(),
            use_device=self._use_device,
            profile_memory=self._profile_memory,
            with_flops=self._with_flops,
        )
        for average in averages:
            average.stack = average.stack[:group_by_stack_n]
            if not group_by_input_shapes:
                average.input_shapes = ""
            if not group_by_overload_name:
                average.overload_name = ""
        return averages

    def total_average(self):
        """The sum over all events, under the key "Total"."""
        total = FunctionEventAvg()
        for event in self:
            total += event
            total.key = None
        total.key = "Total"
        return total


class MemRecordsAcc:
    """Memory records by time: those of an interval can be asked for. `mem_records`: (event, ...) pairs."""

    def __init__(self, mem_records):
        self._records = sorted(mem_records, key=lambda record: record[0].start_ns())

    def in_interval(self, start_us, end_us):
        """The records from `start_us` to `end_us`."""
        inside = itertools.dropwhile(lambda r: r[0].start_ns() < start_us * 1000, self._records)
        return itertools.takewhile(lambda r: r[0].start_ns() <= end_us * 1000, inside)


__all__ += ["MemRecordsAcc"]
_ = (_format_memory, _format_time_share)  # PyTorch has these here too
