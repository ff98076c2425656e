"""Writes `docs/compatibility.md`: which public names of PyTorch exist here, by asking both.

    python tools/compatibility.py [--cases RESULTS] [--cuda USAGE]

Needs PyTorch, as the tests do. RESULTS is a file of JSON lines, each with section, group, passed,
failed, missing and crashed: cases of PyTorch's own test databases played against Lampas. USAGE is
what `tests/cuda/usage_on_device.py` prints on a machine with a GPU (or, `--cuda fake`, on the driver
of the tests, which is run here). Without one of them the page keeps that part as measured last.
"""

import argparse
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
ON_GPU = "\n## On a GPU\n"


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


def on_gpu(lines):
    """The part on which operators run on a GPU, from what everyday calls copied through the host."""
    calls = [json.loads(line) for line in lines if line.startswith("{")]
    copying = collections.Counter(name for call in calls for name in call["copied"])
    native = [call["call"] for call in calls if not call["copied"]]
    wrong = [call["call"] for call in calls if call["problem"]]
    text = (
        ON_GPU
        + f"""
{len(native)} of the {len(calls)} everyday calls of `tests/test_usage.py` run on the GPU without the
host; {len(wrong)} give something else than on the CPU. The others copy their arguments through the
host and say so once, as a warning that names the operator: these {len(copying)}, with the number of
calls that meet them.

"""
    )
    names = (f"`{name}` {count}" for name, count in sorted(copying.items()))
    return text + ", ".join(names) + ".\n"


def usage_lines(source):
    """The lines of USAGE, or of a run on the driver of the tests."""
    if source != "fake":
        return Path(source).read_text().splitlines()
    import os
    import subprocess
    import tempfile

    cuda = ROOT / "tests" / "cuda"
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/libfake.so"
        flags = ["-std=c++20", "-O1", "-fPIC", "-shared", f'-DTESTS_FOLDER="{cuda}"', "-o", library]
        compiler = os.environ.get("CXX", "c++")
        subprocess.run([compiler, *flags, str(cuda / "fake_driver.cc"), "-ldl"], check=True)
        env = {
            "LAMPAS_CUDA_DRIVER": library, "LAMPAS_NVRTC": library, "FAKE_CUDA_FOLDER": folder,
            "LAMPAS_CACHE_DIR": folder, "PYTHONPATH": str(ROOT / "src"),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, str(cuda / "usage_on_device.py")],
            env={**os.environ, **env}, capture_output=True, text=True, check=True,
        )  # fmt: skip
    return done.stdout.splitlines()


def part_of(text, title):
    """A part of the page as it is, from its title to the next."""
    if title not in text:
        return ""
    body = text.partition(title)[2]
    return title + (body[: body.index("\n## ") + 1] if "\n## " in body else body)


def main():
    import torch

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", metavar="RESULTS")
    parser.add_argument("--cuda", metavar="USAGE")
    options = parser.parse_args()
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
    text += on_gpu(usage_lines(options.cuda)) if options.cuda else part_of(before, ON_GPU)
    text += case_by_case(options.cases) if options.cases else part_of(before, MEASURED)
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
