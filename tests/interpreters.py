"""Environment for interpreters that tests start: they import the same Lampas, and no GPU."""

import os
from pathlib import Path

import lampas


def environment(*folders):
    """Variables with `folders` first on the path, then the folder this Lampas comes from.

    Programs print the same on machines with and without a GPU.
    """
    home = Path(lampas.__file__).resolve().parent.parent
    paths = [str(folder) for folder in (*folders, home)] + [os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, paths))
    return {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}
