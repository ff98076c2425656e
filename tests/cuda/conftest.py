"""A driver that is a library of these tests (fake_driver.cc), and programs that run with it: each in a
process of its own, because the driver is opened once in a process."""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from emulation import GENERATIONS

from lampas import _core

SOURCE = Path(__file__).with_name("fake_driver.cc")


def build_library(source, target):
    compiler = os.environ.get("CXX", "c++")
    if not shutil.which(compiler.split()[0]):
        pytest.skip("no C++ compiler")
    flags = ["-std=c++20", "-O1", "-fPIC", "-shared", f'-DTESTS_FOLDER="{SOURCE.parent}"']
    flags += ["-o", str(target), str(source), "-ldl"]
    done = subprocess.run([*compiler.split(), *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    return build_library(SOURCE, tmp_path_factory.mktemp("driver") / "libfake.so")


@pytest.fixture(scope="session")
def cublaslt(tmp_path_factory):
    """A cuBLASLt that multiplies on the host (fake_cublaslt.cc)."""
    target = tmp_path_factory.mktemp("cublaslt") / "libcublasLt.so"
    return str(build_library(SOURCE.with_name("fake_cublaslt.cc"), target))


@pytest.fixture(scope="session")
def cudnn(tmp_path_factory):
    """A cuDNN that convolves on the host (fake_cudnn.cc)."""
    target = tmp_path_factory.mktemp("cudnn") / "libcudnn.so"
    return str(build_library(SOURCE.with_name("fake_cudnn.cc"), target))


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """Compiled kernels, for all tests of this run: workers of pytest-xdist share them."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kernels"
    folder.mkdir(exist_ok=True)
    return folder


def first_to_see(folder, text):
    """Whether no other test, of this or another worker, has checked this text."""
    try:
        (folder / f"checked-{hashlib.sha1(text.encode()).hexdigest()}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def targets_of(text):
    """Every generation of GPUs where a text differs between them, and in full runs; else one, in turns."""
    header = re.search(r'"(cuda/device/(?!standard)\w+\.h)"', text)[1]
    differs = any(word in _core._cuda_headers()[header] for word in ("tensor_cores.h", "CUDA_ARCH"))
    if differs or os.environ.get("LAMPAS_TEST_FULL"):
        return GENERATIONS
    return (GENERATIONS[hashlib.sha1(text.encode()).digest()[0] % len(GENERATIONS)],)


@pytest.fixture(scope="session")
def check_texts():
    """Lets NVRTC compile every text of a family that the fake compiler has compiled; test_programs.py has the
    rows'."""
    folders = __import__("lampas._nvidia", fromlist=["folders"]).folders().split(":")
    if not any(glob.glob(os.path.join(folder, "libnvrtc.so.*")) for folder in folders):
        return lambda folder: None

    def check(folder):
        for library in folder.glob("*/*.so"):  # there when the text is whole
            text = library.with_suffix(".cc").read_text()
            if "LAMPAS_KERNEL(run," not in text or not first_to_see(folder, text):
                continue
            for target in targets_of(text):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv("LAMPAS_CUDA_CACHE", "0")
                    assert _core._cuda_compile(text, target, "family")[:4] == b"\x7fELF"

    return check


@pytest.fixture
def run(library, kept, check_texts):
    """Runs a program with the fake driver; its last statements assert."""

    def run(source, check=True, **env):
        source = "import warnings\nimport ctypes, os\nimport lampas as torch\n" + textwrap.dedent(
            source
        )
        given = {
            "LAMPAS_CUDA_DRIVER": str(library),
            "LAMPAS_NVRTC": str(library),
            "FAKE_CUDA_FOLDER": str(kept),
            "LAMPAS_CACHE_DIR": str(kept),
            "FAKE": str(library),
            # Never those of this machine: they would look for a real GPU.
            "LAMPAS_CUBLASLT": "none",
            "LAMPAS_CUDNN": "none",
        }
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", source],
            capture_output=True, text=True, timeout=300, env={**os.environ, **given, **env},
        )  # fmt: skip
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        check_texts(kept)
        return done

    return run
