"""torch.func, each snippet run under Lampas and under PyTorch."""

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
def func_misc(t):

    f = import_module(t.__name__ + ".func")
    a = t.arange(1.0, 4.0)
    m = t.nn.Linear(3, 2)
    p = {k: v.detach() for k, v in m.named_parameters()}
    p = {"weight": t.ones(2, 3), "bias": t.zeros(2)}
    loss = lambda p, x: f.functional_call(m, p, (x,)).sum()
    return (
        f.grad(loss)(p, a),
        f.vmap(f.grad(loss), in_dims=(None, 0))(p, t.ones(4, 3)),
        f.grad(lambda x, y: (x * y).sum(), argnums=(0, 1))(a, a),
        f.grad(lambda x: ((x * x).sum(), x), has_aux=True)(a),
        f.jacrev(lambda x: (x * x, x.sum()))(a),
        f.hessian(lambda x: x.prod())(a),
        f.vmap(f.hessian(lambda x: (x**3).sum()))(t.ones(2, 2)),
        f.jvp(lambda x, y: x * y, (a, a), (a, a)),
        failure(lambda: f.grad(lambda x: x)(a)),
        failure(lambda: f.vmap(t.sin)(t.tensor(1.0))),
        failure(lambda: f.vmap(t.add)(t.ones(2), t.ones(3))),
        f.vmap(lambda x: x * 2, in_dims=1, out_dims=1)(t.ones(2, 3)),
        f.linearize(t.sin, a)[1](a),
    )


@case
def func_grad_outer(t):

    f = import_module(t.__name__ + ".func")
    w = t.tensor(3.0, requires_grad=True)
    f.grad(lambda x: x * x * w)(t.tensor(2.0)).backward()
    return w.grad


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_agrees(function):
    agree(function)
