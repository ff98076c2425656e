"""Runs a program that knows nothing of devices on a GPU: what it makes lies there.

    python tests/cuda/device_switch.py PROGRAM.py [its options]

Random numbers are drawn on the CPU and moved, so that losses are those of a run on the CPU. Batches
of a DataLoader are moved as they come; arrays of NumPy are taken from copies on the host. The last
line on stderr says how many tensors were made on the GPU.
"""

import contextlib
import runpy
import sys
from pathlib import Path

import lampas as torch
from lampas.overrides import TorchFunctionMode
from lampas.utils.data import DataLoader

FACTORIES = set(
    "arange as_tensor empty eye from_numpy full linspace logspace normal ones rand randint randn "
    "randperm tensor zeros".split()
)
IN_PLACE = set("bernoulli_ exponential_ geometric_ normal_ random_ uniform_".split())
DRAWN = set("bernoulli multinomial normal poisson rand_like randint_like randn_like".split())
ON_HOST = set("numpy __array__".split())
OURS = ("lampas.utils.data", "lampas.vision", "lampas.utils.tensorboard")  # work on the host


def moved(x):
    if isinstance(x, torch.Tensor) and not x.is_cuda:
        return x.detach().cuda().requires_grad_(x.requires_grad) if x.is_leaf else x.cuda()
    if isinstance(x, dict):
        return {key: moved(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)) and not hasattr(x, "_fields"):
        return type(x)(moved(value) for value in x)
    return x


def on_host(values):
    return [x.cpu() if isinstance(x, torch.Tensor) else x for x in values]


class DeviceSwitch(TorchFunctionMode):
    """The mode that the program runs under."""

    made = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        tensors = [x for x in args if isinstance(x, torch.Tensor)]
        on_gpu = any(x.is_cuda for x in tensors)
        if name in FACTORIES and not on_gpu and kwargs.get("device") is None:
            made = function(*args, **kwargs)
            if sys._getframe(1).f_globals.get("__name__", "").startswith(OURS):
                return made
            DeviceSwitch.made += 1
            return moved(made)
        if not on_gpu:
            return function(*args, **kwargs)
        if name in IN_PLACE:
            drawn = torch.empty(args[0].shape, dtype=args[0].dtype, device="cpu")
            function(drawn, *args[1:], **kwargs)
            with torch.no_grad():
                args[0].copy_(drawn)
            return args[0]
        if name in DRAWN:
            return function(*on_host(args), **kwargs).cuda()
        if name in ON_HOST:
            return function(*on_host(args), **kwargs)
        if name == "dropout":
            mask = function(torch.ones(args[0].shape, device="cpu"), *args[1:], **kwargs)
            return args[0] * mask.to(args[0].device, args[0].dtype)
        return function(*args, **kwargs)


@contextlib.contextmanager
def switched():
    """Context: what is made lies on the GPU."""
    batches = DataLoader.__iter__
    DataLoader.__iter__ = lambda self: map(moved, batches(self))
    try:
        with DeviceSwitch():
            yield
    finally:
        DataLoader.__iter__ = batches


def main(argv):
    program, *options = argv
    sys.argv = [program, *options]
    sys.path.insert(0, str(Path(program).resolve().parent))
    try:
        with switched():
            runpy.run_path(program, run_name="__main__")
    finally:
        print(f"{DeviceSwitch.made} tensors were made on the GPU", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
