"""Operators on large arrays, products, and the cost of a call."""

from gpu import Step, workload


def rows(name, target, function, accesses):
    """`function(t, a, b)` on 10^8 floats, each read or written `accesses` times."""

    @workload(name, target)
    def make(t, small, compiled):
        n = 1000 if small else 10**8
        t.manual_seed(0)
        a, b = (t.rand(n).cuda() + 0.5 for _ in range(2))
        return Step(
            lambda: function(t, a, b),
            lambda: function(t, a, b).double().mean().item(),
            bytes=4.0 * n * accesses,
        )


rows("a + b", 1.0, lambda t, a, b: a + b, 3)
rows("exp", 1.0, lambda t, a, b: a.exp(), 2)
rows("relu", 1.0, lambda t, a, b: t.relu(a), 2)
rows("gelu", 1.0, lambda t, a, b: t.nn.functional.gelu(a), 2)
rows("sum", 1.0, lambda t, a, b: a.sum(), 1)
rows("max", 1.0, lambda t, a, b: a.max(), 1)
rows("sum of rows", 1.0, lambda t, a, b: a.view(-1, 1000).sum(1), 1)
rows("sum of columns", 1.0, lambda t, a, b: a.view(-1, 1000).sum(0), 1)


def by_lines(name, target, function, accesses, width=4096):
    """`function(t, x, w, b)` on lines of `width`, with its gradient where `x` requires one."""

    @workload(name, target)
    def make(t, small, compiled):
        lines, wide = (8, 40) if small else (10**8 // width, width)
        t.manual_seed(0)
        x = t.randn(lines, wide).cuda()
        w, b = t.rand(wide).cuda().requires_grad_(), t.rand(wide).cuda().requires_grad_()
        g = t.randn(lines, wide).cuda()
        leaf = x.clone().requires_grad_()

        def run():
            return function(t, x, w, b, leaf, g)

        return Step(
            run, lambda: run().double().abs().mean().item(), bytes=4.0 * x.numel() * accesses
        )


def softmax_gradient(t, x, w, b, leaf, g):
    return t.autograd.grad(t.softmax(leaf, -1), leaf, g)[0]


def norm(t, x, w, b, leaf, g):
    with t.no_grad():
        return t.nn.functional.layer_norm(x, (x.shape[-1],), w, b)


def norm_gradient(t, x, w, b, leaf, g):
    y = t.nn.functional.layer_norm(leaf, (x.shape[-1],), w, b)
    return t.autograd.grad(y, (leaf, w, b), g)[0]


by_lines("softmax", 0.9, lambda t, x, *_: t.softmax(x, -1), 2)
by_lines("softmax, with gradient", 0.9, softmax_gradient, 5)
by_lines("layer_norm", 0.9, norm, 2)
by_lines("layer_norm, with gradients", 0.9, norm_gradient, 5)


@workload("cross_entropy, with gradient", 0.9)
def cross_entropy(t, small, compiled):
    lines, classes = (16, 50) if small else (8192, 50257)
    t.manual_seed(0)
    x = t.randn(lines, classes).cuda().requires_grad_()
    y = t.randint(0, classes, (lines,)).cuda()

    def run():
        loss = t.nn.functional.cross_entropy(x, y)
        return loss, t.autograd.grad(loss, x)[0]

    return Step(run, lambda: run()[0].item(), bytes=4.0 * x.numel() * 3)


def product(name, dtype, tf32, near):
    @workload(name, 1.02)
    def make(t, small, compiled):
        n = 64 if small else 8192
        t.manual_seed(0)
        a, b = (t.randn(n, n).to("cuda", getattr(t, dtype)) for _ in range(2))

        def run():
            t.backends.cuda.matmul.allow_tf32 = tf32
            return a @ b

        return Step(run, lambda: run().float().abs().mean().item(), near, flops=2.0 * n**3)


product("bf16 matmul", "bfloat16", False, 1e-2)
product("tf32 matmul", "float32", True, 1e-2)


def call(name, function):
    """What the host pays for one call on four floats."""

    @workload(name, 0.6)
    def make(t, small, compiled):
        calls = 20 if small else 1000
        a, b = t.ones(4).cuda(), t.ones(4).cuda()
        w = t.ones(4).cuda().requires_grad_()

        def run():
            for _ in range(calls):
                y = function(t, a, b, w)
            return y

        return Step(run, lambda: function(t, a, b, w).sum().item(), calls=calls)


call("call of a + b", lambda t, a, b, w: a + b)
call("call of a * w, recorded", lambda t, a, b, w: a * w)
call("call of sum", lambda t, a, b, w: a.sum())
call("call of relu", lambda t, a, b, w: t.relu(a))
