"""What transforms of `func` cost, Lampas beside PyTorch, in one run.

    python benchmarks/transforms.py [--rounds 7] [--samples 64]

A process for each library, one thread. A row is the least time of a call over the rounds, in milliseconds,
and the ratio of the two. `one by one` is the same result by a Python loop over the samples.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

LIBRARIES = ("lampas", "torch")


def cases(t, samples):
    """{title: function to time}."""
    f = importlib.import_module(t.__name__ + ".func")
    t.manual_seed(0)
    net = t.nn.Sequential(
        t.nn.Linear(20, 64), t.nn.ReLU(), t.nn.Linear(64, 64), t.nn.Tanh(), t.nn.Linear(64, 10)
    )
    params = {name: p.detach() for name, p in net.named_parameters()}
    x, y = t.randn(samples, 20), t.randint(0, 10, (samples,))

    def loss(params, x, y):
        out = f.functional_call(net, params, (x.unsqueeze(0),))
        return t.nn.functional.cross_entropy(out, y.unsqueeze(0))

    gradient = f.grad(loss)
    per_sample = f.vmap(gradient, in_dims=(None, 0, 0))

    def one_by_one():
        rows = [gradient(params, x[i], y[i]) for i in range(samples)]
        return {name: t.stack([row[name] for row in rows]) for name in params}

    models, buffers = f.stack_module_state([net] * 8)

    def member(p, b, x):
        return f.functional_call(net, (p, b), (x,))

    ensemble = f.vmap(member, in_dims=(0, 0, None))

    def small(v):
        return (v.sin() * v.flip(0)).cumsum(0)

    v = t.linspace(-1, 1, 50)
    return {
        f"gradients of {samples} samples, vmap(grad)": lambda: per_sample(params, x, y),
        f"gradients of {samples} samples, one by one": one_by_one,
        "ensemble of 8 networks": lambda: ensemble(models, buffers, x),
        "jacfwd, 50 to 50": lambda: f.jacfwd(small)(v),
        "jacrev, 50 to 50": lambda: f.jacrev(small)(v),
        "hessian, 50": lambda: f.hessian(lambda v: small(v).sum())(v),
        "jvp, 50": lambda: f.jvp(small, (v,), (v,)),
    }


def least(function, rounds):
    function()
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def measure(library, rounds, samples):
    t = importlib.import_module(library)
    t.set_num_threads(1)
    return {name: least(run, rounds) for name, run in cases(t, samples).items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--library", choices=LIBRARIES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.library:
        print(json.dumps(measure(options.library, options.rounds, options.samples)))
        return
    source = str(Path(__file__).resolve().parent.parent / "src")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, __file__, "--rounds", str(options.rounds)]
    command += ["--samples", str(options.samples), "--library"]
    ours, theirs = (
        json.loads(subprocess.run([*command, each], env=env, capture_output=True, text=True,
                                  check=True).stdout.splitlines()[-1])
        for each in LIBRARIES
    )  # fmt: skip
    print(f"{'':42}{'lampas':>10}{'torch':>10}{'ratio':>8}")
    for name, mine in ours.items():
        print(f"{name:42}{mine:10.3f}{theirs[name]:10.3f}{mine / theirs[name]:8.2f}")


if __name__ == "__main__":
    main()
