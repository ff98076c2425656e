"""Data parallelism in one process. On one device it is a wrapper that adds `module.` to keys."""

from lampas.nn.parallel.data_parallel import DataParallel, data_parallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]


def __getattr__(name):
    if name in ("DistributedDataParallel", "distributed"):
        from importlib import import_module

        found = import_module(f"{__name__}.distributed")
        return found if name == "distributed" else found.DistributedDataParallel
    if name in ("scatter", "gather", "scatter_gather"):
        from importlib import import_module

        found = import_module(f"{__name__}.scatter_gather")
        return found if name == "scatter_gather" else getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
