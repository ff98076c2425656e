"""`import torch` and `import torchvision` mean Lampas, for the blocks of the documents."""

import importlib
import importlib.abc
import importlib.machinery
import sys

_MEANS = {"torch": "lampas", "torchvision": "lampas.vision"}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in _MEANS:
            return importlib.machinery.ModuleSpec(name, self)
        return None

    def create_module(self, spec):
        head, _, rest = spec.name.partition(".")
        module = importlib.import_module(".".join(filter(None, (_MEANS[head], rest))))
        self.own = module.__spec__
        return module

    def exec_module(self, module):
        # The import system has put its own specification on a module that has one.
        module.__spec__ = self.own


def as_torch():
    """From now on in this process; PyTorch itself must not have been imported."""
    sys.meta_path.insert(0, _Finder())
