"""`torch.overrides`: types and modes that take over functions by `__torch_function__`.

The core asks them itself (core/python/override.cc); here are the modes and the questions about them.
"""

import contextlib
import functools

import lampas
from lampas import _core
from lampas.nn.functional.overriding import (
    handle_torch_function,
    has_torch_function,
    has_torch_function_unary,
    has_torch_function_variadic,
)
from lampas.tensor_methods import PLAIN_GETTERS

__all__ = [
    "BaseTorchFunctionMode", "TorchFunctionMode", "get_default_nowrap_functions",
    "get_ignored_functions", "get_overridable_functions", "handle_torch_function",
    "has_torch_function", "has_torch_function_unary", "has_torch_function_variadic",
    "is_tensor_like", "is_tensor_method_or_property", "resolve_name", "wrap_torch_function",
]  # fmt: skip


class TorchFunctionMode:
    """Context in which every call of the API goes to this object's `__torch_function__`.

    Subclasses define `__torch_function__(self, func, types, args=(), kwargs=None)`; calls that it makes
    itself go to the modes around this one. Modes nest; the innermost is asked first.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        raise NotImplementedError

    def __enter__(self):
        _core._push_torch_function_mode(self)
        return self

    def __exit__(self, *_):
        _core._pop_torch_function_mode()


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that changes nothing."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class _Switched(contextlib.AbstractContextManager):
    """Context in which `__torch_function__` is in a state of `_core._set_torch_function`."""

    state = 0

    def __enter__(self):
        before = _core._torch_function()
        self._before = getattr(self, "_before", [])
        self._before.append(before)
        _core._set_torch_function(max(before, self.state))
        return self

    def __exit__(self, *_):
        _core._set_torch_function(self._before.pop())


class DisableTorchFunctionSubclass(_Switched):
    """Context in which no type takes calls over; modes still do."""

    state = 1


class DisableTorchFunction(_Switched):
    """Context in which neither types nor modes take calls over."""

    state = 2


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
    """Getters whose result stays a plain tensor for a subclass: `_base`, `grad`."""
    return set(PLAIN_GETTERS)


def _namespaces():
    """(name, what it holds) of the places with functions that can be taken over."""
    yield "torch", lampas
    yield "torch.nn.functional", lampas.nn.functional
    yield "torch.linalg", lampas.linalg
    yield "torch.fft", lampas.fft
    yield "torch.special", lampas.special
    yield "torch.Tensor", lampas.Tensor


_OVERRIDABLE = (type(_core.add), type(_core.Tensor.add), type(_core.Tensor.__repr__))


@functools.cache
def get_overridable_functions():
    """Functions and methods that types and modes can take over, by the namespace that holds them."""
    return {
        space: [each for each in vars(space).values() if isinstance(each, _OVERRIDABLE)]
        for _, space in _namespaces()
    }


def get_ignored_functions():
    """Callables of `torch` that nothing can take over."""
    return {
        value
        for value in vars(lampas).values()
        if callable(value) and value.__hash__ and not isinstance(value, _OVERRIDABLE)
    }


@functools.cache
def _names():
    """What each overridable function is called, the first namespace that has it counting."""
    names = {}
    for prefix, space in _namespaces():
        for name, value in vars(space).items():
            if prefix == "torch.Tensor" and hasattr(value, "__get__") and not callable(value):
                names.setdefault(value.__get__, f"{prefix}.{name}.__get__")
            elif callable(value) and getattr(value, "__hash__", None):
                names.setdefault(value, f"{prefix}.{name}")
    return names


def is_tensor_method_or_property(func):
    """Whether the function belongs to Tensor, by itself or as the getter of a property."""
    name = getattr(func, "__name__", None)
    if name == "__get__":
        return True
    return name is not None and getattr(lampas.Tensor, name, None) is func


def resolve_name(f):
    """`torch.nn.functional.relu` for that function; None for one that cannot be taken over."""
    return _names().get(f)
