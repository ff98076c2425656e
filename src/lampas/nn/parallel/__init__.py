"""Data parallelism: over the GPUs of one process, or (`distributed`) over processes."""

from lampas.nn.parallel.data_parallel import DataParallel, data_parallel

__all__ = [
    "DataParallel", "DistributedDataParallel", "data_parallel", "gather", "parallel_apply",
    "replicate", "scatter",
]  # fmt: skip
_PLACES = {
    "gather": "scatter_gather",
    "parallel_apply": "parallel_apply",
    "replicate": "replicate",
    "scatter": "scatter_gather",
    "scatter_gather": "scatter_gather",
}


def __getattr__(name):
    if name in ("DistributedDataParallel", "distributed"):
        from importlib import import_module

        found = import_module(f"{__name__}.distributed")
        return found if name == "distributed" else found.DistributedDataParallel
    place = _PLACES.get(name)
    if place is not None:
        from importlib import import_module

        found = import_module(f"{__name__}.{place}")
        # A function of its module's name takes the module's place, as in PyTorch.
        globals()[name] = found if name == "scatter_gather" else getattr(found, name)
        return globals()[name]
    if name == "comm":
        from lampas.cuda import comm

        return comm
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
