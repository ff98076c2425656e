"""Which name an object has in a file: `torch.*` for what Lampas calls `lampas.*`, and back.

Files carry PyTorch's names, so that either library reads what the other wrote.
"""

import importlib

import lampas

_PREFIXES = (("lampas.vision", "torchvision"), ("lampas", "torch"))

# The storage class that a file names for each element type. Types without one travel as
# `UntypedStorage` with the dtype beside it.
STORAGE_NAMES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    "complex64": "ComplexFloatStorage",
    "complex128": "ComplexDoubleStorage",
}
DTYPE_NAMES = tuple(STORAGE_NAMES) + ("uint16", "uint32", "uint64")


def to_torch(module):
    """The module's name in a file."""
    return _swap(module, 0, 1)


def to_lampas(module):
    """The module of Lampas that a file's name stands for."""
    return _swap(module, 1, 0)


def _swap(module, source, target):
    for pair in _PREFIXES:
        if module == pair[source] or module.startswith(pair[source] + "."):
            return pair[target] + module[len(pair[source]) :]
    return module


def resolve(module, name):
    """The object that a file means by `module` and a dotted `name`.

    AttributeError or ImportError name what is missing.
    """
    if module in ("torch", "torch.storage") and name in STORAGE_CLASSES:
        return STORAGE_CLASSES[name]
    if module in ("torch._C", "torch.cuda") and name.endswith(("Storage", "Generator")):
        return resolve("torch", name)
    found = importlib.import_module(to_lampas(module))
    for part in name.split("."):
        found = getattr(found, part)
    return found


class StorageClass:
    """Stands for `torch.FloatStorage` and its like in a file; `dtype` None means untyped."""

    def __init__(self, name, dtype_name):
        self.__name__ = self.__qualname__ = name
        self.__module__ = "torch" if dtype_name else "torch.storage"
        self._dtype_name = dtype_name

    @property
    def dtype(self):
        return getattr(lampas, self._dtype_name) if self._dtype_name else None

    def __repr__(self):
        return f"<class '{self.__module__}.{self.__name__}'>"


STORAGE_CLASSES = {name: StorageClass(name, dtype) for dtype, name in STORAGE_NAMES.items()}
STORAGE_CLASSES["UntypedStorage"] = StorageClass("UntypedStorage", None)


def storage_class(dtype):
    """The class that a file names for tensors of `dtype`."""
    return STORAGE_CLASSES[STORAGE_NAMES.get(dtype_name(dtype), "UntypedStorage")]


def dtype_name(dtype):
    """`float32` for `lampas.float32`."""
    return str(dtype).rpartition(".")[2]
