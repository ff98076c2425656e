"""Each snippet of snippets.txt shows the same text, errors and warnings as under PyTorch."""

import pathlib
import re
import warnings

import pytest

import lampas

torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
import lampas.nn  # noqa: E402

SNIPPETS = pathlib.Path(__file__).with_name("snippets.txt").read_text().split("\n---\n")
CLOSE = re.compile(r"-?\d+\.\d*(?:e[-+]\d+)?")


def shown(library, source):
    """What the snippet shows, the error it ends with, and its warnings."""
    library.manual_seed(0)
    lines = []
    scope = {
        "torch": library,
        "nn": library.nn,
        "F": library.nn.functional,
        "show": lambda *values: lines.append(" ".join(map(str, values))),
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(source, scope)
        except Exception as error:
            lines.append(f"{type(error).__name__}: {error}")
    lines += [f"{w.category.__name__}: {w.message}" for w in caught if "oneDNN" not in str(w)]
    text = "\n".join(lines).replace("lampas.", "torch.")
    return re.sub("0x[0-9a-f]+", "0x", text)


@pytest.mark.parametrize("source", SNIPPETS, ids=lambda source: source.split("\n")[0][:60])
def test_same_as_pytorch(source):
    expected, found = shown(torch, source), shown(lampas, source)
    assert CLOSE.sub("#", found) == CLOSE.sub("#", expected)
    numbers = [[float(n) for n in CLOSE.findall(text)] for text in (found, expected)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-3, abs=2e-4)
