"""The import hook: `torch` and `torchvision` are other names of modules of Lampas.

This file imports nothing of Lampas before a name is asked for, so that an interpreter that never
asks does not pay for it: `site/sitecustomize.py` loads it by its path.
"""

import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import re
import sys

NAMES = {"torch": "lampas", "torchvision": "lampas.vision"}
VERSION_VARIABLE = "LAMPAS_TORCH_VERSION"


def target(name):
    """The module of Lampas that `name` stands for, or None where it stands for itself."""
    top, _, rest = name.partition(".")
    ours = NAMES.get(top)
    return ours and (f"{ours}.{rest}" if rest else ours)


def install(only=None, torch_version=None):
    """Puts the hook in place; see `lampas.launcher.as_torch`."""
    if torch_version is not None:
        set_version(torch_version)
    if only is not None:
        from lampas.launcher.packages import install_for

        install_for((only,) if isinstance(only, str) else only)
        return
    refuse_real()
    if not any(isinstance(finder, AliasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, AliasFinder())


def set_version(text):
    """Sets what `torch.__version__` reads, here and (by the environment) in child interpreters."""
    if not re.fullmatch(r"\d+(\.\d+)+([-+.]?\w+)*", text):
        raise ValueError(f"not a version of PyTorch: {text!r} (it looks like 2.8.0 or 2.8.0+cpu)")
    os.environ[VERSION_VARIABLE] = text
    if "lampas" in sys.modules:
        version = importlib.import_module("lampas.torch_version")
        sys.modules["lampas"].__version__ = version.TorchVersion(text)


def refuse_real():
    """Raises ImportError when a `torch` or `torchvision` that is not ours is in use."""
    for name, ours in NAMES.items():
        there = sys.modules.get(name)
        if there is None or there is sys.modules.get(ours):
            continue
        raise ImportError(
            f"{name} is already imported from {getattr(there, '__file__', None) or 'elsewhere'}, so its "
            "name cannot be given to Lampas any more. Call lampas.as_torch() before anything imports "
            f"{name}, or start the program with `python -m lampas run`.",
            name=name,
        )


class AliasLoader:
    """Loads the module of Lampas; the import system then files it under the other name too.

    Of `torch` and `torchvision` themselves the `__name__` is the other name: programs and error
    messages ask for it.
    """

    def __init__(self, name, alias):
        self.name, self.alias = name, alias

    def create_module(self, spec):
        module = importlib.import_module(self.name)
        # The import system is about to overwrite the module's own spec with the alias's.
        self._own = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self._own
        if self.alias in NAMES:
            module.__name__ = self.alias

    def get_code(self, fullname):
        """The code of the module, for `python -m torch.<tool>`."""
        return importlib.util.find_spec(self.name).loader.get_code(self.name)

    def is_package(self, fullname):
        return _is_package(self.name)


def _is_package(name):
    there = sys.modules.get(name)
    if there is not None:
        return hasattr(there, "__path__")
    return importlib.util.find_spec(name).submodule_search_locations is not None


def _exists(name):
    if name in sys.modules:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is no package
        return False


class AliasFinder(importlib.metadata.DistributionFinder):
    """Answers for the names in NAMES: to `import`, and to `importlib.metadata`."""

    @staticmethod
    def find_spec(fullname, path=None, target_module=None):
        ours = target(fullname)
        if ours is None or not _exists(ours):
            return None
        spec = importlib.machinery.ModuleSpec(
            fullname, AliasLoader(ours, fullname), is_package=_is_package(ours)
        )
        known = sys.modules.get(ours)
        known = known.__spec__ if known is not None else importlib.util.find_spec(ours)
        if known is not None:
            spec.origin, spec.has_location = known.origin, known.has_location
            if known.submodule_search_locations is not None:
                spec.submodule_search_locations = list(known.submodule_search_locations)
        return spec

    @staticmethod
    def find_distributions(context=importlib.metadata.DistributionFinder.Context()):
        wanted = context.name and re.sub(r"[-_.]+", "-", context.name).lower()
        return [AliasDistribution(name) for name in NAMES if wanted in (None, name)]


class AliasDistribution(importlib.metadata.Distribution):
    """What a package manager would say about `torch` or `torchvision`: a name and a version."""

    def __init__(self, name):
        self._name = name

    def read_text(self, filename):
        if filename == "top_level.txt":
            return f"{self._name}\n"
        if filename not in ("METADATA", "PKG-INFO"):
            return None
        version = importlib.import_module(NAMES[self._name]).__version__
        return (
            f"Metadata-Version: 2.1\nName: {self._name}\nVersion: {version}\n"
            f"Summary: Lampas under the name of {self._name}\n"
        )

    def locate_file(self, path):
        """The place of `path`, which a package installed beside Lampas would have."""
        from pathlib import Path

        return Path(__file__).resolve().parents[2] / path
