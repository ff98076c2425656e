"""Which name an object has in a file: `torch.*` for what Lampas calls `lampas.*`, and back.

Files carry PyTorch's names, so that either library reads what the other wrote.
"""

import importlib

from lampas.storage import CLASSES, STORAGE_NAMES

# Modules of Lampas whose classes stand elsewhere in PyTorch. A class not in its module there: by name.
_ELSEWHERE = {
    "lampas.nn.modules.attention": "torch.nn.modules.activation",
    "lampas.nn.modules.parameters": "torch.nn.modules.container",
    "lampas.nn.modules.rnn_cells": "torch.nn.modules.rnn",
    "lampas.nn.modules.linear_cross_entropy": "torch.nn.modules.loss",
    "lampas.nn.modules.linear_cross_entropy.LinearCrossEntropyOptions": (
        "torch.nn.modules.linear_cross_entropy_options"
    ),
    "lampas.amp.autocast": "torch.amp.autocast_mode",
}
_PREFIXES = (("lampas.vision", "torchvision"), ("lampas", "torch"))

DTYPE_NAMES = tuple(STORAGE_NAMES) + ("uint16", "uint32", "uint64", "complex32")


def to_torch(module, name=None):
    """The module's name in a file; that of an object `name` in it where one is given."""
    moved = _ELSEWHERE.get(f"{module}.{name}") or _ELSEWHERE.get(module)
    return moved or _swap(module, 0, 1)


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
    for place in _places(module, name):
        try:
            found = importlib.import_module(place)
            for part in name.split("."):
                found = getattr(found, part)
            return found
        except (ImportError, AttributeError) as error:
            failure = error
    raise failure


def _places(module, name):
    """The modules of Lampas in which a file's `module` and `name` may stand."""
    for ours, theirs in _ELSEWHERE.items():
        if theirs == module:
            yield ours.removesuffix(f".{name}")
    yield to_lampas(module)


def dtype_name(dtype):
    """`float32` for `lampas.float32`."""
    return str(dtype).rpartition(".")[2]
