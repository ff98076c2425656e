"""Each example runs, learns, and prints the same numbers on PyTorch, in a tiny setting."""

import re
import runpy
import sys

import pytest

Image = pytest.importorskip("PIL.Image", reason="images need Pillow")

# Options of a run of a second, and the least result.
LEARNING = {
    "logistic_regression": (["--count", "200", "--epochs", "4"], 0.6),
    "feedforward_mnist": (["--count", "200", "--epochs", "3"], 0.6),
    "convnet_mnist": (["--count", "200", "--epochs", "3", "--batch-size", "25"], 0.6),
    "resnet_cifar": (["--count", "100", "--epochs", "2", "--batch-size", "20"], 0.1),
    "unet": (["--count", "12", "--epochs", "3", "--width", "4"], 0.2),
}


_SHARED = ("engine", "generated_data", "classification")


def run(root, monkeypatch, name, *options):
    """What `main` of the example returns, as if started from the command line."""
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *options])
    monkeypatch.syspath_prepend(str(root / "examples"))
    for shared in _SHARED:  # they chose their engine when first imported
        monkeypatch.delitem(sys.modules, shared, raising=False)
    try:
        return runpy.run_path(str(root / "examples" / f"{name}.py"))["main"](list(options))
    finally:
        for shared in _SHARED:
            sys.modules.pop(shared, None)


def numbers(text):
    return [float(x) for x in re.findall(r"\d+\.\d+", text)]


@pytest.mark.parametrize("name", sorted(LEARNING))
def test_learns_the_same_as_on_pytorch(root, tmp_path, monkeypatch, capsys, torch, name):
    options, least = LEARNING[name]
    printed = []
    for engine in ([], ["--torch"]):
        out = tmp_path / ("torch" if engine else "lampas")
        result = run(root, monkeypatch, name, *options, "--out", str(out), *engine)
        assert result >= least
        lines = capsys.readouterr().out.splitlines()
        printed.append([line for line in lines if line.startswith("epoch")])
    assert len(printed[0]) == int(options[3])
    for mine, theirs in zip(*printed, strict=True):
        (loss, share), (reference, other) = numbers(mine), numbers(theirs)
        # One unit of the last printed digit, for a value that lies on its edge.
        assert loss == pytest.approx(reference, abs=1.01e-4)
        assert share == pytest.approx(other, abs=0.1)  # per cent: a pixel on the edge


def test_augmentation_draws_its_grid(root, tmp_path, monkeypatch, capsys):
    path = run(root, monkeypatch, "augmentation", "--columns", "3", "--out", str(tmp_path))
    rows = capsys.readouterr().out.count("row ")
    with Image.open(path) as grid:
        assert grid.size == (3 * 98 + 2, rows * 98 + 2)
        first = grid.crop((2, 2, 98, 98))
        assert first.tobytes() == grid.crop((2, 100, 98, 196)).tobytes()
    first.save(tmp_path / "picture.png")
    again = run(
        root,
        monkeypatch,
        "augmentation",
        "--columns",
        "2",
        "--out",
        str(tmp_path),
        "--image",
        str(tmp_path / "picture.png"),
    )
    with Image.open(again) as grid:
        assert grid.crop((2, 2, 98, 98)).tobytes() == first.tobytes()


def test_real_files_are_used(root, tmp_path, monkeypatch, capsys):
    """`--data` takes the files of a folder instead of drawing some."""
    run(
        root,
        monkeypatch,
        "logistic_regression",
        "--count",
        "50",
        "--epochs",
        "1",
        "--out",
        str(tmp_path),
    )
    drawn = capsys.readouterr().out
    monkeypatch.syspath_prepend(str(root / "examples"))
    from pathlib import Path

    from generated_data import write_mnist

    write_mnist(Path(tmp_path), 50, 10, 0)
    options = ["--data", str(tmp_path), "--epochs", "1", "--out", str(tmp_path)]
    run(root, monkeypatch, "logistic_regression", *options)
    assert capsys.readouterr().out == drawn
    with pytest.raises(RuntimeError, match="Dataset not found"):
        run(
            root,
            monkeypatch,
            "logistic_regression",
            "--data",
            str(tmp_path / "none"),
            "--out",
            str(tmp_path),
        )
