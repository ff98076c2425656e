"""Checkpointing, each snippet run under Lampas and under PyTorch."""

from importlib import import_module

import pytest
from agreement import agree

CASES = []


def case(function):
    CASES.append(function)
    return function


def failure(function):
    """The error of a call as text, or its result."""
    try:
        return function()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@case
def ck(t):

    c = import_module(t.__name__ + ".utils.checkpoint")
    x = t.linspace(0, 1, 4, requires_grad=True)
    o = []
    for r in (True, False):
        t.manual_seed(1)
        n = [0]

        def f(a, b=1):
            n[0] += 1
            return t.nn.functional.dropout(a.sin() * a, 0.5).exp()

        y = c.checkpoint(f, x, use_reentrant=r)
        y.sum().backward()
        o.append((y, x.grad.clone(), n[0]))
        x.grad = None
    m = t.nn.Sequential(t.nn.Linear(4, 4), t.nn.Tanh(), t.nn.Linear(4, 4))
    for r in (True, False):
        c.checkpoint_sequential(m, 2, x, use_reentrant=r).sum().backward()
        o.append((x.grad.clone(), m[0].weight.grad.clone()))
    return o


@case
def ck_grad(t):

    c = import_module(t.__name__ + ".utils.checkpoint")
    x = t.linspace(0, 1, 4, requires_grad=True)
    (g,) = t.autograd.grad(
        c.checkpoint(lambda a: a.sin().exp(), x, use_reentrant=False).sum(), x, create_graph=True
    )
    return g, t.autograd.grad(g.sum(), x)


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_agrees(function):
    agree(function)
