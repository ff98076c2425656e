"""Everyday calls (the tables of test_usage.py) on a GPU and on the CPU: whether they agree, and which
operators copy through the host on the way.

    python tests/cuda/usage_on_device.py       a line of JSON for each call

One place says which operators run natively: what is measured here, not a list kept by hand.
"""

import ast
import json
import math
import re
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from device_switch import switched

import lampas

SOURCE = Path(__file__).resolve().parent.parent / "test_usage.py"
TABLES = ("FUNCTIONS", "MODULES", "METHODS")
_FALLBACK = re.compile(r"The operator '(\w+)' has no kernel for CUDA")
# What speaks of the device itself, or starts processes and modes of its own.
_LEFT_OUT = ("t.cuda.", "x.type()", "device.type", "x.is_cuda", "get_default_device", "t.compile")


def calls():
    """The expressions, in `t`, `nn`, `F` and tensors."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    texts = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id in TABLES
    ]
    found = [
        case.strip() for text in texts for row in text.splitlines() for case in row.split(" | ")
    ]
    return [case for case in found if case and not any(word in case for word in _LEFT_OUT)]


def arguments():
    t = lampas
    t.manual_seed(0)
    x = t.tensor([[0.5, -1.25, 2.0, 0.125], [-0.75, 1.5, -3.0, 0.25], [4.0, -0.5, 1.0, -2.0]])
    return {
        "t": t, "nn": t.nn, "F": t.nn.functional, "x": x, "y": x.flip(0) * 0.5 + 0.1,
        "k": t.tensor([1, 0, 3, 1]), "z": t.ones(3, requires_grad=True),
    }  # fmt: skip


def plain(value):
    """A result in numbers and words, wherever it lies."""
    if isinstance(value, lampas.Tensor):
        value = value.detach().cpu()
        return [str(value.dtype), list(value.shape), value.double().reshape(-1).tolist()]
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(type(value))


def close(a, b):
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=2e-3, abs_tol=1e-4) or (a != a and b != b)
    return a == b


def play(case):
    """(what is wrong, or an empty text; the operators that went through the host)"""
    wanted = _outcome(case, arguments())
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with switched():
            names = arguments()
            del seen[:]  # what was said of making them
            lampas._core._cuda_forget_fallbacks()
            found = _outcome(case, names)
    copied = sorted({m[1] for w in seen if (m := _FALLBACK.match(str(w.message)))})
    return "" if close(found, wanted) else f"{found!r} instead of {wanted!r}", copied


def _outcome(case, names):
    try:
        return plain(eval(case, names))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def main():
    for case in calls():
        problem, copied = play(case)
        print(json.dumps({"call": case, "problem": problem, "copied": copied}), flush=True)


if __name__ == "__main__":
    main()
