"""Compiles math_accuracy.cc for each instruction set of this machine and runs it."""

import os
import pathlib
import platform
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILER = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
FLAGS = {"baseline": [], "avx2": ["-mavx2", "-mfma"]}


def runs_here(isa):
    if isa == "baseline":
        return True
    try:
        cpu = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return platform.machine() == "x86_64" and " avx2 " in cpu and " fma " in cpu


@pytest.mark.skipif(COMPILER is None, reason="needs a C++ compiler")
@pytest.mark.parametrize("isa", sorted(FLAGS))
def test_functions_keep_their_stated_errors(isa, tmp_path):
    if not runs_here(isa):
        pytest.skip(f"this machine has no {isa}")
    program = tmp_path / "math_accuracy"
    source = ROOT / "tests" / "core" / "math_accuracy.cc"
    command = [COMPILER, "-std=c++20", "-O2", "-fno-trapping-math", "-fno-math-errno"]
    command += [*FLAGS[isa], f"-DLAMPAS_ISA={isa}", f"-I{ROOT / 'core'}", str(source)]
    subprocess.run([*command, "-o", str(program)], check=True)
    result = subprocess.run([str(program)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
