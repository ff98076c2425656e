"""Forward-mode differentiation of every operator, and its rules, as PyTorch's."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import lampas

sys.path.insert(0, str(Path(__file__).parent.parent / "func"))
from operators import CASES

LIBRARIES = pytest.mark.parametrize("t", [lampas, torch], ids=["lampas", "torch"])


def floating(a):
    return a.dtype.kind in "fc"


def duals(t, arrays, tangents):
    f = t.autograd.forward_ad
    return [
        f.make_dual(t.tensor(a), t.tensor(v)) if floating(a) else t.tensor(a)
        for a, v in zip(arrays, tangents)
    ]


def directions(arrays):
    rng = np.random.default_rng(3)
    return [rng.standard_normal(a.shape) for a in arrays]


def pushed(t, call, arrays, tangents):
    f = t.autograd.forward_ad
    with f.dual_level():
        y, ty = f.unpack_dual(call(t, *duals(t, arrays, tangents)))
        return y.detach().numpy().copy(), None if ty is None else ty.detach().numpy().copy()


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name, call, arrays", CASES, ids=[c[0] for c in CASES])
def test_tangents(name, call, arrays):
    tangents = directions(arrays)
    try:
        expected, direction = pushed(torch, call, arrays, tangents)
    except (NotImplementedError, RuntimeError) as error:
        if "forward AD" not in str(error):
            raise
        pytest.skip("PyTorch has no forward derivative")
    found, pushed_forward = pushed(lampas, call, arrays, tangents)
    close(found, expected)
    if direction is None:
        assert pushed_forward is None or not pushed_forward.any()
    else:
        close(pushed_forward, direction)
