"""The runner of `make test-full` on a few operators: it agrees where it should, and it can fail."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("full") / "run.py"


def run(*args):
    command = [sys.executable, str(RUN), "--processes", "1", "--samples", "3", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_some_operators(tmp_path):
    counts = tmp_path / "counts"
    names = ("add", "linalg.inv", "nn.functional.dropout", "exponential")
    picked = [part for name in names for part in ("--op", name)]
    done = run(*picked, "--dtype", "float32", "--dtype", "bool", "--json", str(counts))
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(line) for line in counts.read_text().splitlines()]
    assert {answer["op"] for answer in answers} == set(names)
    assert {answer["form"] for answer in answers} >= {
        "function",
        "method",
        "layout",
        "in place",
        "out",
        "gradient",
    }
    for answer in answers:
        assert set(answer["counts"]) <= {"agrees", "not counted"}, answer
    assert "percent" in done.stdout and "gradient" in done.stdout


def test_differences_are_seen(monkeypatch):
    monkeypatch.syspath_prepend(str(RUN.parent))
    import compare
    import torch

    import lampas

    x = torch.arange(6.0).reshape(2, 3)
    mine = lampas.arange(6.0).reshape(2, 3)
    compare.agree((mine, 1.5), (x, 1.5))
    for got, expected in (
        (mine + 1e-3, x), (mine.double(), x), (mine[0], x), (mine.mT.contiguous().mT, x), (mine, 3), (2.5, 2.0),
        ((mine,), (x, x)), (None, x), (mine * float("nan"), x), (True, False),
    ):  # fmt: skip
        with pytest.raises(compare.Differs):
            compare.agree(got, expected)


def test_arguments_are_carried_as_they_lie(monkeypatch):
    monkeypatch.syspath_prepend(str(RUN.parent))
    import carry
    import torch

    import lampas

    base = torch.arange(24.0).reshape(4, 6)
    for x in (
        base.T,
        base[1:, ::2],
        base[:1].expand(4, 6),
        base.bfloat16()[:, 2],
        base > 3,
        base[0, 0],
    ):
        mine = carry.to_lampas(x)
        assert (mine.shape, mine.stride(), mine.storage_offset()) == (
            x.shape,
            x.stride(),
            x.storage_offset(),
        )
        assert carry.tensor_to_torch(mine).equal(x)
    assert carry.to_lampas(torch.nn.functional.relu) is lampas.nn.functional.relu
    assert carry.to_lampas((torch.float16, {"a": torch.strided}))[0] is lampas.float16
    with pytest.raises(carry.CannotCarry):
        carry.to_lampas(base.to_sparse())
