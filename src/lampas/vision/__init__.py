"""What torchvision is to PyTorch: datasets, transforms, image grids. Parts load on first use."""

import importlib

_SUBMODULES = ("datasets", "io", "models", "ops", "transforms", "utils")


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "__version__":
        import lampas
        from lampas.torch_version import torchvision_version

        return torchvision_version(lampas.__version__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_SUBMODULES])
