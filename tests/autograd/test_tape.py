"""Backward, hooks, views under writes, grad modes, each snippet run under Lampas and under PyTorch."""

import copy
import pickle

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
def graph_without_saved_twice(t):
    x = t.ones(2, requires_grad=True)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    return x.grad


@case
def twice_error(t):
    x = t.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    y.backward()


@case
def scalar_only(t):
    t.ones(2, requires_grad=True).mul(2).backward()


@case
def shape_mismatch(t):
    t.ones(2, requires_grad=True).mul(2).backward(t.ones(3))


@case
def no_grad_root(t):
    t.ones(2).backward(t.ones(2))


@case
def unused(t):
    t.autograd.grad(t.ones(2, requires_grad=True).sum(), t.ones(2, requires_grad=True))


@case
def unused_ok(t):
    return t.autograd.grad(
        t.ones(2, requires_grad=True).sum(), t.ones(2, requires_grad=True), allow_unused=True
    )


@case
def mater(t):
    return t.autograd.grad(
        t.ones(2, requires_grad=True).sum(), t.ones(2, requires_grad=True), materialize_grads=True
    )


@case
def batched(t):
    x = t.ones(3, requires_grad=True)
    return t.autograd.grad(x**3, x, t.eye(3), is_grads_batched=True)


@case
def inputs_only(t):
    x = t.ones(2, requires_grad=True)
    y = t.ones(2, requires_grad=True)
    (x * y).sum().backward(inputs=[x])
    return x.grad, y.grad


@case
def leaf_inplace(t):
    t.ones(2, requires_grad=True).add_(1)


@case
def leafview_inplace(t):
    t.ones(2, requires_grad=True)[0].add_(1)


@case
def leaf_setitem(t):
    x = t.ones(2, requires_grad=True)
    x[0] = 1


@case
def version(t):
    x = t.ones(2, requires_grad=True)
    y = x.exp()
    y.add_(1)
    y.sum().backward()


@case
def version2(t):
    x = t.ones(2, 3, requires_grad=True)
    w = t.ones(2, 3, requires_grad=True) * 2
    y = x * w
    w.mul_(2)
    y.sum().backward()


@case
def setitem(t):
    x = t.arange(4.0, requires_grad=True)
    y = x * 2
    y[0] = 5
    y[1:3] = x[:2] * 3
    (y**2).sum().backward()
    return x.grad, y


@case
def view_add(t):
    x = t.arange(4.0, requires_grad=True)
    v = t.arange(2.0, requires_grad=True)
    y = x * 2
    y.view(2, 2)[1].mul_(v)
    (y**2).sum().backward()
    return x.grad, v.grad, y


@case
def view_chain(t):
    x = t.arange(8.0, requires_grad=True)
    y = x * 2
    a = y.view(2, 4)
    b = a.t()
    c = b[1:3]
    c.mul_(x[:4].view(2, 2))
    (a**2).sum().backward()
    return x.grad, a, b


@case
def base_after_view(t):
    x = t.arange(4.0, requires_grad=True)
    y = x * 2
    v = y[1:]
    y.mul_(3)
    (v**2).sum().backward()
    return x.grad, v, v.grad_fn.name()


@case
def two_views(t):
    x = t.arange(4.0, requires_grad=True)
    y = x * 2
    v = y[1:]
    w = y[:2]
    v.mul_(w.sum())
    w.add_(1)
    (w * w).sum().backward()
    return x.grad, v, w


@case
def inplace_leafless_base(t):
    b = t.zeros(3)
    x = t.ones(2, requires_grad=True)
    b[:2] = x * 2
    (b**2).sum().backward()
    return x.grad, b.requires_grad, b.grad_fn.name()


@case
def inplace_view_of_plain(t):
    b = t.zeros(3)
    v = b[1:]
    x = t.ones(2, requires_grad=True)
    v.add_(x)
    return (
        b.grad_fn.name(),
        v.grad_fn.name(),
        [n[0].name() if n[0] else None for n in b.grad_fn.next_functions],
    )


@case
def unbind_inplace(t):
    x = t.ones(2, 2, requires_grad=True) * 1
    a, b = x.unbind(0)
    a.add_(1)


@case
def nograd_view_inplace(t):
    x = t.ones(2, 2, requires_grad=True) * 1
    with t.no_grad():
        v = x[0]
    v.add_(1)


@case
def copy_inplace(t):
    x = t.ones(3, requires_grad=True)
    y = t.zeros(3)
    y.copy_(x * 2)
    y.sum().backward()
    return x.grad, y.grad_fn.name()


@case
def detach_(t):
    x = t.ones(3, requires_grad=True)
    y = x * 2
    y.detach_()
    return y.requires_grad, y.is_leaf


@case
def detach_view(t):
    (t.ones(3, requires_grad=True) * 2)[0].detach_()


@case
def reqgrad_off(t):
    (t.ones(3, requires_grad=True) * 2).requires_grad_(False)


@case
def reqgrad_int(t):
    t.ones(3, dtype=t.int64).requires_grad_()


@case
def reqgrad_int2(t):
    t.ones(3, dtype=t.int64, requires_grad=True)


@case
def retain(t):
    x = t.ones(3, requires_grad=True)
    y = x * 2
    y.retain_grad()
    (y * y).sum().backward()
    return y.grad, y.retains_grad, x.retains_grad


@case
def hook(t):
    x = t.ones(3, requires_grad=True)
    l = []
    h = x.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: l.append(g.tolist()))
    (x * x).sum().backward()
    h.remove()
    (x * x).sum().backward()
    return x.grad, l


@case
def hook_nonleaf(t):
    x = t.ones(3, requires_grad=True)
    y = x * 3
    y.register_hook(lambda g: g + 1)
    y.sum().backward()
    return x.grad


@case
def hook_grad(t):
    x = t.ones(3, requires_grad=True)
    x.register_hook(lambda g: g + 1)
    return t.autograd.grad((x * 2).sum(), x)


@case
def hook_wrong(t):
    x = t.ones(3, requires_grad=True)
    x.register_hook(lambda g: 3)
    x.sum().backward()


@case
def hook_raise(t):
    x = t.ones(3, requires_grad=True)

    def bad(g):
        raise ValueError("bad")

    h = x.register_hook(bad)
    r = failure(lambda: x.sum().backward())
    h.remove()
    x.sum().backward()
    return r, x.grad


@case
def hook_nested(t):
    x = t.ones(3, requires_grad=True)
    o = []

    def f(g):
        z = t.ones(2, requires_grad=True)
        with t.enable_grad():
            (z * z).sum().backward()
        o.append(z.grad.tolist())

    x.register_hook(f)
    (x * 2).sum().backward()
    return o, x.grad


@case
def hook_nested_same(t):
    x = t.ones(3, requires_grad=True)
    y = x * x
    o = []

    def f(g):
        o.append(t.autograd.grad(y.sum(), x, retain_graph=True)[0].tolist())

    y.register_hook(f)
    failure(lambda: y.sum().backward(retain_graph=False)) if 0 else y.exp().sum().backward()
    return len(o), x.grad


@case
def post_acc(t):
    x = t.ones(3, requires_grad=True)
    o = []
    x.register_post_accumulate_grad_hook(lambda p: o.append(p.grad.tolist()))
    (x * 2).sum().backward()
    return o


@case
def post_acc_nonleaf(t):
    (t.ones(3, requires_grad=True) * 1).register_post_accumulate_grad_hook(print)


@case
def node_hooks(t):
    x = t.ones(3, requires_grad=True)
    y = x * 2
    o = []
    h = y.grad_fn.register_hook(
        lambda gi, go: (
            o.append([len(gi), [None if g is None else g.tolist() for g in gi], go[0].tolist()]),
            (gi[0] * 5,) + gi[1:],
        )[1]
    )
    y.grad_fn.register_prehook(lambda go: (go[0] + 1,))
    y.sum().backward()
    return o, x.grad


@case
def nexts(t):
    x = t.ones(2, requires_grad=True)
    y = x * 2 + x
    return [(n.name(), i) for n, i in y.grad_fn.next_functions], y.grad_fn.next_functions[1][
        0
    ].variable is x


@case
def deepcopy_(t):
    x = t.ones(2, requires_grad=True)
    x.sum().backward()
    z = copy.deepcopy(x)
    return z, z.grad, z.requires_grad


@case
def deepcopy_nonleaf(t):
    copy.deepcopy(t.ones(2, requires_grad=True) * 2)


@case
def pick(t):
    x = t.ones(2, requires_grad=True)
    z = pickle.loads(pickle.dumps(x))
    return z, z.requires_grad


@case
def modes(t):
    x = t.ones(2, requires_grad=True)
    o = []
    with t.no_grad():
        o.append((x * 2).requires_grad)
        with t.enable_grad():
            o.append((x * 2).requires_grad)

    @t.no_grad()
    def f():
        return (x * 2).requires_grad

    @t.no_grad
    def f2():
        return (x * 2).requires_grad

    @t.inference_mode()
    def g():
        return (x * 2).is_inference(), (x * 2).requires_grad

    o += [f(), f2(), g()]
    t.set_grad_enabled(False)
    o.append(t.is_grad_enabled())
    t.set_grad_enabled(True)
    with t.set_grad_enabled(False):
        o.append((x * 2).requires_grad)
    return o


@case
def inference_save(t):
    with t.inference_mode():
        y = t.ones(2)
    return t.ones(2, requires_grad=True) * y


@case
def inference_inplace(t):
    with t.inference_mode():
        y = t.ones(2)
    y.add_(1)


@case
def inference_req(t):
    with t.inference_mode():
        y = t.ones(2)
    y.requires_grad_()


@case
def saved_hooks(t):
    x = t.ones(2, requires_grad=True) * 3 if 0 else t.full((2,), 3.0, requires_grad=True)
    o = []
    with t.autograd.graph.saved_tensors_hooks(
        lambda z: (o.append("p"), z * 2)[1], lambda z: (o.append("u"), z)[1]
    ):
        y = x * x
    y.sum().backward()
    return x.grad, o


@case
def saved_disabled(t):
    with t.autograd.graph.disable_saved_tensors_hooks("no!"):
        with t.autograd.graph.save_on_cpu():
            pass


@case
def complex_root(t):
    t.ones((), dtype=t.complex64, requires_grad=True).mul(2).backward()


@case
def complex_grad(t):
    z = t.tensor([1 + 2j, 3j], requires_grad=True)
    (z * z.conj()).real.sum().backward()
    return z.grad


@case
def variable(t):
    v = t.autograd.Variable(t.ones(2), requires_grad=True)
    (v * v).sum().backward()
    return v.grad, isinstance(v, t.autograd.Variable)


@case
def data_(t):
    x = t.ones(2, requires_grad=True)
    y = x * x
    x.data.mul_(3)
    y.sum().backward()
    return x.grad


@case
def int_out(t):
    return (t.ones(2, requires_grad=True) > 0).requires_grad, t.ones(
        2, requires_grad=True
    ).argmax().requires_grad


@case
def dup_inputs(t):
    x = t.ones(2, requires_grad=True)
    return t.autograd.grad((x * 2).sum(), [x, x])


@case
def grads_len(t):
    t.autograd.backward([t.ones(1, requires_grad=True)], [t.ones(1), t.ones(1)])


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_agrees(function):
    agree(function)
