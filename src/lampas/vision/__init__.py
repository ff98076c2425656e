"""What torchvision is to PyTorch: datasets, transforms, models, image grids, box operations.

Parts load on first use.
"""

import importlib

_SUBMODULES = ("datasets", "io", "models", "ops", "transforms", "utils")


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "__version__":  # the torchvision that belongs to `torch.__version__`
        import lampas
        from lampas.torch_version import torchvision_version

        return torchvision_version(lampas.__version__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_SUBMODULES, "__version__"])


def set_image_backend(backend):
    """Choose the package that reads images: only "PIL" here. ValueError for another."""
    if backend != "PIL":
        raise ValueError(f"Invalid backend '{backend}'. Options are 'PIL' and 'accimage'")


def get_image_backend():
    """The package that reads images."""
    return "PIL"
