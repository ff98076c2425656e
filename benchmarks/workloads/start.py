"""What a library costs before it computes: time and memory of its import, and its place on disk.
No part of the table of workloads, since nothing is called again and again."""

import importlib.metadata
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Of the whole process; what it has is in the second field, in pages.
MEMORY = """
import os
import {module}
with open("/proc/self/statm") as file:
    print(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
"""
TARGETS = {"import": 0.035, "memory": 0.18, "size": 0.06}
UNITS = {"import": "ms", "memory": "MB", "size": "MB"}


def start_rows(pythons, columns):
    """The rows of Markdown: import time beyond the bare interpreter's, memory of the process after
    it, size of the installed files."""
    libraries = {column: column.split()[0] for column in columns[:3]}
    measures = {"import": import_time, "memory": import_memory, "size": size_with_needs}
    rows = []
    for name, measure in measures.items():
        known = {}
        for column, module in libraries.items():
            if module not in known:
                known[module] = measure(pythons.get(column, sys.executable), module)
        figures = [known[module] for module in libraries.values()]
        if None in figures:
            continue
        ratio = known["lampas"] / known["torch"] if {"lampas", "torch"} <= set(known) else None
        reached = "" if ratio is None else "yes" if ratio <= TARGETS[name] else "**no**"
        cells = [name, *(f"{figure:.3g} {UNITS[name]}" for figure in figures)]
        cells += ["" if ratio is None else f"{ratio:.3f}", f"{TARGETS[name]:g}", reached]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _run(python, program):
    path = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n"
    return subprocess.run(
        [python, "-c", path + program], capture_output=True, text=True, check=True
    ).stdout


def import_time(python, module, rounds=5):
    """Milliseconds, median."""

    def process(program):
        start = time.perf_counter()
        _run(python, program)
        return time.perf_counter() - start

    process(f"import {module}")  # reads the files into memory
    times = [process(f"import {module}") - process("pass") for _ in range(rounds)]
    return statistics.median(times) * 1e3


def import_memory(python, module):
    """Megabytes of a process after the import, where the system tells it."""
    if not Path("/proc/self/statm").exists():
        return None
    return int(_run(python, MEMORY.format(module=module))) / 1e6


def size_with_needs(python, module):
    """Megabytes of the distribution and of everything that it requires, as installed here."""
    if module == "lampas":
        files = [f for f in (ROOT / "src" / "lampas").rglob("*") if "__pycache__" not in f.parts]
        own = sum(f.stat().st_size for f in files if f.is_file())
        return (own + sum(_size(name) for name in _closure({"scipy-openblas32"}))) / 1e6
    return sum(_size(name) for name in _closure({module})) / 1e6


def _closure(names):
    """The distributions, and those they need here, extras aside."""
    found = set()
    while names:
        name = names.pop()
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(name)
        plain = [re.match(r"[\w.-]+", need).group() for need in needs if "extra ==" not in need]
        names |= set(plain) - found
    return found


def _size(name):
    files = importlib.metadata.files(name) or []
    paths = [Path(f.locate()) for f in files if f.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file())
