"""`torch.utils`: sub-packages load on first use, so that `import lampas` stays light."""

import importlib

_SUBMODULES = ("checkpoint", "data", "dlpack", "hooks", "_pytree", "tensorboard")


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_SUBMODULES])
