"""The everyday workloads of `table.py`: each written once, as a script of the PyTorch API would be.

A workload is a function of `t` (the module: `torch`, or `lampas` under that name) and `tuned`. It
makes its data from a seed, so that both libraries have the same, and returns a `Step`. `tuned` is
what a careful user of PyTorch writes: channels_last for convolutions, fused optimizers,
inference_mode, mmap; Lampas always runs the plain script.
"""

import dataclasses
from collections.abc import Callable

FAMILIES = ("small", "networks", "large", "convolutions", "data")


@dataclasses.dataclass
class Step:
    """What is timed; what it computes, as numbers that the libraries must agree on; what is left
    behind. Without `check` the step itself returns a loss, and its first three are compared."""

    run: Callable
    check: Callable = None
    close: Callable = None


@dataclasses.dataclass
class Workload:
    """`target`: the largest ratio to the better PyTorch that the project promises. `flops` and
    `bytes` of one step are what its limit is made of; `calls` is how many steps `run` makes."""

    name: str
    make: Callable
    target: float = None
    flops: float = 0
    bytes: float = 0
    calls: int = 1


TABLE = {}  # name -> Workload


def workload(name, target=None, **sizes):
    """Enter a function into the table."""

    def enter(make):
        TABLE[name] = Workload(name, make, target, **sizes)
        return make

    return enter


def entered():
    """The whole table."""
    import importlib

    for family in FAMILIES:
        importlib.import_module(f"workloads.{family}")
    return TABLE


def digest(*tensors):
    """A few numbers of each tensor: mean, mean absolute value, first, middle and last element."""
    numbers = []
    for tensor in tensors:
        flat = tensor.detach().double().reshape(-1)
        places = (0, flat.numel() // 2, flat.numel() - 1)
        numbers += [flat.mean().item(), flat.abs().mean().item()]
        numbers += [flat[i].item() for i in places]
    return numbers


def training(model, loss, optimizer, x, y):
    """One step of training, which returns the loss."""

    def step():
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    return step


def fused(tuned):
    """The optimizers' argument that a tuned script gives."""
    return {"fused": True} if tuned else {}


def images(t, tuned, model, x):
    """Model and input in the memory format that a tuned script chooses."""
    if not tuned:
        return model, x
    return model.to(memory_format=t.channels_last), x.contiguous(memory_format=t.channels_last)
