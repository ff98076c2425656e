"""What a call costs, Lampas beside PyTorch, in one run.

    python benchmarks/overhead.py [--rounds 7] [--threads 1] [--only adam] [--json out.json]

One process for each library; both run every case, turn by turn, so that a busy machine disturbs
them alike. A row is the median over the rounds; the ratio is the median of the rounds' own ratios.
The last rows are the cost of `import` as a whole process. Larger workloads are not here.
"""

import argparse
import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

LIBRARIES = ("lampas", "torch")
SECONDS = 0.05  # of one sample

# name -> (title, the ratio that the project promises at most)
CASES = {
    "add": ("a + b, four floats", 0.25),
    "add_grad": ("a + b, four floats, recorded", 0.30),
    "forward_backward": ("((a + b) * a).sum(), forward and backward", 0.20),
    "mlp_sgd": ("MLP 4-16-2, training step, SGD", 0.20),
    "mlp_adam": ("MLP 4-16-2, training step, Adam", 0.15),
    "two_layers": ("net 1000-100-10, batch 64, training step, Adam", 0.70),
    "large_add": ("a + b, ten million floats", 0.25),
}


# --- in the process of one library ---------------------------------------------------------------
def prepare(t, name):
    """The function to time for a case, in the library `t`."""
    t.manual_seed(0)
    if name.startswith("mlp") or name == "two_layers":
        return training_step(t, name)
    size = 10_000_000 if name == "large_add" else 4
    a, b = t.rand(size), t.rand(size)
    if name in ("add_grad", "forward_backward"):
        a.requires_grad_()
        b.requires_grad_()
    if name == "forward_backward":
        return lambda: ((a + b) * a).sum().backward()
    return lambda: a + b


def training_step(t, name):
    nn = t.nn
    if name == "two_layers":
        net = nn.Sequential(nn.Linear(1000, 100), nn.ReLU(), nn.Linear(100, 10))
        x, y, loss = t.randn(64, 1000), t.randn(64, 10), nn.MSELoss(reduction="sum")
        optimizer = t.optim.Adam(net.parameters(), lr=1e-4)
    else:
        net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        x, y, loss = t.randn(1, 4), t.randn(1, 2), nn.MSELoss()
        kind = t.optim.SGD if name == "mlp_sgd" else t.optim.Adam
        optimizer = kind(net.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()

    return step


def sample(function, count):
    """Seconds per call over `count` calls."""
    gc.collect()
    gc.disable()
    started = time.perf_counter()
    for _ in range(count):
        function()
    elapsed = time.perf_counter() - started
    gc.enable()
    return elapsed / count


def serve(library, threads, prepare):
    """Answer case names on standard input with the seconds of one sample.

    prepare: from a library and a name to the function to time.
    """
    t = importlib.import_module(library)
    t.set_num_threads(threads)
    prepared = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in prepared:
            function = prepare(t, name)
            sample(function, 3)
            seconds = sample(function, 5)
            prepared[name] = function, max(1, int(SECONDS / max(seconds, 1e-8)))
            sample(*prepared[name])
        print(json.dumps(sample(*prepared[name])), flush=True)


# --- in the process that compares ----------------------------------------------------------------
class Worker:
    """A process that runs cases with one library."""

    def __init__(self, library, threads, script, variables=None):
        command = [sys.executable, script, "--serve", library, "--threads", str(threads)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment(), **(variables or {})},
        )

    def time(self, name):
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"the worker ended in case {name}")
        return float(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def environment():
    source = str(Path(__file__).resolve().parent.parent / "src")
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


IMPORT = (
    "import {0}, resource, sys;"
    "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
    "print(peak / (2**20 if sys.platform == 'darwin' else 2**10))"
)


def import_cost(library):
    """Seconds of a whole process that imports the library, and its peak memory in MB."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", IMPORT.format(library)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    return time.perf_counter() - started, float(done.stdout)


def compare(names, rounds, threads, script=__file__):
    """name -> {library: [seconds of each round]}. `script --serve library` answers, see `serve`."""
    workers = {library: Worker(library, threads, script) for library in LIBRARIES}
    results = {name: {library: [] for library in LIBRARIES} for name in names}
    for _ in range(rounds):
        for name in names:
            for library, worker in workers.items():
                results[name][library].append(worker.time(name))
    for worker in workers.values():
        worker.close()
    return results


def compare_imports(rounds):
    results = {what: {library: [] for library in LIBRARIES} for what in ("time", "memory")}
    for _ in range(rounds):
        for library in LIBRARIES:
            seconds, megabytes = import_cost(library)
            results["time"][library].append(seconds)
            results["memory"][library].append(megabytes)
    return results


def row(title, values, show, promise=None):
    ours, theirs = (statistics.median(values[library]) for library in LIBRARIES)
    ratio = statistics.median(a / b for a, b in zip(*(values[library] for library in LIBRARIES)))
    verdict = "" if promise is None else f"{promise:.2f} {'yes' if ratio <= promise else 'NO'}"
    print(f"| {title:46} | {show(ours):>10} | {show(theirs):>10} | {ratio:6.3f} | {verdict:8} |")


def duration(seconds):
    if seconds < 1e-3:
        return f"{seconds * 1e6:.2f} µs"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--json", type=Path, help="also write the samples to this file")
    parser.add_argument("--serve", choices=LIBRARIES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args.serve, args.threads, prepare)
    names = [name for name in CASES if args.only in name]
    results = compare(names, args.rounds, args.threads)
    print(
        f"| {args.threads} thread(s), {args.rounds} rounds | Lampas | PyTorch | ratio | promised |"
    )
    print("|---|--:|--:|--:|:--|")
    for name in names:
        title, promise = CASES[name]
        row(title, results[name], duration, promise)
    if args.only in "import":
        results["import"] = compare_imports(min(args.rounds, 5))
        row("import, whole process", results["import"]["time"], duration)
        row("import, peak memory", results["import"]["memory"], lambda mb: f"{mb:.0f} MB")
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
