"""Fixtures of the whole suite: the repository's paths, PyTorch as oracle, a fresh interpreter."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root():
    """The repository's top folder."""
    return ROOT


@pytest.fixture(scope="session")
def torch():
    """Real PyTorch, the oracle."""
    return pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")


@pytest.fixture
def python():
    """Runs source text in a fresh interpreter and returns its standard output."""

    def run(source, *args, timeout=120, env=None, check=True):
        done = subprocess.run(
            [sys.executable, "-c", source, *args],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **(env or {})},
        )
        if check and done.returncode:
            raise AssertionError(f"exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout if check else done

    return run


@pytest.fixture
def descriptors():
    """Gives the set of this process's open file descriptors, without those only cycles hold.

    Earlier tests' own may still close at any time, so compare with `<=`.
    """

    def numbers():
        gc.collect()
        return set(os.listdir("/proc/self/fd"))

    return numbers


@pytest.fixture(autouse=True)
def _fresh_state():
    """Each test starts from seed 0, float32 and gradients on, and leaves them so."""
    import lampas

    lampas.manual_seed(0)
    yield
    lampas.set_default_dtype(lampas.float32)
    lampas.set_grad_enabled(True)


def known_differences():
    lines = (ROOT / "tests" / "known_differences.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.rpartition(" | ") for line in lines if line and not line.startswith("#"))
    return {name: reason for name, _, reason in pairs}


def pytest_collection_modifyitems(items):
    known = known_differences()
    for item in items:
        if item.nodeid in known:
            item.add_marker(pytest.mark.xfail(reason=known[item.nodeid]))
    if not os.environ.get("LAMPAS_TEST_FULL"):  # whole products: some minutes each
        for item in items:
            if item.get_closest_marker("full"):
                item.add_marker(pytest.mark.skip(reason="runs under make test-full"))
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if not marked:
        return
    import lampas

    if not lampas.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
