"""Prepares an interpreter that `python -m lampas run` (or a child of such a program) starts.

Python imports the first `sitecustomize` on its path at start; the one that this hides is run after.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _prepare():
    packages = os.environ.get("LAMPAS_AS_TORCH")
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != _HERE]
    if packages:
        _install(None if packages == "1" else packages.split(","))


def _install(only):
    """Installs the hook of the Lampas that this file belongs to, wherever the path would lead."""
    import importlib.util

    launcher = os.path.dirname(_HERE)
    root = os.path.dirname(os.path.dirname(launcher))
    sys.meta_path.insert(0, _Lampas(root))
    spec = importlib.util.spec_from_file_location(
        "lampas.launcher.aliases", os.path.join(launcher, "aliases.py")
    )
    aliases = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = aliases
    spec.loader.exec_module(aliases)
    aliases.install(only)


class _Lampas:
    """Finds the package `lampas` in one folder, which need not be on the program's path."""

    def __init__(self, root):
        self.root = root

    def find_spec(self, name, path=None, target=None):
        if name != "lampas":
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, [self.root])


def _run_hidden():
    """Runs the `sitecustomize` that stands further down the path, if there is one."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        module = sys.modules["sitecustomize"] = module_from_spec(spec)
        spec.loader.exec_module(module)


try:
    _prepare()
except Exception:
    # Python would only print this and go on, and the program would run with real PyTorch.
    import traceback

    traceback.print_exc()
    sys.stderr.write("lampas: this interpreter could not be prepared to run `torch` as Lampas\n")
    sys.stderr.flush()
    os._exit(1)
_run_hidden()
