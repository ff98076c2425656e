"""Unmodified packages on Lampas: each program in `packages/` prints under it what it prints with PyTorch."""

import importlib.util
import math
import os
import re
import subprocess
import sys

import pytest

_NUMBER = re.compile(r"-?\d+\.\d*(?:e[-+]\d+)?")


def output(arguments):
    """The standard output of a program in a fresh interpreter, which must succeed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_same_text(ours, theirs):
    """Texts agree word for word; numbers with a point by the digits that were printed."""
    for mine, other in zip(ours.splitlines(), theirs.splitlines()):
        assert _NUMBER.sub("#", mine) == _NUMBER.sub("#", other)
        pairs = zip(map(float, _NUMBER.findall(mine)), map(float, _NUMBER.findall(other)))
        assert all(math.isclose(a, b, rel_tol=1e-4, abs_tol=1.5e-4) for a, b in pairs), (
            mine,
            other,
        )
    assert ours.count("\n") == theirs.count("\n")


@pytest.mark.parametrize("package", ["einops", "torchinfo", "torchdiffeq", "safetensors", "skorch"])
def test_prints_the_same(root, torch, tmp_path, package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (tests/requirements.txt)")
    program = str(root / "tests" / "packages" / f"use_{package}.py")
    found = []
    for name, launcher in (("ours", ["-m", "lampas", "run"]), ("theirs", [])):
        (tmp_path / name).mkdir()
        text = output([*launcher, program, str(tmp_path / name)])
        found.append(text.replace(str(tmp_path / name), "FOLDER"))
    assert_same_text(*found)
