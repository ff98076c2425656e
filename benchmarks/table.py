"""Everyday workloads under PyTorch as it is, PyTorch tuned, Lampas and peers: one table.

    python benchmarks/table.py [--rounds 2] [--threads 1,2] [--budget 0.25] [--only lenet,conv.3x3]
                               [--python jax=/path/to/python] [--json out.json] [--out table.md]

Each workload is written once (`workloads/`). Every column runs in interpreters of its own, a family
at a time, the columns turn by turn, so that a busy machine disturbs them alike. A figure is the
median over the rounds of the medians of a round; the ratio is Lampas to the better of the two
PyTorch columns (where there is none: to the fastest peer). Before anything is timed, each workload
computes numbers that must agree with those of PyTorch: `✗` marks a column whose numbers do not.

*limit* is what the machine needs at least: multiply-adds at the rate of `limits.c`, or bytes read and
written once at its bandwidth. *tuned*: channels_last, fused optimizers, inference_mode, mmap, and an
allocator that keeps memory (tcmalloc, where it is installed). Lampas runs the untuned script.

The Markdown goes to `benchmarks/results/peers-<cpu>.md` unless `--out` says otherwise; with `--only`
it is printed and not written.
"""

import argparse
import ctypes.util
import importlib.util
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from workloads import entered
from workloads.start import start_rows

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PYTORCH = ("torch", "torch tuned")
COLUMNS = (*PYTORCH, "lampas", "numpy", "jax")


def main():
    options = arguments()
    names = chosen(options.only)
    limits = {threads: machine_limits(threads) for threads in options.threads}
    columns = [c for c in COLUMNS if installed(c, options.python)]
    results = {}  # threads -> name -> column -> list of results, one a round
    for threads in options.threads:
        results[threads] = run_rounds(names, columns, threads, options)
    start = [] if options.only else start_rows(options.python, columns)
    text = report(results, start, limits, columns, options)
    print(text)
    if options.json:
        Path(options.json).write_text(json.dumps({"limits": limits, "results": results}, indent=1))
    if options.out or not options.only:
        out = Path(options.out or HERE / "results" / f"peers-{cpu_slug()}.md")
        out.parent.mkdir(exist_ok=True)
        out.write_text(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", default=None, help="1,2; default: 1 and all up to 2")
    parser.add_argument("--budget", type=float, default=0.25, help="seconds for each sample")
    parser.add_argument("--only", default="", help="names, or how they begin")
    parser.add_argument("--python", action="append", default=[], help="COLUMN=INTERPRETER")
    parser.add_argument("--json")
    parser.add_argument("--out")
    options = parser.parse_args()
    options.python = dict(entry.split("=", 1) for entry in options.python)
    counts = options.threads or ("1,2" if (os.cpu_count() or 1) > 1 else "1")
    options.threads = [int(count) for count in counts.split(",")]
    return options


def chosen(only):
    table = entered()
    prefixes = [p for p in only.split(",") if p]
    names = [
        n for n in table if not prefixes or any((n + ".").startswith(p + ".") for p in prefixes)
    ]
    if not names:
        raise SystemExit(f"no workload is called {only!r}; there are: {' '.join(table)}")
    return names


# --- running ------------------------------------------------------------------------------------
def installed(column, pythons):
    if column in pythons or column == "lampas":  # it runs from this tree
        return True
    return importlib.util.find_spec(column.split()[0]) is not None


def environment(column, threads):
    values = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    path = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    values["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    allocator = ctypes.util.find_library("tcmalloc_minimal")
    if column == "torch tuned" and allocator:
        values["LD_PRELOAD"] = allocator
    return values


def families(names):
    """The names in lists of one family each: what one process runs."""
    groups = {}
    for name in names:
        groups.setdefault(entered()[name].make.__module__, []).append(name)
    return groups.values()


def run_rounds(names, columns, threads, options):
    results = {name: {} for name in names}
    for number in range(options.rounds):
        for group in families(names):
            for column in columns:
                print(
                    f"round {number + 1}, {threads} threads, {column}: {group[0]} ...",
                    file=sys.stderr,
                )
                for result in run_column(column, group, threads, options):
                    results[result["name"]].setdefault(column, []).append(result)
    return results


def run_column(column, names, threads, options):
    command = [options.python.get(column, sys.executable), str(HERE / "table_worker.py")]
    command += ["--column", column, "--threads", str(threads), "--budget", str(options.budget)]
    done = subprocess.run(
        [*command, *names], capture_output=True, text=True, env=environment(column, threads)
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        print(f"{column} ended with {done.returncode}: {done.stderr[-500:]}", file=sys.stderr)
    results = [json.loads(line) for line in lines]
    for result in results:
        if "error" in result:
            print(f"{column}, {result['name']}: {result['error']}", file=sys.stderr)
    return results


def machine_limits(threads):
    """GB/s read, GB/s copied and GFLOP/s; None without a compiler of C."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "limits"
        compiler = os.environ.get("CC", "cc")
        try:
            subprocess.run(
                [compiler, "-O3", "-march=native", HERE / "limits.c", "-o", program, "-lpthread"],
                check=True, capture_output=True,
            )  # fmt: skip
            text = subprocess.run([program, str(threads)], capture_output=True, text=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return None
    read, copied, flops = map(float, text.split())
    return {"read": read, "copied": copied, "flops": flops}


# --- the table ----------------------------------------------------------------------------------
def report(results, start, limits, columns, options):
    lines = [
        "# Everyday workloads beside PyTorch",
        "",
        f"`{command()}`",
        "",
        f"{cpu_name()}, {os.cpu_count()} processors. {versions(options.python, columns)}. "
        f"Medians of {options.rounds} rounds, each column in its own interpreters, turn by turn.",
    ]
    for threads, table in results.items():
        lines += ["", f"## {threads} thread{'s' if threads > 1 else ''}", ""]
        if limits[threads]:
            shown = "{read:.0f} GB/s read, {copied:.0f} GB/s copied, {flops:.0f} GFLOP/s"
            lines += ["Limits: " + shown.format(**limits[threads]) + ".", ""]
        lines += header(["workload", "limit", *columns, "ratio", "at most", ""])
        lines += [
            row(name, by_column, limits[threads], columns) for name, by_column in table.items()
        ]
    if start:
        lines += ["", "## Start", ""]
        lines += header(["", *columns[:3], "ratio", "at most", ""])
        lines += start
    lines += ["", "✗: the result differs from PyTorch's. A peer has its own random numbers.", ""]
    return "\n".join(lines)


def header(names):
    return [f"| {' | '.join(names)} |", "|---" + "|--:" * (len(names) - 1) + "|"]


def row(name, by_column, limits, columns):
    workload = entered()[name]
    seconds = {column: middle(found) for column, found in by_column.items()}
    cells = [name, shown(limit(workload, limits))]
    for column in columns:
        wrong = column == "lampas" and not agrees(by_column)
        failed = column in seconds and seconds[column] is None
        cells.append("fails" if failed else shown(seconds.get(column)) + (" ✗" if wrong else ""))
    ratio = ratio_of(seconds)
    cells.append("" if ratio is None else f"{ratio:.3f}")
    cells += verdict(ratio, workload.target)
    return f"| {' | '.join(cells)} |"


def verdict(ratio, target):
    """The cells of the target and of whether it is reached."""
    if target is None:
        return ["", ""]
    return [f"{target:g}", "" if ratio is None else "yes" if ratio <= target else "**no**"]


def middle(found):
    times = [result["seconds"] for result in found if "seconds" in result]
    return statistics.median(times) if times else None


def ratio_of(seconds):
    """Lampas to the better PyTorch, or to the fastest peer where PyTorch has no figure."""
    ours = seconds.get("lampas")
    theirs = [seconds[c] for c in PYTORCH if seconds.get(c)]
    theirs = theirs or [s for column, s in seconds.items() if s and column != "lampas"]
    return ours / min(theirs) if ours and theirs else None


def agrees(by_column):
    """Whether Lampas computed what PyTorch did, as near as single precision stays in many steps."""
    expected = next((r["check"] for r in by_column.get("torch", []) if "check" in r), None)
    if expected is None:
        return True
    scale = max(map(abs, expected))
    return all(
        "check" in result
        and len(result["check"]) == len(expected)
        and all(
            abs(a - b) <= 2e-3 * (abs(b) + 1e-2 * scale) for a, b in zip(result["check"], expected)
        )
        for result in by_column.get("lampas", [])
    )


def limit(workload, limits):
    if not limits or not (workload.flops or workload.bytes):
        return None
    return max(workload.flops / limits["flops"], workload.bytes / limits["copied"]) * 1e-9


def shown(seconds):
    if seconds is None:
        return ""
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


# --- the machine --------------------------------------------------------------------------------
def command():
    # Where an interpreter or a file lies is this machine's business.
    return " ".join(
        ["python benchmarks/table.py", *(re.sub(r"/\S*/", "", x) for x in sys.argv[1:])]
    )


def cpu_name():
    try:
        text = Path("/proc/cpuinfo").read_text()
        return re.search(r"model name\s*: (.*)", text).group(1).strip()
    except (OSError, AttributeError):
        return platform.processor() or platform.machine()


def cpu_slug():
    return re.sub(r"[^a-z0-9]+", "-", cpu_name().lower()).strip("-")


def versions(pythons, columns):
    found = []
    for column in columns:
        module = column.split()[0]
        program = f"import {module}; print({module}.__version__)"
        python = pythons.get(column, sys.executable)
        done = subprocess.run(
            [python, "-c", program], capture_output=True, text=True, env=environment(column, 1)
        )
        found.append(f"{column} {done.stdout.strip()}" if column != "torch tuned" else "")
    return ", ".join(filter(None, found))


if __name__ == "__main__":
    main()
