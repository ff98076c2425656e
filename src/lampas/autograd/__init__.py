"""Automatic differentiation: backward, grad, grad modes, Function, hooks and checks."""

import importlib

from lampas import _core
from lampas.autograd import node as _node
from lampas.autograd.engine import backward, grad
from lampas.autograd.function import Function
from lampas.autograd.grad_mode import (
    enable_grad,
    inference_mode,
    is_multithreading_enabled,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)

__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "grad_mode",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
]

_LAZY = {
    "gradcheck": "gradcheck",
    "gradgradcheck": "gradcheck",
    "Variable": "variable",
    "NestedIOFunction": "function",
    "enforce_grad_layout_policy": "grad_mode",
    "detect_anomaly": "anomaly_mode",
    "set_detect_anomaly": "anomaly_mode",
    "profiler": None,
    "profiler_util": None,
    "functional": None,
    "graph": None,
    "forward_ad": None,
    "function": None,
    "grad_mode": None,
    "variable": None,
    "anomaly_mode": None,
}


def __getattr__(name):
    if name in ("has_torch_function", "handle_torch_function"):
        return getattr(importlib.import_module("lampas.overrides"), name)
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f"{__name__}.{_LAZY[name] or name}")
    if _LAZY[name] is None:
        return home
    value = globals()[name] = getattr(home, name)
    return value


is_grad_enabled = _core.is_grad_enabled


def _profiler_enabled():
    """Whether a profile is being recorded."""
    return _core._profiling()


def is_view_replay_enabled():
    """False: how views are made again after a write is not recorded."""
    return False


def is_tensor_like(inp):
    """Whether `inp` is a tensor or of a type that takes part in `__torch_function__`."""
    return isinstance(inp, _core.Tensor) or hasattr(inp, "__torch_function__")


def kineto_available():
    """False: there is no Kineto in Lampas."""
    return False
