"""Threads, leaks, deep graphs, each snippet run under Lampas and under PyTorch."""

import threading
import weakref

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
def threads(t):
    x = t.ones(100, requires_grad=True)
    errs = []

    def work():
        try:
            for _ in range(30):
                y = x
                for _ in range(20):
                    y = y * 1.0
                y.sum().backward()
        except Exception as e:
            errs.append(str(e))

    ts = [threading.Thread(target=work) for _ in range(4)]
    [a.start() for a in ts]
    [a.join() for a in ts]
    return errs, x.grad[:2]


@case
def threads_grad(t):
    x = t.ones(200000, requires_grad=True)
    s = (x * x).sum()
    out = []

    def work():
        for _ in range(5):
            out.append(float(t.autograd.grad((s * s.detach()) * 1, x, retain_graph=True)[0][0]))

    ts = [threading.Thread(target=work) for _ in range(3)]
    [a.start() for a in ts]
    [a.join() for a in ts]
    return out


@case
def leak(t):
    class O:
        pass

    x = t.ones(3, requires_grad=True)
    r = []

    def go():
        y = x * 2
        y.add_(1)
        z = y[1:]
        z.mul_(3)
        w = y.exp().sum()
        r.append(weakref.ref(y))
        r.append(weakref.ref(w))
        r.append(weakref.ref(z))
        w.backward()
        y = (x * 2).tanh()
        o = O()
        y.register_hook(lambda g, o=o: None)
        r.append(weakref.ref(o))
        r.append(weakref.ref(y.grad_fn))
        b = t.zeros(3)
        b[:2] = x[:2]
        r.append(weakref.ref(b))

    go()
    return [a() is None for a in r]


@case
def deep(t):
    x = t.ones(1, requires_grad=True)
    y = x
    n = 1000000 if t.__name__ == "lampas" else 1000
    for _ in range(n):
        y = y + 1
    y.sum().backward()
    del y
    z = x
    for _ in range(n):
        z = z * 1.0
    del z
    return x.grad


@case
def leaf_of_several_graphs(t):
    """A leaf's node may outlive its graph: the next one must see what the leaf has become."""
    x = t.ones(2, 3, requires_grad=True)
    hooked = []
    for shape, dtype in [((2, 3), t.float32), ((4,), t.float32), ((5, 1), t.float64)]:
        x.grad = None
        x.data = t.full(shape, 2.0, dtype=dtype)
        (x * x).sum().backward()
        y = x * 3
        node = y.grad_fn.next_functions[0][0]
        node.register_hook(lambda *_: hooked.append(1))
        del y, node
        (x * 5).sum().backward()
        hooked.append(x.grad)
    x.register_hook(lambda g: g * 100)
    (x * x).sum().backward()
    first, second = x * 1, x * 2
    del first
    second.sum().backward()
    total = x.grad.clone()
    del x
    second = t.ones(1, requires_grad=True) * 2  # the leaf lives in the graph alone
    leaf = second.grad_fn.next_functions[0][0].variable
    second.backward()
    return hooked, total, leaf.grad


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_agrees(function):
    agree(function)
