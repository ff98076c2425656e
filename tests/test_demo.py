"""The demo prints the same losses under PyTorch, saves, loads back, and draws its report."""

import re
import subprocess
import sys

import pytest


def run_demo(root, out, *options):
    done = subprocess.run(
        [sys.executable, "examples/digits.py", "--out", str(out), "--quiet", *options],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert "loaded back, same scores" in done.stdout, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("epoch")]


@pytest.mark.slow
def test_demo_equals_torch(root, tmp_path, torch):
    ours = run_demo(root, tmp_path / "lampas", "--epochs", "2")
    theirs = run_demo(root, tmp_path / "torch", "--epochs", "2", "--torch")
    assert len(ours) == 2
    for mine, reference in zip(ours, theirs, strict=True):
        numbers = [[float(x) for x in re.findall(r"\d+\.\d+", line)] for line in (mine, reference)]
        # One unit of the last printed digit, for a value that lies on its edge.
        assert numbers[0] == pytest.approx(numbers[1], abs=1.01e-4)
    assert (tmp_path / "lampas" / "report.png").stat().st_size > 20_000


def test_checkpoints_of_both_load_in_both(root, tmp_path, torch):
    import lampas

    run_demo(root, tmp_path, "--epochs", "1")
    ours = lampas.load(tmp_path / "lenet.pt")
    theirs = torch.load(tmp_path / "lenet.pt")
    assert list(ours["net"]) == list(theirs["net"])
    for name, value in ours["net"].items():
        assert value.tolist() == theirs["net"][name].tolist()
    assert ours["optimizer"]["param_groups"] == theirs["optimizer"]["param_groups"]
