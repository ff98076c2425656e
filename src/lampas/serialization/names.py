"""Which name an object has in a file: `torch.*` for what Lampas calls `lampas.*`, and back.

Files carry PyTorch's names, so that either library reads what the other wrote.
"""

import importlib

from lampas.storage import CLASSES, STORAGE_NAMES

_PREFIXES = (("lampas.vision", "torchvision"), ("lampas", "torch"))

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
    if module in ("torch", "torch.storage") and name in CLASSES:
        return CLASSES[name]
    if module in ("torch._C", "torch.cuda") and name.endswith(("Storage", "Generator")):
        return resolve("torch", name)
    found = importlib.import_module(to_lampas(module))
    for part in name.split("."):
        found = getattr(found, part)
    return found


def dtype_name(dtype):
    """`float32` for `lampas.float32`."""
    return str(dtype).rpartition(".")[2]
