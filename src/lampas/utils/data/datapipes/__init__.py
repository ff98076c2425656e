"""Datapipes are not offered. Their names exist, so that programs that only import them run.

Classes can be named, subclassed and asked for with `isinstance`; making one, or calling a function,
raises NotImplementedError.
"""

from lampas.utils.data.dataset import Dataset, IterableDataset

__all__ = [
    "DFIterDataPipe",
    "DataChunk",
    "IterDataPipe",
    "MapDataPipe",
    "argument_validation",
    "functional_datapipe",
    "guaranteed_datapipes_determinism",
    "non_deterministic",
    "runtime_validation",
    "runtime_validation_disabled",
]


def _refuse(name):
    raise NotImplementedError(
        f"{name}: datapipes are not available in Lampas\n"
        "hint: write a Dataset or an IterableDataset and give it to the DataLoader"
    )


class IterDataPipe(IterableDataset):
    """Not available: making one raises NotImplementedError."""

    def __new__(cls, *args, **kwargs):
        _refuse(cls.__name__)


class DFIterDataPipe(IterDataPipe):
    """Not available: making one raises NotImplementedError."""


class MapDataPipe(Dataset):
    """Not available: making one raises NotImplementedError."""

    def __new__(cls, *args, **kwargs):
        _refuse(cls.__name__)


class DataChunk(list):
    """Not available: making one raises NotImplementedError."""

    def __new__(cls, *args, **kwargs):
        _refuse(cls.__name__)


def functional_datapipe(name, enable_df_api_tracing=False):
    """A decorator that leaves the class as it is: no datapipe exists that could have the method."""
    return lambda cls: cls


def not_offered(name):
    """A function of this name that raises NotImplementedError."""

    def refuse(*args, **kwargs):
        _refuse(name)

    refuse.__name__ = refuse.__qualname__ = name
    return refuse


argument_validation = not_offered("argument_validation")
guaranteed_datapipes_determinism = not_offered("guaranteed_datapipes_determinism")
non_deterministic = not_offered("non_deterministic")
runtime_validation = not_offered("runtime_validation")
runtime_validation_disabled = not_offered("runtime_validation_disabled")


def family(base, names):
    """Classes of these names, none of which can be made."""
    doc = "Not available: making one raises NotImplementedError."
    suffix = base.__name__
    return {name: type(name + suffix, (base,), {"__doc__": doc}) for name in names}
