"""Which engine an example runs on: Lampas, or with --torch on the command line PyTorch.

An example says `from engine import torch`; nothing else in it differs between the two.
"""

import argparse
import sys
from pathlib import Path

if "--torch" in sys.argv:
    import torch
    import torch.utils.data
else:
    import lampas as torch
    import lampas.utils.data


def arguments(about, argv=None, writes=True, **defaults):
    """The parsed command line: --torch, --seed, one option for each default; --out if it writes."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--torch", action="store_true", help="run on PyTorch")
    parser.add_argument("--seed", type=int, default=0)
    if writes:
        parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for its files")
    for name, value in defaults.items():
        kind = str if value is None else type(value)
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=value)
    args = parser.parse_args(argv)
    if writes:
        args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    return args


def tensors_of(dataset):
    """Images and labels of a dataset of `lampas.vision` as tensors of the engine."""
    return torch.tensor(dataset.data.tolist()), torch.tensor(list(map(int, dataset.targets)))
