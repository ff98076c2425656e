"""The workloads of `benchmarks/cuda.py`: each written once, for `t` (lampas or torch).

A workload makes its data from a seed on the CPU, so that both libraries have the same, moves them to
the GPU and returns a `Step`. `small` asks for sizes that an emulation runs in seconds.
"""

import dataclasses
from collections.abc import Callable

FAMILIES = ("arrays", "networks")


@dataclasses.dataclass
class Step:
    """What is timed; `calls` steps are made by one `run`. `bytes` and `flops` of one step are what
    the GPU must do at least. `value` gives a number on which the libraries must agree to `near`."""

    run: Callable
    value: Callable = None
    near: float = 1e-3
    bytes: float = 0
    flops: float = 0
    calls: int = 1


@dataclasses.dataclass
class Workload:
    """`target`: the largest ratio to PyTorch that the project promises; `compiled`: both libraries
    compile it."""

    name: str
    make: Callable
    target: float
    compiled: bool = False


TABLE = {}


def workload(name, target, **options):
    """Enter a function `make(t, small, compiled)` into the table."""

    def enter(make):
        TABLE[name] = Workload(name, make, target, **options)
        return make

    return enter


def entered():
    """The whole table."""
    import importlib

    for family in FAMILIES:
        importlib.import_module(f"gpu.{family}")
    return TABLE
