"""`lampas.vision` once more, on top of PyTorch: the same source with the other module's name.

After `install()` it is importable as `twinvision`. What its parts compute then comes from PyTorch, so a
difference between the two lies in the engine below, not in the vision code.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from pathlib import Path

import lampas.downloads
import lampas.vision
from lampas.serialization.storage import swap_bytes

_SOURCE = Path(lampas.vision.__file__).parent
_NAMES = (
    ("lampas.downloads", "twindownloads"),
    ("lampas.serialization.storage", "twinstorage"),
    ("lampas.vision", "twinvision"),
    ("lampas", "torch"),
)


class _Twins(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `twinvision.*` and loads it from the rewritten source."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != "twinvision":
            return None
        stem = _SOURCE.joinpath(*name.split(".")[1:])
        package = stem.is_dir()
        file = stem / "__init__.py" if package else stem.with_suffix(".py")
        if not file.is_file():
            return None
        spec = importlib.machinery.ModuleSpec(name, self, origin=str(file), is_package=package)
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        path = module.__spec__.origin
        module.__file__ = path
        source = Path(path).read_text(encoding="utf-8")
        for ours, theirs in _NAMES:
            source = source.replace(ours, theirs)
        exec(compile(source, path, "exec"), module.__dict__)


def install():
    """Make `twinvision` importable."""
    if any(isinstance(finder, _Twins) for finder in sys.meta_path):
        return
    storage = types.ModuleType("twinstorage")
    storage.storage_bytes = bytes
    storage.swap_bytes = swap_bytes
    sys.modules["twinstorage"] = storage
    sys.modules["twindownloads"] = lampas.downloads
    sys.meta_path.append(_Twins())
