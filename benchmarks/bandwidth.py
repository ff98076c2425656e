"""What large results and one pass over memory cost, Lampas beside PyTorch, in one run.

    python benchmarks/bandwidth.py [--rounds 5] [--threads 1] [--only softmax] [--json out.json]

The measuring is that of `overhead.py`, with a third process: PyTorch with an allocator that keeps
freed memory (tcmalloc, where it is installed), since fresh pages are most of what a large result
costs it. Ratios are against the faster of the two. Small calls are in `overhead.py`.
"""

import argparse
import ctypes.util
import json
import statistics
from pathlib import Path

from overhead import LIBRARIES, Worker, duration, serve

MANY = 10_000_000
SQUARE = (4096, 4096)

# name -> the ratio that the project promises at most, where it promises one
POINTWISE = {
    "add": 1.0,
    "add_out": 1.0,
    "exp": 0.45,
    "gelu": 0.45,
    "tanh": None,
    "sigmoid": None,
    "silu": None,
    "relu": None,
    "erf": None,
    "log": None,
    "sqrt": None,
    "mul_scalar": None,
    "chain": 0.5,
    "gelu_backward": None,
    "clone": None,
    "zeros": None,
    "to_bfloat16": None,
}
REDUCTIONS = {
    "sum": 1.0,
    "mean": None,
    "var": None,
    "max": None,
    "argmax": None,
    "norm": None,
    "sum_rows": None,
    "sum_columns": None,
    "max_rows": None,
    "argmax_rows": None,
    "var_rows": None,
}
ROWS = {
    "softmax": 0.5,
    "log_softmax": None,
    "layer_norm": 0.5,
    "rms_norm": None,
    "softmax_backward": None,
    "log_softmax_backward": None,
    "layer_norm_backward": None,
    "rms_norm_backward": None,
}
LOSSES = (
    "cross_entropy mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy "
    "binary_cross_entropy_with_logits kl_div nll_loss soft_margin_loss poisson_nll_loss "
    "gaussian_nll_loss hinge_embedding_loss cosine_embedding_loss margin_ranking_loss "
    "triplet_margin_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss"
).split()
OPTIMIZERS = (
    "SGD Adam AdamW RMSprop Adagrad Adadelta NAdam RAdam Adamax Adafactor Rprop ASGD".split()
)
CASES = {
    **POINTWISE,
    **REDUCTIONS,
    **ROWS,
    **{f"loss {name}": None for name in LOSSES},
    **{f"optim {name}": None for name in OPTIMIZERS},
    "clip_grad_norm_": None,
}


def prepare(t, name):
    """The function to time for a case, in the library `t`."""
    t.manual_seed(0)
    if name.startswith("loss "):
        return loss(t, name[5:])
    if name.startswith("optim "):
        return optimizer_step(t, name[6:])
    if name == "clip_grad_norm_":
        parameters = large_parameters(t)
        return lambda: t.nn.utils.clip_grad_norm_(parameters, 1e9)
    if name in ROWS:
        return over_rows(t, name)
    return pointwise(t, name) if name in POINTWISE else reduction(t, name)


def pointwise(t, name):
    a, b = t.randn(MANY), t.randn(MANY)
    out, f = t.zeros(MANY), t.nn.functional
    if name in ("log", "sqrt"):
        a = a.abs()
    if name.endswith("_backward"):
        return backward_of(getattr(f, name.removesuffix("_backward")), a.requires_grad_(), b)
    return {
        "add": lambda: a + b,
        "add_out": lambda: t.add(a, b, out=out),
        "gelu": lambda: f.gelu(a),
        "silu": lambda: f.silu(a),
        "mul_scalar": lambda: a * 3.0,
        "chain": lambda: t.tanh(a * 2 + 1) * a,
        "zeros": lambda: t.zeros(MANY),
        "to_bfloat16": lambda: a.to(t.bfloat16),
    }.get(name) or getattr(a, name)


def backward_of(function, x, g, *args):
    y = function(x, *args)

    def step():
        x.grad = None
        y.backward(g, retain_graph=True)

    return step


def reduction(t, name):
    if name.endswith(("_rows", "_columns")):
        x, dim = t.randn(*SQUARE), 1 if name.endswith("_rows") else 0
        function = getattr(x, name.partition("_")[0])
        return lambda: function(dim)
    return getattr(t.randn(MANY), name)


def over_rows(t, name):
    f, x, g = t.nn.functional, t.randn(*SQUARE), t.randn(*SQUARE)
    kind = name.removesuffix("_backward")
    arg = -1 if kind.endswith("softmax") else SQUARE[1:]
    function = getattr(f, kind)
    if kind != name:
        return backward_of(function, x.requires_grad_(), g, arg)
    return lambda: function(x, arg)


def loss(t, name):
    """Forward and backward over 4096 x 1024 predictions (one million pairs)."""
    rows, columns = 4096, 1024
    function = getattr(t.nn.functional, name)
    x = t.rand(rows, columns).mul_(0.9).add_(0.05).requires_grad_()
    y = t.rand(rows, columns)
    signs = t.randint(0, 2, (rows, columns)) * 2.0 - 1
    classes = t.randint(0, columns, (rows,))
    arguments = {
        "cross_entropy": (classes,),
        "nll_loss": (classes,),
        "multi_margin_loss": (classes,),
        "gaussian_nll_loss": (y, y + 0.5),
        "soft_margin_loss": (signs,),
        "hinge_embedding_loss": (signs,),
        "cosine_embedding_loss": (y, signs[:, 0].contiguous()),
        "margin_ranking_loss": (y, signs),
        "triplet_margin_loss": (y, y.flip(0)),
        "multilabel_soft_margin_loss": (y,),
    }.get(name, (y,))
    if name == "multilabel_margin_loss":
        x = x[:, :64].detach().requires_grad_()
        arguments = (t.full((rows, 64), -1).index_fill_(1, t.tensor([0, 1]), 3),)

    def step():
        x.grad = None
        function(x, *arguments).backward()

    return step


def large_parameters(t):
    """Two matrices and two vectors, four million elements together, with gradients."""
    parameters = []
    for shape in ((2048, 1024), (1024, 2048), (2048,), (1024,)):
        p = t.nn.Parameter(t.randn(*shape))
        p.grad = t.randn(*shape)
        parameters.append(p)
    return parameters


def optimizer_step(t, name):
    optimizer = getattr(t.optim, name)(large_parameters(t), lr=1e-4)
    return optimizer.step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name contains one of these, by ,")
    parser.add_argument("--json", type=Path, help="also write the samples to this file")
    parser.add_argument("--serve", choices=LIBRARIES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args.serve, args.threads, prepare)
    wanted = args.only.split(",")
    names = [name for name in CASES if any(part in name for part in wanted)]
    results = measure(names, args.rounds, args.threads)
    print(f"{args.threads} thread(s), {args.rounds} rounds; * : tcmalloc")
    print(f"| {'':36} | {'Lampas':>10} | {'PyTorch':>10} | {'PyTorch *':>10} | ratio  | promised |")
    print("|---|--:|--:|--:|--:|:--|")
    for name in names:
        report(name, results[name])
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


def measure(names, rounds, threads):
    """name -> {column: [seconds of each round]}, the columns turn by turn."""
    workers = {library: Worker(library, threads, __file__) for library in LIBRARIES}
    if tcmalloc := ctypes.util.find_library("tcmalloc_minimal"):
        workers["tcmalloc"] = Worker("torch", threads, __file__, {"LD_PRELOAD": tcmalloc})
    results = {name: {column: [] for column in workers} for name in names}
    for name in names:
        for _ in range(rounds):
            for column, worker in workers.items():
                results[name][column].append(worker.time(name))
    for worker in workers.values():
        worker.close()
    return results


def report(name, values):
    medians = {column: statistics.median(times) for column, times in values.items()}
    best = min((c for c in medians if c != "lampas"), key=medians.get)
    ratio = statistics.median(a / b for a, b in zip(values["lampas"], values[best]))
    promise = CASES[name]
    verdict = "" if promise is None else f"{promise:.2f} {'yes' if ratio <= promise else 'NO'}"
    columns = [duration(medians[c]) if c in medians else "" for c in (*LIBRARIES, "tcmalloc")]
    print(f"| {name:36} | " + " | ".join(f"{c:>10}" for c in columns), end="")
    print(f" | {ratio:6.3f} | {verdict:8} |", flush=True)


if __name__ == "__main__":
    main()
