"""Convolutions against PyTorch, interleaved in one process: medians and ratios.

    python benchmarks/convolutions.py [--threads 1] [--only 3x3] [--rounds 15] [--last]

Columns: PyTorch as a tensor comes (NCHW), PyTorch with channels last, Lampas; milliseconds, and
Lampas's share of the better PyTorch. `--last` gives Lampas channels last too.
"""

import argparse
import statistics
import time

import torch

import lampas

# batch, input channels, size, output channels, kernel, stride, padding, groups
SHAPES = {
    "first7x7": (8, 3, 224, 64, 7, 2, 3, 1),
    "64x56.3x3": (8, 64, 56, 64, 3, 1, 1, 1),
    "128x28.3x3": (8, 128, 28, 128, 3, 1, 1, 1),
    "256x14.3x3": (8, 256, 14, 256, 3, 1, 1, 1),
    "512x7.3x3": (8, 512, 7, 512, 3, 1, 1, 1),
    "64-256x56.1x1": (8, 64, 56, 256, 1, 1, 0, 1),
    "1024-256x14.1x1": (8, 1024, 14, 256, 1, 1, 0, 1),
    "256-512x56.1x1s2": (8, 256, 56, 512, 1, 2, 0, 1),
    "64-128x56.3x3s2": (8, 64, 56, 128, 3, 2, 1, 1),
    "cifar.64x32.3x3": (32, 64, 32, 64, 3, 1, 1, 1),
    "cifar.512x4.3x3": (32, 512, 4, 512, 3, 1, 1, 1),
    "cifar.3-64x32.3x3": (32, 3, 32, 64, 3, 1, 1, 1),
    "unet.64x160.3x3": (4, 64, 160, 64, 3, 1, 1, 1),
    "lenet1": (64, 1, 32, 6, 5, 1, 0, 1),
    "lenet2": (64, 6, 14, 16, 5, 1, 0, 1),
    "mnist1": (100, 1, 28, 16, 5, 1, 2, 1),
    "mnist2": (100, 16, 14, 32, 5, 1, 2, 1),
    "depthwise.96x28.3x3": (8, 96, 28, 96, 3, 1, 1, 96),
    "grouped.128x28.3x3": (8, 128, 28, 128, 3, 1, 1, 4),
}


def operands(module, shape, last):
    n, c, size, o, k, stride, padding, groups = shape
    x = torch.randn(n, c, size, size, generator=torch.Generator().manual_seed(0))
    w = torch.randn(o, c // groups, k, k, generator=torch.Generator().manual_seed(1))
    x, w = (module.tensor(v.numpy()) for v in (x, w / (c * k * k) ** 0.5))
    if last:
        x, w = (v.to(memory_format=module.channels_last) for v in (x, w))
    return x, w, {"stride": stride, "padding": padding, "groups": groups}


def programs(module, shape, last):
    """The forward pass, and forward with the gradients that training needs."""
    x, w, options = operands(module, shape, last)
    conv2d = module.nn.functional.conv2d
    gx, gw = x.clone().requires_grad_(shape[1] > 3), w.clone().requires_grad_()
    g = module.ones_like(conv2d(x, w, **options))

    def everything():
        gx.grad = gw.grad = None
        conv2d(gx, gw, **options).backward(g)

    return {"fwd": lambda: conv2d(x, w, **options), "all": everything}


def milliseconds(call):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="")
    parser.add_argument("--last", action="store_true", help="channels last for Lampas too")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    lampas.set_num_threads(args.threads)
    print(
        f"{'':24} {'GFLOP':>6} {'torch':>9} {'last':>9} {'lampas':>9} {'ratio':>6} {'GFLOP/s':>8}"
    )
    for name, shape in SHAPES.items():
        if args.only not in name:
            continue
        peers = [
            programs(torch, shape, False),
            programs(torch, shape, True),
            programs(lampas, shape, args.last),
        ]
        n, c, size, o, k, stride, padding, groups = shape
        out = (size + 2 * padding - k) // stride + 1
        for what in ("fwd", "all"):
            calls = [peer[what] for peer in peers]
            for call in calls:
                call()
            times = [[] for _ in calls]
            for _ in range(args.rounds):
                for call, taken in zip(calls, times, strict=True):
                    taken.append(milliseconds(call))
            a, b, ours = map(statistics.median, times)
            work = 2e-9 * n * o * out**2 * (c // groups) * k * k
            work *= 1 if what == "fwd" else 2 + (c > 3)
            print(
                f"{name + '.' + what:24} {work:6.2f} {a:9.3f} {b:9.3f} {ours:9.3f}"
                f" {ours / min(a, b):6.2f} {work / ours * 1e3:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
