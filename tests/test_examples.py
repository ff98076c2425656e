"""The programs in `examples/` print the same with both libraries, and what they are to show."""

import subprocess
import sys

import pytest
from interpreters import environment
from printed import difference_of_texts

# Program, its options, the largest relative difference between printed numbers, what it must say.
PROGRAMS = [
    ("autograd_basics", [], 1e-3, "the loaded network computes the same: True"),
    ("linear_regression", [], 1e-4, "least squares:    y = 0.632 x -0.939"),
    ("cuda_basics", [], 1e-4, "there is no CUDA device here: everything below runs on the CPU"),
    ("two_layer_net", [], 1e-3, "Python's own control flow"),
    ("saving_and_loading", [], 1e-4, "from the file: equal True"),
    ("bag_of_words", [], 1e-3, "32 words"),
    ("knowledge_graph", [], 1e-3, "10 of 10 right"),
]


def start(root, folder, program, *options):
    return subprocess.Popen(
        [sys.executable, str(root / "examples" / f"{program}.py"), *options],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def output(process):
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text
    return text


@pytest.mark.parametrize("program, options, rounding, says", PROGRAMS, ids=lambda value: str(value))
def test_prints_what_torch_prints(program, options, rounding, says, root, tmp_path, torch):
    ours = start(root, tmp_path, program, *options)
    theirs = start(root, tmp_path, program, *options, "--torch")
    ours, theirs = output(ours), output(theirs)
    assert not difference_of_texts(ours, theirs, rounding)
    assert says in ours


def test_line_is_plotted(root, tmp_path):
    assert "picture" in output(start(root, tmp_path, "linear_regression", "--out", "here"))
    assert (tmp_path / "here" / "line.png").stat().st_size > 10_000


def test_forms_by_hand_agree_with_each_other(root, tmp_path):
    """NumPy, tensors, autograd and one's own Function are one computation."""
    options = ["--steps", "20", "--forms", "numpy,tensors,autograd,function"]
    lines = output(start(root, tmp_path, "two_layer_net", *options)).splitlines()
    losses = [[float(word) for word in line.split()[1:7]] for line in lines]
    assert len(losses) == 4 and losses[0][-1] < losses[0][0] / 10
    for row in losses[1:]:
        assert row == pytest.approx(losses[0], rel=2e-3)
