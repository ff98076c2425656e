"""One column of `table.py` in an interpreter of its own: times workloads, prints a line of JSON for
each. Started by `table.py`, which has the description.
"""

import argparse
import gc
import importlib
import json
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--column", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--budget", type=float, required=True)
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    make = maker(options.column, options.threads)
    for name in options.names:
        result = {"name": name}
        try:
            step = make(name)
            if step is None:
                continue
            result.update(measured(step, options.budget, calls_of(name)))
        except Exception as error:  # a missing operator is a result
            result["error"] = f"{type(error).__name__}: {error}".split("\n")[0][:200]
        print(json.dumps(result), flush=True)
        step = None
        gc.collect()
    os._exit(0)  # how a library ends is not measured


def calls_of(name):
    from workloads import entered

    return entered()[name].calls


def maker(column, threads):
    """A function from a workload's name to its step, for a column."""
    if column in ("numpy", "jax"):
        if column == "jax" and threads == 1 and hasattr(os, "sched_setaffinity"):
            # It has no switch for its threads.
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        peer = importlib.import_module(f"workloads.peer_{column}")
        return lambda name: peer.STEPS[name]() if name in peer.STEPS else None
    from workloads import entered

    t = importlib.import_module("lampas" if column == "lampas" else "torch")
    t.set_num_threads(threads)
    return lambda name: entered()[name].make(t, column == "torch tuned")


def measured(step, budget, calls):
    """The check's numbers, and the median seconds of a step."""
    if step.check is not None:
        check = step.check()
    else:
        check = [step.run().item() for _ in range(3)]
    seconds = sampled(step.run, budget)
    if step.close is not None:
        step.close()
    return {"check": check, "seconds": statistics.median(seconds) / calls}


def sampled(run, budget):
    """Seconds of a step, from samples of at least 3 ms, after a fifth of the budget of warm-up."""
    clock = time.perf_counter
    start, count = clock(), 0
    while count < 2 or (clock() - start < budget / 5 and count < 1000):
        run()
        count += 1
    inner = max(1, min(2000, int(0.003 * count / (clock() - start))))
    samples, start = [], clock()
    gc.disable()
    while len(samples) < 3 or clock() - start < budget:
        before = clock()
        for _ in range(inner):
            run()
        samples.append((clock() - before) / inner)
    gc.enable()
    return samples


if __name__ == "__main__":
    main()
