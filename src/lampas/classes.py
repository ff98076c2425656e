"""`torch.classes`: classes of C++ extensions. None can be loaded."""

from lampas import unavailable

loaded_libraries = set()
load_library = unavailable.function(
    "torch.classes.load_library", "extensions are built against PyTorch's C++"
)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    raise RuntimeError(
        f"Tried to instantiate class '{name}', but it does not exist! Ensure that it is registered "
        "via torch::class_"
    )
