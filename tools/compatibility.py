"""Writes `docs/compatibility.md`: which public names of PyTorch exist here, by asking both.

Needs PyTorch, as the tests do. Presence only; the tests compare what the names do.
"""

import importlib
import inspect
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "compatibility.md"
SPACES = (
    ("torch", "functions and types"),
    ("torch.Tensor", "methods and attributes"),
    ("torch.nn", "modules"),
    ("torch.nn.functional", "functions"),
    ("torch.nn.init", "initialisers"),
    ("torch.nn.utils", "tools"),
    ("torch.optim", "optimizers"),
    ("torch.optim.lr_scheduler", "schedules"),
    ("torch.autograd", "differentiation"),
    ("torch.autograd.functional", "Jacobians and such"),
    ("torch.linalg", "linear algebra"),
    ("torch.fft", "Fourier transforms"),
    ("torch.special", "special functions"),
    ("torch.distributions", "distributions"),
    ("torch.utils.data", "data"),
    ("torch.serialization", "checkpoints"),
    ("torch.random", "random state"),
    ("torch.cuda", "CUDA"),
)
HEADER = """# What of PyTorch is here

Written by `tools/compatibility.py`, which asks PyTorch {version} for its public names and Lampas
for the same. A name that is here does what PyTorch's does, as far as the tests compare it; a name
that is not raises `AttributeError`. Regenerate with `.venv/bin/python tools/compatibility.py`.

| namespace | what | here | of | |
|---|---|--:|--:|--:|
"""


def lookup(library, path):
    """The namespace `path` (written with `torch`) in a library, or None."""
    parts = path.split(".")[1:]
    value = library
    for i, part in enumerate(parts):
        try:
            value = getattr(value, part)
        except AttributeError:
            try:
                value = importlib.import_module(".".join([library.__name__, *parts[: i + 1]]))
            except ImportError:
                return None
    return value


def public_names(space, path):
    """Documented public names: `__all__` where there is one, else what is no module or private."""
    names = getattr(space, "__all__", None) if inspect.ismodule(space) else None
    found = set()
    for name in names or dir(space):
        if name.startswith("_") and not (path == "torch.Tensor" and name in _OPERATORS):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = getattr(space, name, None)
        if not inspect.ismodule(value) and getattr(value, "__module__", None) != "typing":
            found.add(name)
    return sorted(found)


_OPERATORS = {"__add__", "__matmul__", "__getitem__", "__setitem__", "__len__", "__array__"}


def measure():
    """Rows of (path, what, names here, names missing)."""
    import torch

    sys.path.insert(0, str(ROOT / "src"))
    import lampas

    for path, what in SPACES:
        theirs, ours = lookup(torch, path), lookup(lampas, path)
        names = public_names(theirs, path)
        here = [name for name in names if ours is not None and hasattr(ours, name)]
        yield path, what, here, sorted(set(names) - set(here))


def main():
    import torch

    rows = list(measure())
    text = HEADER.format(version=torch.__version__.partition("+")[0])
    for path, what, here, missing in rows:
        total = len(here) + len(missing)
        text += f"| `{path}` | {what} | {len(here)} | {total} | {len(here) / total:.0%} |\n"
    text += "\n## Not here\n"
    for path, _, _, missing in rows:
        if missing:
            names = ", ".join(f"`{name}`" for name in missing)
            text += (
                f"\n<details><summary>{path}: {len(missing)}</summary>\n\n{names}\n\n</details>\n"
            )
    PAGE.write_text(text)
    print(f"wrote {PAGE.relative_to(ROOT)}")
    for path, _, here, missing in rows:
        print(f"  {path:28} {len(here):4} of {len(here) + len(missing)}")


if __name__ == "__main__":
    main()
