"""vmap: every operator over a batch is the operator of every entry; modes, errors and nesting as PyTorch's."""

from importlib import import_module

import numpy as np
import pytest
import torch
from operators import CASES

import lampas

LIBRARIES = (lampas, torch)
B = 4


def func(t):
    return import_module(t.__name__ + ".func")


def batches(arrays):
    """Every array with a batch dimension, its entries different."""
    integral = [a.dtype.kind in "iub" for a in arrays]
    return [
        np.stack([a] * B) if i else np.stack([a * (1 - 0.07 * k) for k in range(B)])
        for a, i in zip(arrays, integral)
    ]


def close(a, b, tolerance=1e-9):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), tolerance, 1e-11)


WRITES = ("inplace_mul", "write_row", "write_view", "copy")
NO_GRADIENT = ("floor_divide", "igamma", "igammac", "heaviside")
IDS = [c[0] for c in CASES]


@pytest.mark.parametrize("name, call, arrays", CASES, ids=IDS)
def test_batch_is_every_entry(name, call, arrays):
    if name == "getitem_mask":
        pytest.skip("the shape depends on values")
    wide = [lampas.tensor(b) for b in batches(arrays)]
    for alone in [None, *range(len(wide) if len(wide) > 1 else 0)]:
        chosen = [w[0] if i == alone else w for i, w in enumerate(wide)]
        dims = tuple(None if i == alone else 0 for i in range(len(wide)))
        if name in WRITES and alone == 0:  # what is not batched cannot hold a batch
            with pytest.raises(RuntimeError):
                lampas.func.vmap(lambda *xs: call(lampas, *xs), dims)(*chosen)
            continue
        found = lampas.func.vmap(lambda *xs: call(lampas, *xs), dims)(*chosen)
        rows = [
            call(lampas, *(x if d is None else x[k] for x, d in zip(chosen, dims)))
            for k in range(B)
        ]
        assert found.shape == (B, *rows[0].shape) and found.dtype == rows[0].dtype
        close(found, lampas.stack(rows))


def differentiable(arrays):
    return all(a.dtype.kind == "f" for a in arrays)


@pytest.mark.parametrize("name, call, arrays", CASES, ids=IDS)
def test_gradients_of_entries(name, call, arrays):
    if not differentiable(arrays) or name in ("getitem_mask", *NO_GRADIENT):
        pytest.skip("nothing to differentiate")
    f = lampas.func
    loss = lambda *xs: (call(lampas, *xs) * 1.5).sum()
    wide = [lampas.tensor(b) for b in batches(arrays)]
    if not loss(*(w[0].requires_grad_() for w in wide)).requires_grad:
        pytest.skip("not differentiable")
    numbers = tuple(range(len(wide)))
    found = f.vmap(f.grad(loss, numbers))(*wide)
    rows = [f.grad(loss, numbers)(*(w[k] for w in wide)) for k in range(B)]
    for i in numbers:
        close(found[i], lampas.stack([row[i] for row in rows]))


@pytest.mark.parametrize("name, call, arrays", CASES, ids=IDS)
def test_tangents_of_entries(name, call, arrays):
    if not differentiable(arrays) or name in ("getitem_mask", *NO_GRADIENT):
        pytest.skip("nothing to differentiate")
    f = lampas.func
    wide = [lampas.tensor(b) for b in batches(arrays)]
    push = lambda *xs: f.jvp(lambda *ys: call(lampas, *ys), xs, xs)[1]
    found = f.vmap(push)(*wide)
    close(found, lampas.stack([push(*(w[k] for w in wide)) for k in range(B)]))
