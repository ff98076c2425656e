"""Saving and loading a state_dict of 100 MB, Lampas beside PyTorch, in one run.

    python benchmarks/checkpoints.py [--rounds 9] [--megabytes 100] [--tensors 50] [--folder DIR]

One process, both libraries turn by turn, so that a busy machine disturbs them alike. A save
replaces the file of the round before, as training does. The figures are medians over the rounds,
the ratio is the median of the rounds' own ratios; the project promises at most 0.8 for `save` and
`load`. The last rows are what the checksums cost: PyTorch computes them when it saves and does not
look at them when it loads, Lampas does both.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

PROMISED = {"save": 0.8, "load": 0.8}


def state_dict(t, megabytes, tensors):
    """`tensors` float32 matrices of equal size."""
    count = megabytes * 1_000_000 // 4 // tensors
    return {f"layer{i}.weight": t.full((count // 100, 100), float(i)) for i in range(tensors)}


def timed(function):
    start = time.perf_counter()
    result = function()
    seconds = time.perf_counter() - start
    del result
    return seconds


def one_round(t, state, path):
    """Seconds of each operation in the library `t`."""
    return {
        "save": timed(lambda: t.save(state, path)),
        "load": timed(lambda: t.load(path)),
        "load, mmap=True": timed(lambda: t.load(path, mmap=True)),
    }


def checksum_cost(lampas, state, path):
    """Seconds of saving and loading with and without checksums."""
    costs = {}
    for wanted in (True, False):
        lampas.serialization.set_crc32_options(wanted)
        label = "with" if wanted else "without"
        costs[f"save {label}"] = timed(lambda: lampas.save(state, path))
        costs[f"load {label}"] = timed(lambda: lampas.load(path))
    lampas.serialization.set_crc32_options(True)
    return costs


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--tensors", type=int, default=50)
    parser.add_argument("--folder", help="where to write; default: the temporary folder")
    options = parser.parse_args()
    import torch

    import lampas

    folder = Path(tempfile.mkdtemp(dir=options.folder))
    libraries = {"lampas": lampas, "torch": torch}
    states = {
        name: state_dict(t, options.megabytes, options.tensors) for name, t in libraries.items()
    }
    rounds, costs = [], []
    try:
        for _ in range(options.rounds + 1):
            rounds.append(
                {
                    name: one_round(t, states[name], folder / f"{name}.pt")
                    for name, t in libraries.items()
                }
            )
            costs.append(checksum_cost(lampas, states["lampas"], folder / "crc.pt"))
    finally:
        shutil.rmtree(folder)
    report(rounds[1:], costs[1:])  # the first one meets cold caches


def report(rounds, costs):
    print(f"{'':18}{'lampas ms':>10}{'torch ms':>10}{'ratio':>8}{'promised':>10}")
    for operation in rounds[0]["lampas"]:
        ours, theirs = (
            statistics.median(each[name][operation] for each in rounds)
            for name in ("lampas", "torch")
        )
        ratio = statistics.median(
            each["lampas"][operation] / each["torch"][operation] for each in rounds
        )
        promised = PROMISED.get(operation, "")
        print(f"{operation:18}{ours * 1e3:10.1f}{theirs * 1e3:10.1f}{ratio:8.2f}{promised:>10}")
    for operation in ("save", "load"):
        with_, without = (
            statistics.median(each[f"{operation} {label}"] for each in costs)
            for label in ("with", "without")
        )
        print(f"checksums, {operation}: {with_ * 1e3:.1f} ms with, {without * 1e3:.1f} ms without")


if __name__ == "__main__":
    main()
