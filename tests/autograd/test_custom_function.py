"""autograd.Function, each snippet run under Lampas and under PyTorch."""

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
def fn_basic(t):
    class Sq(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, k):
            ctx.save_for_backward(x)
            ctx.k = k
            return x * x * k

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g * ctx.k, None

    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = Sq.apply(x, 3)
    (g,) = t.autograd.grad(y.sum(), x, create_graph=True)
    return y, g, t.autograd.grad(g.sum(), x), type(y.grad_fn).__name__, y.grad_fn.name()


@case
def fn_setup(t):
    class M(t.autograd.Function):
        @staticmethod
        def forward(x, y):
            return x * y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            return (g * b if ctx.needs_input_grad[0] else None), (
                g * a if ctx.needs_input_grad[1] else None
            )

    x = t.ones(2, requires_grad=True)
    y = t.ones(2) * 3
    M.apply(x, y).sum().backward()
    return x.grad


@case
def fn_dirty_view(t):
    class I(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = t.ones(3, requires_grad=True)
    y = x * 1
    I.apply(y[1:])
    (y * y).sum().backward()
    return y, x.grad


@case
def fn_nondiff(t):
    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            a, b = x * 2, x * 3
            ctx.mark_non_differentiable(b)
            return a, b

        @staticmethod
        def backward(ctx, g, h):
            return g * 2 + h

    x = t.ones(2, requires_grad=True)
    a, b = N.apply(x)
    a.sum().backward()
    return a.requires_grad, b.requires_grad, x.grad


@case
def fn_none_mat(t):
    o = []

    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            o.append((g is None, h is None))
            return g if g is not None else h

    x = t.ones(2, requires_grad=True)
    a, b = N.apply(x)
    b.sum().backward()
    return o, x.grad


@case
def fn_wrong(t):
    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return g

    N.apply(t.ones(2, requires_grad=True), t.ones(2)).sum().backward()


@case
def fn_wrong2(t):
    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g, g

    N.apply(t.ones(2, requires_grad=True)).sum().backward()


@case
def fn_wrongshape(t):
    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return t.ones(5)

    N.apply(t.ones(2, requires_grad=True)).sum().backward()


@case
def fn_wrongtype(t):
    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return 3

    N.apply(t.ones(2, requires_grad=True)).sum().backward()


@case
def fn_nobackward(t):
    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    N.apply(t.ones(2, requires_grad=True)).sum().backward()


@case
def fn_once(t):

    once = import_module(t.__name__ + ".autograd.function").once_differentiable

    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    x = t.ones(2, requires_grad=True)
    (g,) = t.autograd.grad(N.apply(x).sum(), x, create_graph=True)
    return g, failure(lambda: g.sum().backward())


@case
def fn_raise(t):
    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise KeyError("boom")

    x = t.ones(2, requires_grad=True)
    r = failure(lambda: N.apply(x).sum().backward())
    (x * x).sum().backward()
    return r, x.grad


@case
def fn_identity(t):
    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 7

    x = t.ones(2, requires_grad=True)
    y = N.apply(x)
    y.sum().backward()
    return y is x, x.grad


@case
def fn_view(t):
    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view(4)

        @staticmethod
        def backward(ctx, g):
            return g.view(2, 2) * 7

    x = t.ones(2, 2, requires_grad=True)
    y = N.apply(x)
    y.sum().backward()
    return x.grad, failure(lambda: N.apply(x * 1).add_(1))


@case
def fn_reentrant(t):
    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x.detach())
            return x * x

        @staticmethod
        def backward(ctx, g):
            with t.enable_grad():
                z = ctx.saved_tensors[0].requires_grad_()
                (z * z).sum().backward()
            return z.grad * g

    x = t.ones(3, requires_grad=True)
    N.apply(x * 2).sum().backward()
    return x.grad


@case
def fn_twice_saved(t):
    class N(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    x = t.ones(3, requires_grad=True)
    y = N.apply(x).sum()
    y.backward()
    y.backward()


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_agrees(function):
    agree(function)
