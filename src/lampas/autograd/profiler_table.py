"""The table of a profile: columns, widths, units. What stands in it comes from `profiler_util.py`."""

_GAP = 2  # blanks between columns
_WIDTH = 12  # of a column of numbers


def _format_time(time_us, time_unit=None):
    """Microseconds as text, in the largest unit that fits, or in `time_unit` (s, ms, us)."""
    if time_unit is None:
        time_unit = "s" if time_us >= 1e6 else "ms" if time_us >= 1e3 else "us"
    scale = {"s": 1e6, "ms": 1e3, "us": 1.0}.get(time_unit)
    if scale is None:
        raise ValueError(f"Unknown time unit: {time_unit}")
    return f"{time_us / scale:.3f}{time_unit}"


def _format_time_share(time_us, total_time_us):
    """A part of a time as a percentage."""
    if total_time_us == 0:
        if time_us != 0:
            raise AssertionError(f"Expected time_us == 0 but got {time_us}")
        return "NaN"
    return f"{time_us * 100.0 / total_time_us:.2f}%"


def _format_memory(nbytes):
    """Bytes as text, in the largest unit that fits."""
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if abs(nbytes) >= size:
            return f"{nbytes / size:.2f} {unit}"
    return f"{nbytes} B"


def _shortened(text, width):
    return text if width is None or len(text) <= width else text[: max(width - 3, 0)] + "..."


def _cut(text, width):
    return text[:width]


def _flops_scale(events):
    """The largest unit of which every event has at least one."""
    least = min((event.flops for event in events if event.flops), default=0)
    power = 0
    while least >= 1000 and power < 5:
        least, power = least / 1000, power + 1
    return 1000**power, ("FLOPs", "KFLOPs", "MFLOPs", "GFLOPs", "TFLOPs", "PFLOPs")[power]


def _text_width(texts, header, most):
    width = max([len(text) for text in texts] + [len(header) if header else 0]) + 4
    return width if most is None else min(width, most)


class _Column:
    def __init__(self, header, width, cell):
        self.header, self.width, self.cell = header, width, cell


def _columns(events, total, options):
    """The columns that these events call for, each with a function from an event to its text."""
    unit, name_width = options["time_unit"], options["max_name_column_width"]

    def number(header, cell):
        return _Column(header, _WIDTH, cell)

    def text(header, cell, most, texts=None, cut=_shortened):
        width = _text_width([cell(e) for e in events] if texts is None else texts, "", most)
        return _Column(header, width, lambda e: cut(cell(e), most))

    def share(e, part):
        return _format_time_share(part, total)

    yield text("Name", lambda e: e.key, name_width)
    if any(e.overload_name for e in events):
        yield text("Overload Name", lambda e: e.overload_name, name_width)
    yield number("Self CPU %", lambda e: share(e, e.self_cpu_time_total))
    yield number("Self CPU", lambda e: _format_time(e.self_cpu_time_total, unit))
    yield number("CPU total %", lambda e: share(e, e.cpu_time_total))
    yield number("CPU total", lambda e: _format_time(e.cpu_time_total, unit))
    yield number("CPU time avg", lambda e: _format_time(e.cpu_time, unit))
    if options["profile_memory"]:
        yield number("CPU Mem", lambda e: _format_memory(e.cpu_memory_usage))
        yield number("Self CPU Mem", lambda e: _format_memory(e.self_cpu_memory_usage))
    yield number("# of Calls", lambda e: str(e.count))
    if any(e.input_shapes for e in events):
        most = options["max_shapes_column_width"]
        yield text("Input Shapes", lambda e: str(e.input_shapes), most, cut=_cut)
    if any(e.stack for e in events):
        frames = [frame for e in events for frame in e.stack]
        most = options["max_src_column_width"]
        yield text("Source Location", lambda e: e.stack[0] if e.stack else "", most, frames)
    if options["with_flops"]:
        scale, name = _flops_scale(events)
        yield number(f"Total {name}", lambda e: f"{e.flops / scale:8.3f}" if e.flops > 0 else "--")


def event_table(events, *, sort_by, row_limit, header, top_level_events_only, **options):
    """The table of `EventList.table`, with a line of the whole time below."""
    if len(events) == 0:
        return ""
    total = sum(event.self_cpu_time_total for event in events)
    if sort_by is not None:
        events = sorted(events, key=lambda e: getattr(e, sort_by), reverse=True)
    columns = list(_columns(events, total, options))
    gap = " " * _GAP

    def line(cells):
        return "".join(f"{cell:>{c.width}}{gap}" for c, cell in zip(columns, cells))

    rule = "".join("-" * c.width + gap for c in columns)
    lines = []
    double = "=" * (sum(c.width + _GAP for c in columns) - _GAP)
    if header is not None:
        lines += [double, header]
    if top_level_events_only:
        lines += [double, "This report only display top-level ops statistics"]
    lines += [rule, line([c.header for c in columns]), rule]
    shown = [e for e in events if not top_level_events_only or e.cpu_parent is None]
    for event in shown if row_limit < 0 else shown[:row_limit]:
        lines.append(line([c.cell(event) for c in columns]))
        lines += _further_frames(event, columns, line, options["max_src_column_width"])
    lines += [rule, f"Self CPU time total: {_format_time(total, options['time_unit'])}", ""]
    return "\n".join(lines)


def _further_frames(event, columns, line, most):
    """Rows that go on with an event's stack, and a blank one."""
    if not event.stack:
        return []
    place = [c.header for c in columns].index("Source Location")
    rows = [["" if i != place else _shortened(frame, most) for i in range(len(columns))]
            for frame in event.stack[1:]]  # fmt: skip
    return [line(row) for row in [*rows, [""] * len(columns)]]
