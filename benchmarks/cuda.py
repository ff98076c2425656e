"""Workloads on a GPU under Lampas and, where it is importable with CUDA, PyTorch: one table.

    python benchmarks/cuda.py [--only softmax,GPT] [--seconds 420] [--small] [--out table.md]

Both libraries run in one process, turn by turn; a figure is the median over rounds of the mean of a
round, and the GPU is waited for at a round's ends only. Before anything is timed each workload
computes a number on which both must agree: `✗` marks one that does not. *bandwidth* is the part of
that of a copy on this GPU, measured in the same run, of what the workload must read and write.

The Markdown goes to `benchmarks/results/gpu-<device>.md` unless `--out` says otherwise; with `--only`
or `--small` it is printed only. What does not fit into `--seconds` is left out, and said.
"""

import argparse
import dataclasses
import gc
import importlib
import re
import statistics
import sys
import time
import warnings
from pathlib import Path

from gpu import entered

HERE = Path(__file__).resolve().parent
WIDE = "two-layer net, 4096 x 4096, step"
NUMPY_TARGET = 50  # times faster than NumPy on this machine's CPU


@dataclasses.dataclass
class Row:
    name: str
    target: float
    ours: float = None  # seconds of one step
    theirs: float = None
    bytes: float = 0
    flops: float = 0
    agrees: bool = True
    problem: str = ""

    @property
    def ratio(self):
        return self.ours / self.theirs if self.ours and self.theirs else None

    @property
    def verdict(self):
        if self.problem or not self.agrees:
            return "✗"
        if self.ratio is None or self.target is None:
            return ""
        return "✓" if self.ratio <= self.target else "slow"


def main(argv=None):
    options = arguments(argv)
    started = time.perf_counter()
    lampas = importlib.import_module("lampas")
    if not lampas.cuda.is_available():
        print("there is no GPU that Lampas can use", file=sys.stderr)
        return 1
    torch = usable_torch()
    bandwidth = copy_bandwidth([lampas, torch] if torch else [lampas], options)
    rows = []
    for workload in chosen(options.only):
        if time.perf_counter() - started > options.seconds:
            rows.append(Row(workload.name, workload.target, problem="left out: no time"))
            continue
        rows.append(measured(workload, lampas, torch, options))
        print(line(rows[-1], bandwidth), flush=True)
    comparison = "" if options.only else beside_numpy(rows, options)
    text = report(rows, bandwidth, comparison, lampas, torch)
    print(text)
    if options.out or not (options.only or options.small):
        slug = re.sub(r"[^a-z0-9]+", "-", lampas.cuda.get_device_name().lower()).strip("-")
        out = Path(options.out or HERE / "results" / f"gpu-{slug}.md")
        out.parent.mkdir(exist_ok=True)
        out.write_text(text)
    return 0


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="parts of names, between commas")
    parser.add_argument("--seconds", type=float, default=420, help="begin no workload after these")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=0.3, help="seconds of a round")
    parser.add_argument("--small", action="store_true", help="sizes for an emulation")
    parser.add_argument("--out")
    options = parser.parse_args(argv)
    if options.small:
        options.rounds, options.budget = 1, 0.0
    return options


def chosen(only):
    parts = [part for part in only.split(",") if part]
    table = entered().values()
    return [w for w in table if not parts or any(part in w.name for part in parts)]


def usable_torch():
    """PyTorch, if it is there and sees a GPU."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


# --- timing ---


def seconds_of(t, run, calls, budget):
    """Mean seconds of one step, over at least `budget` seconds."""
    count = 1
    while True:
        t.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(count):
            run()
        t.cuda.synchronize()
        took = time.perf_counter() - begin
        if took >= budget:
            return took / count / calls
        count = max(count + 1, min(10 * count, int(1.2 * count * budget / max(took, 1e-6))))


def copy_bandwidth(libraries, options):
    """Bytes a second, read and written, of the fastest copy of 10^8 floats."""
    n = 1000 if options.small else 10**8

    def of(t):
        a, b = t.ones(n).cuda(), t.ones(n).cuda()
        return 8.0 * n / seconds_of(t, lambda: b.copy_(a), 1, options.budget)

    return max(map(of, libraries))


def measured(workload, lampas, torch, options):
    row = Row(workload.name, workload.target)
    try:
        measure(row, workload, lampas, torch, options)
    except Exception as error:  # one workload's trouble must not cost the table
        row.problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    gc.collect()
    for t in filter(None, (lampas, torch)):
        t.cuda.empty_cache()
    return row


def measure(row, workload, lampas, torch, options):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        ours = workload.make(lampas, options.small, workload.compiled)
        mine = ours.value()
        copied = [str(w.message) for w in seen if "no kernel for CUDA" in str(w.message)]
    row.bytes, row.flops = ours.bytes, ours.flops
    theirs = workload.make(torch, options.small, workload.compiled) if torch else None
    if theirs:
        expected = theirs.value()
        row.agrees = abs(mine - expected) <= ours.near * max(abs(expected), 1e-6)
    samples = {"ours": [], "theirs": []}
    sides = [("ours", lampas, ours)] + ([("theirs", torch, theirs)] if theirs else [])
    for _, t, step in sides:  # compiling, choosing algorithms, capturing graphs
        for _ in range(1 if options.small else 5):
            step.run()
        t.cuda.synchronize()
    for _ in range(options.rounds):
        for name, t, step in sides:
            samples[name].append(seconds_of(t, step.run, step.calls, options.budget))
    row.ours = statistics.median(samples["ours"])
    row.theirs = statistics.median(samples["theirs"]) if theirs else None
    if copied:
        names = sorted({text.split("'")[1] for text in copied})
        row.problem = f"through the host: {', '.join(names)}"


def beside_numpy(rows, options):
    """A sentence on the wide two-layer net and NumPy."""
    ours = next((row.ours for row in rows if row.name == WIDE), None)
    if not ours:
        return ""
    from gpu.networks import numpy_step

    step = numpy_step(options.small)
    step()
    begin = time.perf_counter()
    step()
    numpy_seconds = time.perf_counter() - begin
    times = numpy_seconds / ours
    verdict = "✓" if times >= NUMPY_TARGET else "slow"
    return (
        f"The two-layer net of width 4096 takes NumPy {shown(numpy_seconds)} on this machine's CPU, "
        f"{times:.0f} times as long (promised: {NUMPY_TARGET}) {verdict}"
    )


# --- the table ---


def shown(seconds):
    if seconds is None:
        return ""
    units = (("s", 1), ("ms", 1e3), ("µs", 1e6))
    unit, scale = next((u for u in units if seconds * u[1] >= 1), units[-1])
    return f"{seconds * scale:.3g} {unit}"


def rate(row, bandwidth):
    if not row.ours:
        return ""
    if row.flops:
        return f"{row.flops / row.ours / 1e12:.0f} TFLOP/s"
    return f"{100 * row.bytes / row.ours / bandwidth:.0f} % of bandwidth" if row.bytes else ""


def cells(row, bandwidth):
    ratio = f"{row.ratio:.2f}" if row.ratio else ""
    target = f"≤ {row.target}" if row.target else ""
    mark = " ".join(filter(None, (row.verdict, row.problem, "" if row.agrees else "disagrees")))
    return [row.name, shown(row.ours), shown(row.theirs), ratio, target, rate(row, bandwidth), mark]


def line(row, bandwidth):
    name, *rest = cells(row, bandwidth)
    return f"{name:36}" + "".join(f"{cell:>11} " for cell in rest[:4]) + "  ".join(rest[4:])


def report(rows, bandwidth, comparison, lampas, torch):
    device = lampas.cuda.get_device_properties()
    beside = f"PyTorch {torch.__version__}" if torch else "no PyTorch for CUDA was importable"
    lines = [
        f"# Lampas {lampas.__version__} on one {device.name}",
        "",
        f"`python benchmarks/cuda.py`; {beside}; a copy on the device moves "
        f"{bandwidth / 1e12:.2f} TB/s, read and written.",
        "",
        "| workload | Lampas | PyTorch | ratio | promised | rate | |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    lines += ["| " + " | ".join(cells(row, bandwidth)) + " |" for row in rows]
    kept = sum(row.verdict == "✓" for row in rows)
    compared = sum(row.ratio is not None and row.target is not None for row in rows)
    lines += ["", f"{kept} of {compared} promises kept. {comparison}".rstrip(), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
