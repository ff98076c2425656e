"""Transforms inside transforms, modules, randomness, errors: each snippet under Lampas and under PyTorch."""

import warnings
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


def func(t):
    return import_module(t.__name__ + ".func")


def dual(t):
    return import_module(t.__name__ + ".autograd.forward_ad")


def network(t):
    t.manual_seed(0)
    return t.nn.Sequential(t.nn.Linear(3, 4), t.nn.Tanh(), t.nn.LayerNorm(4), t.nn.Linear(4, 2))


@case
def nested_products(t):
    f = func(t)
    x, v = t.tensor([0.3, -0.7, 1.2]), t.tensor([1.0, 2.0, -1.0])
    g = lambda x: (x.sin() * x.flip(0)).cumsum(0)
    s = lambda x: g(x).prod()
    return (
        f.jvp(lambda x: f.jvp(g, (x,), (v,))[1], (x,), (v,)),
        f.jvp(f.grad(s), (x,), (v,)),
        f.grad(lambda x: f.jvp(g, (x,), (v,))[1].sum())(x),
        f.jacfwd(f.jacrev(g))(x),
        f.jacrev(f.jacfwd(g))(x),
        f.jacfwd(f.jacfwd(g))(x),
        f.hessian(s)(x),
        f.grad(lambda x: f.grad(s)(x).sum())(x),
        f.linearize(g, x)[1](v),
        f.vjp(lambda x: f.jvp(g, (x,), (v,))[1], x)[1](v),
    )


@case
def batched_products(t):
    f = func(t)
    x, v = t.linspace(-1, 1, 6).reshape(2, 3), t.linspace(0, 2, 6).reshape(2, 3)
    g = lambda x: (x.sin() * x.flip(0)).cumsum(0)
    return (
        f.vmap(f.jacrev(g))(x),
        f.vmap(f.jacfwd(g))(x),
        f.vmap(f.hessian(lambda x: g(x).prod()))(x),
        f.vmap(lambda x, v: f.jvp(g, (x,), (v,)))(x, v),
        f.vmap(lambda x, v: f.vjp(g, x)[1](v)[0])(x, v),
        f.vmap(lambda v: f.jvp(g, (x[0],), (v,))[1])(v),
        f.vmap(f.vjp(g, x[0])[1])(v),
        f.jvp(f.vmap(g), (x,), (v,)),
        f.grad(lambda x: f.vmap(g)(x).prod())(x),
        f.vmap(f.vmap(lambda a: a * a + 1))(x),
        f.vmap(lambda a: f.vmap(lambda b: (a * b).sum())(x))(x),
        f.vmap(f.grad_and_value(lambda a: g(a).sum()))(x),
        f.vmap(f.grad(lambda a, b: (a * b).sum(), argnums=(0, 1)), in_dims=(0, None))(x, x[0]),
    )


@case
def dims_and_chunks(t):
    f = func(t)
    x = t.arange(24.0).reshape(2, 3, 4)
    return (
        f.vmap(lambda a: a.sum(0), in_dims=2, out_dims=1)(x),
        f.vmap(lambda a: (a, a.sum()), in_dims=1, out_dims=(2, 0))(x),
        f.vmap(lambda d: d["a"] + d["b"][0], in_dims=({"a": 0, "b": [None]},))(
            {"a": x, "b": [x[0]]}
        ),
        f.vmap(lambda a: a.softmax(-1), chunk_size=1, in_dims=1)(x),
        f.vmap(lambda a, b: a @ b.T, in_dims=(0, None))(x, x[0]),
        f.vmap(lambda a: {"k": a.max(0)[0], "i": a.argmax()})(x),
        f.vmap(lambda a, i: a[i])(x, t.tensor([0, 2])),
        f.vmap(lambda a, i: a[:, i], in_dims=(None, 0))(x, t.tensor([0, 2])),
        f.jacrev(lambda a: a.sum(0), chunk_size=2)(x[0]),
        f.jacfwd(lambda a: a.sum(0))(x[0]),
        f.vmap(lambda a: a.new_zeros(2) + a.ndim + len(a) + a.shape[1])(x),
    )


@case
def per_sample_gradients(t):
    f = func(t)
    m = network(t)
    x, y = t.randn(5, 3), t.tensor([0, 1, 1, 0, 1])
    p = {k: v.detach() for k, v in m.named_parameters()}

    def loss(p, x, y):
        out = f.functional_call(m, p, (x.unsqueeze(0),))
        return t.nn.functional.cross_entropy(out, y.unsqueeze(0))

    return (
        f.vmap(f.grad(loss), in_dims=(None, 0, 0))(p, x, y),
        f.vmap(f.grad(loss), in_dims=(None, 0, 0), chunk_size=2)(p, x, y),
    )


@case
def convolution_gradients(t):
    f = func(t)
    t.manual_seed(1)
    m = t.nn.Sequential(t.nn.Conv2d(1, 2, 3), t.nn.ReLU(), t.nn.MaxPool2d(2), t.nn.Flatten(),
                        t.nn.Linear(8, 3))  # fmt: skip
    x = t.randn(4, 1, 6, 6)
    p = {k: v.detach() for k, v in m.named_parameters()}
    loss = lambda p, x: f.functional_call(m, p, (x.unsqueeze(0),)).pow(2).sum()
    return f.vmap(f.grad(loss), in_dims=(None, 0))(p, x)


@case
def recurrent_weights(t):
    f = func(t)
    t.manual_seed(0)
    m = t.nn.GRU(3, 4)
    p = {k: q.detach() for k, q in m.named_parameters()}
    x = t.linspace(-1, 1, 30).reshape(5, 2, 3)
    loss = lambda p: f.functional_call(m, p, (x,))[0].pow(2).sum()
    return f.grad(loss)(p), f.jvp(loss, (p,), (p,))


@case
def complex_tangents(t):
    f = dual(t)
    z, v = t.tensor([0.3 + 0.5j, -1 + 2j]), t.tensor([1 - 1j, 2 + 0.5j])
    names = "sin exp log sqrt tanh abs angle reciprocal square sigmoid".split()
    with f.dual_level():
        d = f.make_dual(z, v)
        found = [f.unpack_dual(getattr(t, name)(d)).tangent for name in names]
        found.append(f.unpack_dual(d.real * d.imag).tangent)
        found.append(f.unpack_dual(t.fft.fft(d).abs()).tangent)
        return found


@case
def descent(t):
    f = func(t)

    def train(w):
        for _ in range(3):
            w = w - 0.1 * f.grad(lambda w: (w**3).sum())(w)
        return w

    w = t.tensor([1.0, 2.0])
    return f.jvp(train, (w,), (w,)), f.jacfwd(train)(w), f.jacrev(train)(w)


@case
def outer_graph(t):
    f = func(t)
    w, x = t.tensor([1.0, 2.0], requires_grad=True), t.tensor([3.0, -1.0])
    _, pushed = f.jvp(lambda x: x * w * w, (x,), (x,))
    pushed.sum().backward()
    f.vmap(lambda a: (a * w).sum())(t.ones(3, 2)).sum().backward()
    return w.grad


@case
def ensembles(t):
    f = func(t)
    models = [network(t) for _ in range(3)]
    for i, m in enumerate(models):
        with t.no_grad():
            for p in m.parameters():
                p.mul_(1 + i)
    params, buffers = f.stack_module_state(models)
    call = lambda p, b, x: f.functional_call(models[0], (p, b), (x,))
    x = t.linspace(-1, 1, 15).reshape(5, 3)
    return (
        f.vmap(call, in_dims=(0, 0, None))(params, buffers, x).detach(),
        f.vmap(call)(params, buffers, t.stack([x, x + 1, x - 1])).detach(),
    )


@case
def randomness(t):
    f = func(t)
    x = t.linspace(0.1, 0.9, 6).reshape(3, 2)
    found = []
    for mode in ("different", "same"):
        for draw in (
            lambda a: t.rand(2),
            lambda a: t.randn(20),
            lambda a: t.randn_like(a),
            lambda a: t.randint(0, 9, (2,)),
            lambda a: t.nn.functional.dropout(a, 0.5),
            lambda a: t.bernoulli(a),
            lambda a: t.multinomial(a, 1),
            lambda a: t.randperm(4),
            lambda a: a.clone().normal_(),
            lambda a: t.nn.functional.dropout(a, 0.5, False),
        ):
            t.manual_seed(3)
            found.append(failure(lambda: f.vmap(draw, randomness=mode)(x)))
    found.append(failure(lambda: f.vmap(lambda a: t.rand(2))(x)))
    return found


@case
def refusals(t):
    f = func(t)
    x = t.arange(6.0).reshape(3, 2)
    return [
        failure(lambda: f.vmap(g)(x))
        for g in (
            lambda a: a[0].item(),
            lambda a: a if a[0] > 0 else -a,
            lambda a: a.nonzero(),
            lambda a: float(a[0]),
            lambda a: a.tolist(),
            lambda a: a[a > 1],
            lambda a: t.unique(a),
            lambda a: t.zeros(2).add_(a),
            lambda a: t.equal(a, a),
            lambda a: a.sum().backward(),
            lambda a: a.sum(5),
        )
    ]


@case
def forward_over_reverse(t):
    f = dual(t)
    x = t.tensor([0.3, 0.7], requires_grad=True)
    with f.dual_level():
        d = f.make_dual(x, t.tensor([1.0, -2.0]))
        (g,) = t.autograd.grad((d.exp() * d).prod(), d, create_graph=True)
        product = f.unpack_dual(g).tangent
        y = f.unpack_dual((d.sin() * d).sum())
        (r,) = t.autograd.grad(y.tangent, x)
    return product.detach(), y.primal.detach(), r, x.requires_grad, y.tangent.requires_grad


@case
def forward_without_grad(t):
    f = dual(t)
    with t.no_grad(), f.dual_level():
        d = f.make_dual(t.tensor([1.0, 2.0]), t.tensor([1.0, 3.0]))
        base = t.zeros(2, 2)
        row = base[0]
        row.add_(d)
        base[1] = d * d
        many = f.unpack_dual(base), f.unpack_dual(row), f.unpack_dual(d.detach()), repr(d)
        split = [f.unpack_dual(p) for p in (d * 2).split(1)]
        return many, split, f.unpack_dual(d > 1), f.unpack_dual(d.argmax())


@case
def user_functions(t):
    f = dual(t)

    class Product(t.autograd.Function):
        @staticmethod
        def forward(a, b, n):
            return a * b * n, a + b

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0], inputs[1])
            ctx.save_for_forward(inputs[0], inputs[1])
            ctx.n = inputs[2]

        @staticmethod
        def backward(ctx, g, h):
            a, b = ctx.saved_tensors
            return g * b * ctx.n + h, g * a * ctx.n + h, None

        @staticmethod
        def jvp(ctx, ta, tb, tn):
            a, b = ctx.saved_tensors
            assert tn is None
            return (ta * b + a * tb) * ctx.n, ta + tb

    x = t.tensor([1.0, 2.0])
    with f.dual_level():
        made = Product.apply(f.make_dual(x, x), x + 1, 3)
        found = [f.unpack_dual(y) for y in made]
    return found, func(t).jvp(lambda a: Product.apply(a, x, 2)[0], (x,), (x,))


@case
def checks(t):
    class Wrong(t.autograd.Function):
        @staticmethod
        def forward(a):
            return a * a

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]

        @staticmethod
        def jvp(ctx, ta):
            return ta * 3 * ctx.saved_tensors[0]

    x = t.tensor([0.2, 0.7], dtype=t.float64, requires_grad=True)
    z = t.tensor([0.2 + 1j, 0.7 - 2j], requires_grad=True, dtype=t.complex128)
    check, again = t.autograd.gradcheck, t.autograd.gradgradcheck
    return (
        check(Wrong.apply, (x,)),
        check(Wrong.apply, (x,), check_forward_ad=True, raise_exception=False),
        check(lambda z: (z * z, z.abs()), (z,), check_forward_ad=True),
        check(t.sin, (x,), check_forward_ad=True, check_backward_ad=False),
        again(t.sin, (x,), check_fwd_over_rev=True),
    )


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_agrees(function):
    def quiet(t):  # the oracle warns of its own internals
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(t)

    agree(quiet)
