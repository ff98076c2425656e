"""`torch._jit_internal`: marks for a compiler that is not here; they return what they are given."""

from lampas.jit import (
    Final,
    Future,
    export,
    ignore,
    is_scripting,
    unused,
)

__all__ = ["Final", "Future", "boolean_dispatch", "export", "ignore", "is_scripting", "unused"]

_overload = _overload_method = unused


def _copy_to_script_wrapper(fn):
    return fn


def boolean_dispatch(arg_name, arg_index, default, if_true, if_false, module_name, func_name):
    """A function that calls one of two, by one of its arguments."""

    def dispatch(*args, **kwargs):
        choice = kwargs.get(arg_name, args[arg_index] if arg_index < len(args) else default)
        return (if_true if choice else if_false)(*args, **kwargs)

    dispatch.__name__ = dispatch.__qualname__ = func_name
    return dispatch
