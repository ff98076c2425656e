"""Which torch names that packages use do not resolve here, the most used first.

    python tools/usage.py USAGE.csv [--at-least N] [--oracle]

USAGE.csv has a first column `name` (dotted, `torch.nn.Linear`) or `method_or_attr` (a Tensor's), and
a second with the number of packages that use it. Presence only: what a name does is for the tests.
"""

import argparse
import csv
import importlib
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_MISSING = object()


def resolve(library, path):
    """What the dotted `path` (starting with `torch`) names in a library, or `_MISSING`."""
    value, module = library, library.__name__
    for part in path.split(".")[1:]:
        module = f"{module}.{part}"
        try:
            value = getattr(value, part)
        except Exception:  # a lazy namespace may raise anything
            try:
                value = importlib.import_module(module)
            except Exception:
                return _MISSING
    return value


def read(path):
    """Rows (name, number of packages) of a usage table; a Tensor's names get their prefix."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        prefix = "torch.Tensor." if next(rows)[0] == "method_or_attr" else ""
        for name, packages, *_ in rows:
            yield prefix + name, int(packages)


def missing(library, rows):
    """The rows whose name the library does not have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [row for row in rows if resolve(library, row[0]) is _MISSING]


def main():
    """Prints the rows that do not resolve; exit status 1 where there are any."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", nargs="+")
    parser.add_argument("--at-least", type=int, default=1, help="used by so many packages")
    parser.add_argument("--oracle", action="store_true", help="leave out what PyTorch lacks too")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT / "src"))
    import lampas

    rows = [row for table in options.table for row in read(table)]
    rows = [row for row in rows if row[1] >= options.at_least]
    absent = missing(lampas, rows)
    if options.oracle and absent:
        import torch

        gone = set(missing(torch, absent))
        absent = [row for row in absent if row not in gone]
    for name, packages in sorted(absent, key=lambda row: (-row[1], row[0])):
        print(f"{packages:4}  {name}")
    print(f"{len(rows) - len(absent)} of {len(rows)} names resolve", file=sys.stderr)
    return bool(absent)


if __name__ == "__main__":
    sys.exit(main())
