"""A profile as a file of the Trace Event Format, for chrome://tracing, Perfetto and TensorBoard."""

import gzip
import json
import os
import tempfile


def _inputs(event):
    if not event.input_dtypes:
        return {}
    return {
        "Concrete Inputs": ["" if c is None else str(c) for c in event.concrete_inputs],
        "Input type": event.input_dtypes,
        "Input Strides": event.structured_input_strides,
        "Input Dims": event.structured_input_shapes,
    }


def _span(event, i, start_us):
    args = {"External id": event.id, "Ev Idx": i, **_inputs(event)}
    if event.stack:
        args["Call stack"] = ";".join(event.stack)
    return {
        "ph": "X",
        "cat": event.activity_type,
        "name": event.trace_name,
        "pid": event.device_index,
        "tid": event.device_resource_id,
        "ts": round(start_us + event.time_range.start, 3),
        "dur": round(event.time_range.elapsed_us(), 3),
        "args": args,
    }


def _labels(pid, threads, start_us):
    def label(kind, tid, **args):
        return {"ph": "M", "name": kind, "ts": start_us, "pid": pid, "tid": tid, "args": args}

    yield label("process_name", 0, name="python")
    yield label("process_labels", 0, labels="CPU")
    yield label("process_sort_index", 0, sort_index=pid)
    for tid in threads:
        yield label("thread_name", tid, name=f"thread {tid} (python)")
        yield label("thread_sort_index", tid, sort_index=tid)


def trace(events, start_us=0.0, metadata=None):
    """The trace as a dict. start_us: the time of the profile's start, added to each event's."""
    pid = events[0].device_index if events else os.getpid()
    threads = dict.fromkeys(event.device_resource_id for event in events)
    return {
        "schemaVersion": 1,
        "deviceProperties": [],
        **(metadata or {}),
        "displayTimeUnit": "ms",
        "traceEvents": [
            *_labels(pid, threads, start_us),
            *(_span(event, i, start_us) for i, event in enumerate(events)),
        ],
    }


def write_trace(path, events, start_us=0.0, metadata=None):
    """Writes the trace; compressed when the path ends with .gz. The file appears when it is whole."""
    path = os.fspath(path)
    text = json.dumps(trace(events, start_us, metadata)).encode()
    if path.endswith(".gz"):
        text = gzip.compress(text)
    folder = os.path.dirname(path) or "."
    handle, unfinished = tempfile.mkstemp(dir=folder, suffix=".unfinished")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(unfinished, 0o666 & ~mask)
        os.replace(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise
