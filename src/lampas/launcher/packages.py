"""`as_torch(only=...)`: `import torch` means Lampas in the named packages, real PyTorch elsewhere.

One name has one entry in `sys.modules`, so the importer decides: `builtins.__import__` is wrapped.
"""

import builtins
import functools
import sys

import lampas
from lampas.launcher.aliases import NAMES, target

_named = set()  # top-level packages (or modules) whose `torch` is Lampas


def install_for(packages):
    """Adds packages; the hook is put in place with the first."""
    if not _named:
        builtins.__import__ = _by_importer(builtins.__import__)
    _named.update(packages)
    # Packages ask sys.modules whether PyTorch is in use before they import it. Until somebody who
    # is not named imports the real one, the answer is Lampas.
    sys.modules.setdefault("torch", lampas)


def _by_importer(plain_import):
    @functools.wraps(plain_import)
    def importing(name, globals=None, locals=None, fromlist=(), level=0):
        ours = target(name) if level == 0 else None
        if ours is None:
            return plain_import(name, globals, locals, fromlist, level)
        if _top(globals) not in _named:
            _make_way(name.partition(".")[0])
            return plain_import(name, globals, locals, fromlist, level)
        module = plain_import(ours, globals, locals, fromlist, 0)
        if fromlist:
            return module
        return sys.modules[NAMES[name.partition(".")[0]]]

    return importing


def _top(globals):
    name = (globals or {}).get("__package__") or (globals or {}).get("__name__") or ""
    return name.partition(".")[0]


def _make_way(top):
    """Takes our stand-in for `torch` out of `sys.modules`, for whoever wants the real one."""
    if sys.modules.get(top) is sys.modules.get(NAMES[top]):
        sys.modules.pop(top, None)
