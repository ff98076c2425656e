"""The benchmark's table: its workloads agree with PyTorch, its ratios and marks follow from figures."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import lampas

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("table")
    for name in [n for n in sys.modules if n == "table" or n.partition(".")[0] == "workloads"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "name",
    ["tiny.forward_backward", "tiny.item", "mlp.adam", "bow.step", "two.autograd", "lenet.b4",
     "conv.lenet.2.backward", "matmul.64x1000x100", "load.mmap"],
)  # fmt: skip
def test_a_workload_computes_the_same_in_both(table, torch, name):
    workload = table.entered()[name]
    by_column = {}
    for column, t in (("torch", torch), ("lampas", lampas)):
        step = workload.make(t, False)
        numbers = step.check() if step.check else [step.run().item() for _ in range(3)]
        by_column[column] = [{"check": numbers}]
        if step.close:
            step.close()
    assert table.agrees(by_column)
    numbers[-1] += 0.05 * max(map(abs, numbers))
    assert not table.agrees(by_column)


def test_names_are_known_and_sizes_make_sense(table):
    workloads = table.entered()
    assert len(workloads) > 60 and all(
        w.target is None or 0 < w.target <= 1 for w in workloads.values()
    )
    assert table.chosen("conv.lenet") == [n for n in workloads if n.startswith("conv.lenet.")]
    assert table.chosen("mlp.sgd") == ["mlp.sgd", "mlp.sgd.compiled"]
    with pytest.raises(SystemExit, match="no workload is called 'mlq'"):
        table.chosen("mlq")


def test_ratio_and_marks(table):
    assert table.ratio_of({"torch": 4.0, "torch tuned": 2.0, "lampas": 1.0, "numpy": 0.5}) == 0.5
    assert table.ratio_of({"lampas": 1.0, "jax": 4.0}) == 0.25
    assert table.ratio_of({"torch": 4.0}) is None
    assert table.verdict(0.2, 0.2)[1] == "yes" and table.verdict(0.21, 0.2)[1] == "**no**"
    assert table.verdict(0.2, None) == ["", ""]
    assert [table.shown(s) for s in (2.0, 2e-3, 2e-6, None)] == ["2 s", "2 ms", "2 µs", ""]
    workload = table.entered()["matmul.1x4096x4096"]
    assert table.limit(workload, {"flops": 1e6, "copied": 10.0}) * 10e9 == pytest.approx(
        workload.bytes
    )
    assert table.limit(workload, None) is None


def test_rows(table):
    def cells(found):
        return [
            cell.strip()
            for cell in table.row("tiny.add", found, None, ["torch", "lampas"]).split("|")[1:-1]
        ]

    right, wrong = {"check": [1.0], "seconds": 1e-6}, {"check": [2.0], "seconds": 1e-7}
    both = {"torch": [right, right], "lampas": [{**wrong, "check": [1.0]}]}
    assert cells(both) == ["tiny.add", "", "1 µs", "0.1 µs", "0.100", "0.2", "yes"]
    assert cells({"torch": [right], "lampas": [wrong]})[3] == "0.1 µs ✗"
    assert cells({"torch": [right], "lampas": [{"error": "E"}]})[3:] == ["fails", "", "0.2", ""]


def test_a_worker_prints_figures(tmp_path):
    command = [sys.executable, str(FOLDER / "table_worker.py"), "--column", "lampas"]
    command += ["--threads", "1", "--budget", "0.01", "tiny.add", "save"]
    environment = {"PYTHONPATH": str(FOLDER.parent / "src"), "TMPDIR": str(tmp_path), "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["name"] for r in results] == ["tiny.add", "save"]
    assert all(r["seconds"] > 0 and "error" not in r for r in results)
    assert list(tmp_path.iterdir()) == []
