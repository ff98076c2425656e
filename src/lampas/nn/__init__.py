"""Neural networks: modules, their functions, initialisation."""

from lampas.nn import functional, init, modules
from lampas.nn.modules import *
from lampas.nn.parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
)

_LAZY = ("attention", "common_types", "grad", "parallel", "utils")


def __getattr__(name):
    if name == "DataParallel":
        from lampas.nn.parallel import DataParallel

        return DataParallel
    if name in _LAZY:
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_LAZY, "DataParallel"})


def factory_kwargs(kwargs):
    """The device, dtype and memory_format among `kwargs`, for a tensor's factory function."""
    if kwargs is None:
        return {}
    names = {"device", "dtype", "memory_format"}
    unexpected = kwargs.keys() - (names | {"factory_kwargs"})
    if unexpected:
        raise TypeError(f"unexpected kwargs {unexpected}")
    found = dict(kwargs.get("factory_kwargs", {}))
    for name in names & kwargs.keys():
        if name in found:
            raise TypeError(f"{name} specified twice, in **kwargs and in factory_kwargs")
        found[name] = kwargs[name]
    return found
