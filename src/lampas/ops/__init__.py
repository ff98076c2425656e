"""Composite operators: Python functions over primitives, one file per family.

Their gradients are those of what they are made of; for the exceptions see `one_node`. As `torch.ops` it also
gives operators by namespace (`torch.ops.aten.mul`); see `namespaces`.
"""


def load_library(path):
    """Raises NotImplementedError: extensions are built against PyTorch's C++."""
    raise NotImplementedError(f"torch.ops.load_library({str(path)!r}) is not available in Lampas")


def __getattr__(name):
    from importlib.util import find_spec

    if name.startswith("__") or find_spec(f"{__name__}.{name}") is not None:  # a file: import it
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lampas.ops.namespaces import Namespace

    globals()[name] = space = Namespace(name)
    return space
