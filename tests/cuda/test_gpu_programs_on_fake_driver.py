"""The programs that a GPU machine runs in one go work: on the driver of these tests, at sizes that an
emulation takes in seconds."""

import subprocess
import sys

import pytest


@pytest.fixture
def start(run, library, kept, root):
    """Runs a script with the fake driver."""

    def start(*command, cwd=root, **env):
        program = f"""
            import runpy, sys
            sys.path.insert(0, {str((root / command[0]).parent)!r})
            sys.argv = {[str(root / command[0]), *map(str, command[1:])]!r}
            os.chdir({str(cwd)!r})
            warnings.simplefilter("ignore")
            runpy.run_path(sys.argv[0], run_name="__main__")
        """
        return run(program, check=False, **env)

    return start


def test_the_benchmark_runs_from_end_to_end(start, tmp_path):
    only = "a + b,sum of rows,softmax,bf16,recorded,two-layer,compiled"
    out = tmp_path / "table.md"
    done = start("benchmarks/cuda.py", "--small", "--only", only, "--out", out)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in out.read_text().splitlines() if line.startswith("| ")]
    names = [row[1].strip() for row in rows[1:]]
    assert "a + b" in names and "GPT-2 124M, compiled step (bf16)" in names and len(names) == 11
    for row in rows[1:]:
        assert row[2].strip().endswith("s"), row  # it was timed
        assert "Error" not in row[-2] and "disagrees" not in row[-2], row


def test_a_program_that_knows_no_devices_runs_on_one(start, root, tmp_path):
    from printed import difference_of_texts

    script = root / "examples" / "two_layer_net.py"
    options = ["--steps", "3", "--forms", "tensors,nn,dynamic"]
    plain = subprocess.run(
        [sys.executable, str(script), *options], cwd=tmp_path, capture_output=True, text=True
    )
    switched = start("tests/cuda/device_switch.py", script, *options, cwd=tmp_path)
    assert plain.returncode == switched.returncode == 0, plain.stderr + switched.stderr
    assert not difference_of_texts(switched.stdout, plain.stdout, 1e-4)
    count = int(switched.stderr.strip().splitlines()[-1].split()[0])
    assert count >= 12


def test_the_steps_and_their_table(start, tmp_path):
    """Steps that fail or have no time are said, and the others go on."""
    done = start("tools/on_gpu.py", "test", "--built", "--minutes", "0.06", "--out", tmp_path)
    assert done.returncode == 1
    table = (tmp_path / "table.txt").read_text()
    assert "operator table" in table and "FAIL" in table and "no time left" in table
    assert done.stdout.strip().endswith(table.strip())
    assert "memcheck" in table
