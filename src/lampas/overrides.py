"""`torch.overrides`: types that take over functions by `__torch_function__`.

A program's own functions can ask for it with the tools here. Lampas's operators do not call it yet, so
a mode that sees every call (`TorchFunctionMode`) is not available.
"""

import functools

import lampas
from lampas import unavailable
from lampas.nn.functional.overriding import (
    handle_torch_function,
    has_torch_function,
    has_torch_function_unary,
    has_torch_function_variadic,
)

__all__ = [
    "get_default_nowrap_functions", "get_ignored_functions", "get_overridable_functions",
    "handle_torch_function", "has_torch_function", "has_torch_function_unary",
    "has_torch_function_variadic", "is_tensor_like",
    "is_tensor_method_or_property", "resolve_name", "wrap_torch_function",
]  # fmt: skip

_HINT = "operators do not call __torch_function__"
globals().update(
    unavailable.names(
        "torch.overrides", types="TorchFunctionMode BaseTorchFunctionMode", hint=_HINT
    )
)


def is_tensor_like(inp):
    """Whether the value is a tensor or its type has `__torch_function__`."""
    return isinstance(inp, lampas.Tensor) or hasattr(type(inp), "__torch_function__")


def wrap_torch_function(dispatcher):
    """Decorator: calls go to `__torch_function__` of the arguments that `dispatcher` gives."""

    def wrap(function):
        @functools.wraps(function)
        def overridable(*args, **kwargs):
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(overridable, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return overridable

    return wrap


def get_default_nowrap_functions():
    """Attributes of a tensor that a subclass gets as plain values."""
    names = ("_base", "grad", "_grad")
    found = (getattr(lampas.Tensor, name, None) for name in names)
    return {entry.__get__ for entry in found if hasattr(entry, "__get__")}


def get_ignored_functions():
    """Functions that no type can take over: all of `torch`, see `get_overridable_functions`."""
    return {value for value in vars(lampas).values() if callable(value)}


def get_overridable_functions():
    """Functions that ask for `__torch_function__`, by namespace: none of Lampas's own does yet."""
    return {}


def is_tensor_method_or_property(func):
    """Whether the function belongs to Tensor, by itself or as the getter of a property."""
    name = getattr(func, "__name__", None)
    if name == "__get__":
        return True
    return name is not None and getattr(lampas.Tensor, name, None) is func


def resolve_name(f):
    """`torch.nn.functional.relu` for that function; None for one that is not found."""
    for space, path in (
        (lampas, "torch"),
        (lampas.Tensor, "torch.Tensor"),
        (lampas.nn.functional, "torch.nn.functional"),
        (lampas.linalg, "torch.linalg"),
        (lampas.fft, "torch.fft"),
        (lampas.special, "torch.special"),
    ):
        name = getattr(f, "__name__", None)
        if name is not None and getattr(space, name, None) is f:
            return f"{path}.{name}"
    return None
