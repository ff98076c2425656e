"""`import lampas` stays light: what it loads, what it needs, how large the package is."""

import json
import os
import statistics
import subprocess
import sys
import time

import pytest

# Loaded by `import lampas` alone, each of these would cost more than the budget of 50 ms.
HEAVY = ("numpy", "PIL", "matplotlib", "tqdm", "torch", "multiprocessing", "zipfile", "ctypes")


def test_import_loads_nothing_heavy(python):
    out = python("import lampas, sys, json; print(json.dumps(sorted(sys.modules)))")
    loaded = {name.split(".")[0] for name in json.loads(out)}
    assert not loaded.intersection(HEAVY)


def test_import_starts_no_thread_and_reads_no_blas(python):
    out = python(
        "import lampas, threading; print(threading.active_count(), 'openblas' in "
        "open('/proc/self/maps').read())"
        if sys.platform == "linux"
        else "import lampas, threading; print(threading.active_count(), False)"
    )
    assert out.split() == ["1", "False"]


def test_numpy_is_optional(python):
    python(
        "import sys; sys.modules['numpy'] = None\n"
        "import lampas\n"
        "x = lampas.ones(3, 2, requires_grad=True)\n"
        "(x @ x.t()).sum().backward()\n"
        "assert x.grad.tolist() == [[6.0, 6.0]] * 3\n"
        "assert lampas.tensor([[1, 2], [3, 4]]).sum(0).tolist() == [4, 6]\n"
    )


def test_import_in_any_order(python):
    for first in ("lampas.utils.data", "lampas.nn", "lampas.optim", "lampas.serialization"):
        python(f"import {first}; import lampas; assert lampas.nn.Linear(2, 1)")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_import_time_and_memory_are_printed(capsys):
    """Measured and shown; the time is not asserted, for a busy machine must not fail the suite."""
    source = "import lampas"
    # Not ru_maxrss, which a child takes over from the process that started it.
    measure = (
        "import re; print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    seconds, peak = [], 0
    for _ in range(5):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-S", "-c", f"{_path()}; {source}; {measure}"],
            capture_output=True,
            text=True,
        )
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0, done.stderr
        peak = int(done.stdout) // 1024
    with capsys.disabled():
        print(f"\n  import lampas: {statistics.median(seconds) * 1e3:.0f} ms, {peak} MB resident")
    if "LD_PRELOAD" not in os.environ:  # a sanitizer has a heap of its own
        assert peak <= 40


def _path():
    """Without `site` the interpreter finds the package only if it is told where it is."""
    import lampas

    folder = lampas.__file__.rsplit("/lampas/", 1)[0]
    return f"import sys; sys.path.insert(0, {folder!r})"


def test_package_is_small(root):
    files = [
        path
        for path in (root / "src" / "lampas").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    size = sum(path.stat().st_size for path in files)
    assert size <= 40 * 1024 * 1024, f"{size} bytes before stripping and compressing"


def test_no_module_imports_torch(root):
    for path in (root / "src" / "lampas").rglob("*.py"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            words = line.split()
            if words[:1] in (["import"], ["from"]) and words[1].split(".")[0] == "torch":
                pytest.fail(f"{path.relative_to(root)}:{number}: {line.strip()}")
