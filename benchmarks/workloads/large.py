"""Ten million floats, rows of a large matrix, matrix products: memory and arithmetic."""

from workloads import Step, digest, workload

MANY = 10_000_000
POINTWISE = {  # name: target, tensors read and written, function
    "add": (1.0, 3, lambda t, a, b: a + b),
    "exp": (0.45, 2, lambda t, a, b: a.exp()),
    "gelu": (0.45, 2, lambda t, a, b: t.nn.functional.gelu(a)),
    "sum": (1.0, 1, lambda t, a, b: a.sum()),
    "chain": (0.5, 2, lambda t, a, b: t.tanh(a * 2 + 1) * a),
}


def pointwise(function):
    def make(t, tuned):
        t.manual_seed(0)
        a, b = t.randn(MANY), t.randn(MANY)
        return Step(lambda: function(t, a, b), lambda: digest(function(t, a, b)))

    return make


for _name, (_target, _tensors, _function) in POINTWISE.items():
    workload(f"large.{_name}", _target, bytes=4 * MANY * _tensors)(pointwise(_function))


@workload("large.chain.compiled", 0.15, bytes=8 * MANY)
def chain_compiled(t, tuned):
    """Against the chain as it is in PyTorch, whose compiler needs another one of C++."""
    t.manual_seed(0)
    a = t.randn(MANY)

    def chain(a):
        return t.tanh(a * 2 + 1) * a

    run = chain if t.__name__ == "torch" else t.compile(chain)
    return Step(lambda: run(a), lambda: digest(run(a)))


ROWS = {
    "softmax": lambda t, x: t.softmax(x, -1),
    "layer_norm": lambda t, x: t.nn.functional.layer_norm(x, (4096,)),
}


def rows(function):
    def make(t, tuned):
        t.manual_seed(0)
        x = t.randn(4096, 4096)
        return Step(lambda: function(t, x), lambda: digest(function(t, x)))

    return make


for _name, _function in ROWS.items():
    workload(f"large.{_name}", 0.5, bytes=8 * 4096**2)(rows(_function))


def product(m, k, n):
    def make(t, tuned):
        t.manual_seed(0)
        a, b = t.randn(m, k), t.randn(k, n)
        return Step(lambda: a @ b, lambda: digest(a @ b))

    return make


for _m, _k, _n in (
    (64, 1000, 100), (128, 784, 512), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048),
    (1, 4096, 4096),
):  # fmt: skip
    workload(
        f"matmul.{_m}x{_k}x{_n}",
        0.9,
        flops=2 * _m * _k * _n,
        bytes=4 * (_m * _k + _k * _n + _m * _n),
    )(product(_m, _k, _n))
