"""What an epoch of a DataLoader costs, Lampas beside PyTorch, in one run.

    python benchmarks/loading.py [--rounds 7] [--only tensors] [--json out.json]

The measuring is that of `overhead.py`. A sample is one or more epochs without any model; worker
processes are persistent, and their start has a row of its own.
"""

import argparse
import json
from pathlib import Path

from overhead import LIBRARIES, compare, duration, row, serve

# name -> (title, the ratio that the project promises at most)
CASES = {
    "tensors": ("TensorDataset 8192 x 784, batch 64, no worker", 0.10),
    "tensors_shuffled": ("the same, shuffled", 0.10),
    "tensors_2": ("the same, shuffled, 2 workers", 1.0),
    "items": ("2048 items 3 x 32 x 32, batch 64, no worker", 1.0),
    "items_2": ("the same, 2 workers", 1.0),
    "small_2": ("2048 items of 10 floats, batch 16, 2 workers", 1.0),
    "images_2": ("128 items 3 x 224 x 224, batch 32, 2 workers", 1.0),
    "start_2": ("2 workers: start, one batch, end", 1.0),
}


def prepare(t, name):
    """One epoch of a case as a function, in the library `t`."""
    if name == "start_2":
        return lambda: next(iter(loader(t, "small_2", persistent_workers=False)))
    batches = loader(t, name, persistent_workers=name.endswith("_2"))

    def epoch():
        for _ in batches:
            pass

    return epoch


def loader(t, name, **options):
    workers = 2 if name.endswith("_2") else 0
    if name.startswith("tensors"):
        data = t.utils.data.TensorDataset(t.randn(8192, 784), t.arange(8192))
        return t.utils.data.DataLoader(
            data, batch_size=64, shuffle=name != "tensors", num_workers=workers, **options
        )
    count, shape, batch_size = {
        "items": (2048, (3, 32, 32), 64),
        "small": (2048, (10,), 16),
        "images": (128, (3, 224, 224), 32),
    }[name.removesuffix("_2")]
    data = make_items(t, count, shape)
    return t.utils.data.DataLoader(data, batch_size=batch_size, num_workers=workers, **options)


def make_items(t, count, shape):
    class Items(t.utils.data.Dataset):
        """Samples made one by one: a row of bytes as floats, and a label."""

        def __init__(self):
            self.rows = t.randint(0, 256, (min(count, 64), *shape)).to(t.uint8)

        def __len__(self):
            return count

        def __getitem__(self, i):
            return self.rows[i % len(self.rows)].to(t.float32) / 255, i % 10

    return Items()


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
    results = compare(names, args.rounds, args.threads, __file__)
    print(f"| {args.rounds} rounds | Lampas | PyTorch | ratio | promised |")
    print("|---|--:|--:|--:|:--|")
    for name in names:
        title, promise = CASES[name]
        row(title, results[name], duration, promise)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
