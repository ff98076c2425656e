"""`torch.jit` without a compiler: code runs as Python, what would need TorchScript refuses.

`script` and `trace` return what they were given, so that programs which script a model for speed
run; saving or loading TorchScript files raises NotImplementedError.
"""

import builtins
import warnings
from typing import Final

from lampas import unavailable
from lampas.futures import Future
from lampas.jit import annotations

_FILES = "TorchScript programs can be neither written nor read; save a state_dict with torch.save"

TracerWarning = type("TracerWarning", (Warning,), {"__module__": "torch.jit"})
Error = type("Error", (RuntimeError,), {"__module__": "torch.jit"})
Attribute = annotations.Attribute
globals().update(
    unavailable.names("torch.jit", "save load jit_module_from_flatbuffer", hint=_FILES)
)
globals().update(
    unavailable.names(
        "torch.jit",
        types="ScriptModule ScriptFunction TopLevelTracedModule TracedModule RecursiveScriptModule "
        "CompilationUnit",
        hint="nothing is compiled; torch.jit.script returns the module itself",
    )
)


def _deprecated(name, instead):
    warnings.warn(f"`torch.jit.{name}` is deprecated. {instead}", DeprecationWarning, stacklevel=3)


_SWITCH = "Please switch to `torch.compile` or `torch.export`."
_COMPILE = "Please use `torch.compile` instead."


def script(obj=None, optimize=None, _frames_up=0, _rcb=None, example_inputs=None):
    """`obj` itself, a function, class or module: it goes on running as Python."""
    _deprecated("script", _SWITCH)
    if builtins.isinstance(obj, type) or callable(obj):
        return obj
    raise TypeError(f"{type(obj)} is a built-in class")


def trace(func, example_inputs=None, *args, example_kwarg_inputs=None, **kwargs):
    """`func` itself, after one call with the example inputs (a tensor, a tuple or a dict by keyword).

    Unlike a trace of PyTorch it keeps control flow that depends on data.
    """
    from lampas.autograd.grad_mode import no_grad

    _deprecated("trace", _SWITCH)
    if example_kwarg_inputs is not None:
        inputs, named = (), example_kwarg_inputs
    elif builtins.isinstance(example_inputs, dict):
        inputs, named = (), example_inputs
    else:
        inputs = (
            example_inputs
            if builtins.isinstance(example_inputs, (tuple, list))
            else (example_inputs,)
        )
        named = {}
    with no_grad():
        func(*inputs, **named)
    return func


def trace_module(mod, inputs, *args, **kwargs):
    """`mod` itself, after one call of each method in `inputs` with its example."""
    for name, example in inputs.items():
        trace(mod if name == "forward" else getattr(mod, name), example)
    return mod


def freeze(mod, preserved_attrs=None, optimize_numerics=True):
    """`mod` itself; it must be in evaluation mode."""
    _deprecated("freeze", _COMPILE)
    if getattr(mod, "training", False):
        raise RuntimeError(
            "Freezing is currently only implemented for modules in eval mode. Please call .eval() "
            "on your module before freezing."
        )
    return mod


def optimize_for_inference(mod, other_methods=None):
    """`mod` itself."""
    return mod


run_frozen_optimizations = optimize_for_inference


def ignore(drop=False, **kwargs):
    """Decorator, also with arguments: the function itself."""
    return drop if callable(drop) else lambda function: function


def unused(fn):
    """The function or property itself."""
    return fn


export = interface = script_if_tracing = _overload = _overload_method = unused


def script_method(fn, _rcb=None):
    """The function itself."""
    return fn


def is_scripting():
    """False: the code runs as Python."""
    return False


def is_tracing():
    """False: calls are not recorded."""
    return False


def annotate(the_type, the_value):
    """`the_value`; the type is for a compiler."""
    return the_value


def isinstance(obj, target_type):  # so Python's own is `builtins.isinstance` in this file
    """Whether `obj` is of a type, a tuple of types, or a container type such as List[int]."""
    return annotations.is_of_type(obj, target_type)


def fork(func, *args, **kwargs):
    """Calls the function now; `wait` gives its result."""
    _deprecated("fork", _COMPILE)
    return called_future(func, args, kwargs)


def called_future(func, args, kwargs):
    """A finished Future with the result of the call, or its error."""
    future = Future()
    try:
        future.set_result(func(*args, **kwargs))
    except Exception as error:
        future.set_exception(error)
    return future


def wait(future):
    """The result of `fork`."""
    _deprecated("wait", _COMPILE)
    return future.wait()


def onednn_fusion_enabled():
    """False."""
    return False


def enable_onednn_fusion(enabled):
    """Nothing is fused; the wish changes nothing."""


def set_fusion_strategy(strategy):
    """Nothing is fused: an empty strategy before, none after."""
    return []


class optimized_execution:
    """Context: whether TorchScript optimises; without effect."""

    def __init__(self, should_optimize):
        self.should_optimize = should_optimize

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


fuser = strict_fusion = optimized_execution
