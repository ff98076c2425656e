"""From what the core recorded to events as users see them: names, times, inputs, floating point operations."""

import math
import os

from lampas import _core
from lampas.autograd.profiler_util import EventList, FunctionEvent

OPERATOR, BACKWARD_NODE, LABEL = range(3)
_SCOPES = {OPERATOR: 0, BACKWARD_NODE: 1, LABEL: 7}

# Operators whose name here is not the one that PyTorch's profile shows.
_NAMES = {
    "true_divide": "div",
    "true_divide_": "div_",
    "rtruediv": "div",
    "invert": "bitwise_not",
    "rpow": "pow",
    "rmod": "remainder",
    "rfloordiv": "floor_divide",
    "rmatmul": "matmul",
    "cross_entropy": "cross_entropy_loss",
}
# Python functions that go the way of operators here and leave no event in PyTorch.
_NO_OPERATORS = {f"aten::{name}" for name in ("backward", "register_hook", "tolist", "numpy")}
_NODES = ("AccumulateGrad", "CopySlices", "CopyBackwards")
_DTYPES = {
    "float32": "float",
    "float64": "double",
    "int64": "long int",
    "int32": "int",
    "int16": "short int",
    "int8": "signed char",
    "uint8": "unsigned char",
    "bool": "bool",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}


def operator_name(name):
    """aten::add for add; dunders of slots as the operators behind them."""
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
    return "aten::" + _NAMES.get(name, name)


def _node_name(name):
    return f"torch::autograd::{name}" if name in _NODES else name


def _event_name(name, kind):
    if kind == LABEL:
        return name
    prefix = "autograd::engine::evaluate_function: "
    if name.startswith(prefix):
        return prefix + _node_name(name[len(prefix) :])
    return _node_name(name) if kind == BACKWARD_NODE else operator_name(name)


def _is_tensor(entry):
    return isinstance(entry, tuple)


def _is_tensor_list(entry):
    return isinstance(entry, list) and bool(entry) and all(_is_tensor(e) for e in entry)


def _part(entry, i):
    """Sizes (0) or strides (1) of a tensor or a list of tensors; empty for the rest."""
    if _is_tensor(entry):
        return list(entry[i])
    return [list(e[i]) for e in entry] if _is_tensor_list(entry) else []


def _dtype(entry):
    if _is_tensor(entry):
        name = str(entry[2]).removeprefix("torch.")
        return _DTYPES.get(name, name)
    if isinstance(entry, list):
        return "TensorList" if _is_tensor_list(entry) else "ScalarList"
    return "" if entry is None else "Scalar"


def _concrete(entry):
    return None if _is_tensor(entry) or _is_tensor_list(entry) else entry


def _inputs(entries):
    return {
        "input_shapes": [list(e[0]) if _is_tensor(e) else [] for e in entries],
        "structured_input_shapes": [_part(e, 0) for e in entries],
        "structured_input_strides": [_part(e, 1) for e in entries],
        "input_dtypes": [_dtype(e) for e in entries],
        "concrete_inputs": [_concrete(e) for e in entries],
    }


def _matrix_product(a, b):
    """2 n m k multiplications and additions, for each matrix of a batch."""
    return 2 * math.prod(a) * b[-1]


def _convolution(shapes, concrete):
    x, weight = shapes[:2]
    spatial = len(weight) - 2

    def option(i, default):
        value = concrete[i] if len(concrete) > i and concrete[i] is not None else default
        return value if isinstance(value, list) else [value] * spatial

    if isinstance(concrete[4] if len(concrete) > 4 else None, str):
        return 0
    stride, padding, dilation = option(3, 1), option(4, 0), option(5, 1)
    outputs = 1
    for d in range(spatial):
        reach = dilation[d] * (weight[2 + d] - 1) + 1
        outputs *= (x[-spatial + d] + 2 * padding[d] - reach) // stride[d] + 1
    batch = x[0] if len(x) == spatial + 2 else 1
    return 2 * batch * outputs * math.prod(weight)


def flops(name, shapes, concrete):
    """Floating point operations of the operators that PyTorch counts them for; 0 for the others.

    A linear layer counts as its matrix product, which is an event of its own in PyTorch.
    """
    try:
        if name in ("aten::mm", "aten::bmm", "aten::matmul"):
            return _matrix_product(shapes[0], shapes[1])
        if name in ("aten::addmm", "aten::baddbmm"):
            return _matrix_product(shapes[1], shapes[2])
        if name == "aten::linear":
            return 2 * math.prod(shapes[0]) * shapes[1][0]
        if name == "aten::conv2d":
            return _convolution(shapes, concrete)
        if name in ("aten::mul", "aten::add"):
            return math.prod(shapes[0])
    except (IndexError, TypeError):
        pass
    return 0


def read(raw, start_ns, *, record_shapes, profile_memory, with_flops):
    """The EventList of what `_core._profile_stop` returned."""
    threads, events = {}, []
    for i, (name, kind, _, tid, start, end, memory, inputs, stack) in enumerate(raw):
        shown = _event_name(name, kind)
        described = _inputs(inputs) if inputs else {}
        counted = 0
        if with_flops and described:
            counted = flops(
                shown, described["structured_input_shapes"], described["concrete_inputs"]
            )
        step = shown.startswith("ProfilerStep#")
        event = FunctionEvent(
            i + 1,
            "ProfilerStep*" if step else shown,
            threads.setdefault(tid, len(threads) + 1),
            (start - start_ns) / 1000,
            (end - start_ns) / 1000,
            overload_name="",
            trace_name=shown,
            scope=_SCOPES[kind],
            stack=stack,
            cpu_memory_usage=memory if profile_memory else 0,
            device_index=os.getpid(),
            device_resource_id=tid,
            flops=counted,
            fwd_thread=0,
            is_user_annotation=kind == LABEL,
            activity_type="user_annotation" if kind == LABEL else "cpu_op",
            **(described if record_shapes else {}),
        )
        events.append(event)
    for event, (_, _, parent, *_) in zip(events, raw):
        if parent >= 0:
            event.set_cpu_parent(events[parent])
            events[parent].append_cpu_child(event)
    found = EventList(events, profile_memory=profile_memory, with_flops=with_flops)
    found._drop(lambda event: event.name in _NO_OPERATORS)
    found._build_tree()
    return found


def python_frames():
    """Where the running code stands, innermost first, as "file(line): function"."""
    import sys

    frame, frames = sys._getframe(1), []
    while frame is not None:
        code = frame.f_code
        frames.append(f"{code.co_filename}({frame.f_lineno}): {code.co_name}")
        frame = frame.f_back
    return frames


def start(*, inputs, memory, stack):
    """Turns the core's recording on."""
    _core._profile_start(inputs, memory, python_frames if stack else None)


def stop():
    """Turns it off; returns what was recorded."""
    return _core._profile_stop()
