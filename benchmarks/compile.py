"""What `lampas.compile` gains: each case as it is, compiled, and by PyTorch as it is, in one run.

    python benchmarks/compile.py [--rounds 7] [--threads 1] [--only chain]

Lampas and PyTorch (where it is installed) run in one process each, turn by turn. A row is the
median over the rounds; "ratio" is the median of the rounds' own compiled / PyTorch.
"""

import argparse
import gc
import importlib.util
import json
import statistics
import subprocess
import sys
import time

SECONDS = 0.1  # of one sample
CASES = {
    "chain": "tanh(x * 2 + 1) * x, ten million floats",
    "chain_small": "tanh(x * 2 + 1) * x, a thousand floats",
    "mlp_forward": "MLP 4-16-2, forward and loss",
    "mlp_sgd": "MLP 4-16-2, training step, SGD",
    "mlp_adam": "MLP 4-16-2, training step, Adam",
}


# --- in the process of one library ---------------------------------------------------------------
def prepare(t, name):
    """The function of a case, in the library `t`."""
    t.manual_seed(0)
    if name.startswith("chain"):
        x = t.randn(10_000_000 if name == "chain" else 1000)
        return lambda: t.tanh(x * 2 + 1) * x
    model = t.nn.Sequential(t.nn.Linear(4, 16), t.nn.ReLU(), t.nn.Linear(16, 2))
    criterion = t.nn.CrossEntropyLoss()
    x, y = t.randn(1, 4), t.tensor([1])
    if name == "mlp_forward":
        return lambda: criterion(model(x), y)
    optimizer = {"mlp_sgd": t.optim.SGD, "mlp_adam": t.optim.Adam}[name](model.parameters(), 0.01)

    def step():
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def microseconds(function):
    """Median time of a call within SECONDS."""
    gc.collect()
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def serve(library, threads):
    """Answer lines that name a case with its times as JSON."""
    t = importlib.import_module(library)
    t.set_num_threads(threads)
    ready = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in ready:
            ready[name] = [prepare(t, name)]
            if library == "lampas":
                ready[name].append(t.compile(prepare(t, name), fullgraph=True))
            for function in ready[name] * 20:
                function()
        print(json.dumps([microseconds(function) for function in ready[name]]), flush=True)


# --- the runner ----------------------------------------------------------------------------------
def start(library, threads):
    command = [sys.executable, __file__, "--serve", library, "--threads", str(threads)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(process, name):
    process.stdin.write(name + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def compare(rounds, threads, names):
    libraries = ["lampas"] + ["torch"] * bool(importlib.util.find_spec("torch"))
    workers = {library: start(library, threads) for library in libraries}
    print(f"{'':42}{'eager us':>10}{'compiled':>10}{'PyTorch':>10}{'ratio':>8}")
    for name in names:
        found = [{lib: ask(worker, name) for lib, worker in workers.items()} for _ in range(rounds)]
        eager, compiled = (statistics.median(f["lampas"][i] for f in found) for i in (0, 1))
        line = f"{CASES[name]:42}{eager:10.1f}{compiled:10.1f}"
        if "torch" in workers:
            ratio = statistics.median(f["lampas"][1] / f["torch"][0] for f in found)
            line += f"{statistics.median(f['torch'][0] for f in found):10.1f}{ratio:8.2f}"
        print(line, flush=True)
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--only", default="", help="cases whose name begins so")
    options.add_argument("--serve", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.serve:
        serve(given.serve, given.threads)
    else:
        compare(given.rounds, given.threads, [n for n in CASES if n.startswith(given.only)])


if __name__ == "__main__":
    main()
