"""Writes `docs/compatibility.md`: which public names of PyTorch exist here, by asking both.

    python tools/compatibility.py [RESULTS]

Needs PyTorch, as the tests do. RESULTS is a file of JSON lines, each with section, group, passed,
failed, missing and crashed: cases of PyTorch's own test databases played against Lampas. Without it
the page keeps the part that was measured last.
"""

import collections
import importlib
import inspect
import json
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
for the same. A name that works does what PyTorch's does, as far as the tests compare it. One that
refuses can be imported, and raises `NotImplementedError` with its name when it is used. One that is
absent raises `AttributeError`. Regenerate with `.venv/bin/python tools/compatibility.py`.

| namespace | what | works | refuses | absent | |
|---|---|--:|--:|--:|--:|
"""
MEASURED = "\n## Case by case\n"


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
    """Rows of (path, what, names that work, names that refuse, names missing)."""
    import torch

    sys.path.insert(0, str(ROOT / "src"))
    import lampas

    for path, what in SPACES:
        theirs, ours = lookup(torch, path), lookup(lampas, path)
        names = public_names(theirs, path)
        here = [name for name in names if ours is not None and hasattr(ours, name)]
        refusing = [name for name in here if refuses(getattr(ours, name))]
        works = sorted(set(here) - set(refusing))
        yield path, what, works, refusing, sorted(set(names) - set(here))


def refuses(value):
    """Made by lampas.unavailable: there to be imported, not to be used."""
    return (getattr(value, "__doc__", None) or "").startswith("Not available in Lampas.")


def case_by_case(path):
    """The measured part of the page: totals by section, and the groups that do not pass wholly."""
    sections, groups = collections.defaultdict(collections.Counter), {}
    for line in Path(path).read_text().splitlines():
        entry = json.loads(line)
        if entry["section"].startswith("surface."):
            continue
        counts = {key: entry[key] for key in ("passed", "failed", "missing", "crashed")}
        sections[entry["section"]].update(counts)
        groups.setdefault(entry["group"], collections.Counter()).update(counts)
    text = (
        MEASURED
        + """
PyTorch's test databases (operators, modules, optimizers) and tables beside them, each case run with
both libraries and compared: float32, float64, int64 and bool.

| section | agrees | of | |
|---|--:|--:|--:|
"""
    )
    for name, counts in sections.items():
        total = sum(counts.values())
        text += f"| {name} | {counts['passed']} | {total} | {counts['passed'] / total:.2%} |\n"
    text += "\nNot wholly, with the number of cases that agree:\n\n"
    partly = [
        f"`{name}` {counts['passed']} of {sum(counts.values())}"
        for name, counts in sorted(groups.items())
        if counts["passed"] != sum(counts.values())
    ]
    return text + ", ".join(partly) + "\n"


def main():
    import torch

    rows = list(measure())
    text = HEADER.format(version=torch.__version__.partition("+")[0])
    for path, what, works, refusing, missing in rows:
        counts = [len(works), len(refusing), len(missing)]
        cells = " | ".join(map(str, counts))
        text += f"| `{path}` | {what} | {cells} | {len(works) / sum(counts):.0%} |\n"
    for title, column in (("Refuses", 3), ("Absent", 4)):
        text += f"\n## {title}\n"
        for row in rows:
            text += folded(row[0], row[column])
    before = PAGE.read_text() if PAGE.exists() else ""
    if len(sys.argv) > 1:
        text += case_by_case(sys.argv[1])
    elif MEASURED in before:
        text += MEASURED + before.partition(MEASURED)[2]
    PAGE.write_text(text)
    print(f"wrote {PAGE.relative_to(ROOT)}")
    for path, _, works, refusing, missing in rows:
        print(f"  {path:28} {len(works):4} work, {len(refusing)} refuse, {len(missing)} absent")


def folded(path, names):
    if not names:
        return ""
    listed = ", ".join(f"`{name}`" for name in names)
    return f"\n<details><summary>{path}: {len(names)}</summary>\n\n{listed}\n\n</details>\n"


if __name__ == "__main__":
    main()
