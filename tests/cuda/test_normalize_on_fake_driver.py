"""Normalisation on the fake driver: rows short and long, channels and groups in both memory formats,
running statistics, gradients of inputs and parameters."""

import os

import pytest
from both_devices import BOTH

FULL = os.environ.get("LAMPAS_TEST_FULL") == "1"
DTYPES = ["float32"] if not FULL else ["float32", "float64", "float16", "bfloat16"]
HEAD = """
F = torch.nn.functional
torch.manual_seed(0)
NEAR.update({torch.float32: 1e-4, torch.float64: 1e-10, torch.float16: 5e-3, torch.bfloat16: 4e-2})
"""


@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"] if not FULL else DTYPES)
def test_rows(run, dtype):
    run(
        BOTH
        + HEAD
        + f"""
dtype = torch.{dtype}
for shape, n in (((5, 7), 1), ((70, 13), 1), ((2, 3, 5, 4), 2), ((4, 1030), 1), ((3, 34_000), 1), ((0, 5), 1),
                 ((1,), 1), ((300, 24), 1), ((40, 600), 1)):
    x, w, b = draw(shape, dtype) + 3, draw(shape[-n:], dtype), draw(shape[-n:], dtype)
    last = shape[-n:]
    both(lambda x, w, b: F.layer_norm(x, last, w, b), x, w, b, grad=True)
    both(lambda x: F.layer_norm(x, last), x, grad=True)
    both(lambda w, b: F.layer_norm(x.to(w.device), last, w, b), w, b, grad=True)
    both(lambda x, w: F.rms_norm(x, last, w), x, w, grad=True)
    both(lambda x: F.rms_norm(x, last, eps=1e-3), x)
if dtype in (torch.float16, torch.bfloat16):  # parameters in float
    x, w, b = draw((6, 40), dtype), draw((40,)), draw((40,))
    both(lambda x, w, b: F.layer_norm(x, (40,), w, b), x, w, b, grad=True)
both(lambda x: torch.native_layer_norm(x, (40,), None, None, 1e-5), draw((6, 40), dtype))
both(lambda x: F.layer_norm(x.transpose(0, 1), (6,)), draw((6, 40), dtype), grad=True)
"""
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_channels(run, dtype):
    run(
        BOTH
        + HEAD
        + f"""
dtype = torch.{dtype}
class Norm:
    def __init__(self, training, parameters, c):
        self.training, self.parameters, self.c = training, parameters, c
    def __call__(self, x, w, b):
        mean, var = (torch.linspace(a, 2, self.c).to(dtype).to(x.device) for a in (0, 1))
        y = F.batch_norm(x, mean, var, w if self.parameters else None, b if self.parameters else None,
                         self.training, 0.2)
        return (y, mean, var) if self.parameters else (y + 0 * w.sum() + 0 * b.sum(), mean, var)
for shape in ((4, 3, 5, 7), (6, 5), (2, 40, 9), (3, 8, 2, 2), (70, 33), (2, 3, 40, 50)):
    x, w, b = draw(shape, dtype) + 2, draw(shape[1:2], dtype), draw(shape[1:2], dtype)
    for training in (True, False):
        for parameters in (True, False):
            f = Norm(training, parameters, shape[1])
            both(f, x, w, b)
            both(f, x, w, b, grad=True)
            if len(shape) == 4:
                last = x.contiguous(memory_format=torch.channels_last)
                both(f, last, w, b)
                both(lambda x, w, b: f(x.contiguous(memory_format=torch.channels_last), w, b), x, w, b, grad=True)
both(lambda x: F.batch_norm(x, None, None, training=True), draw((5, 3), dtype), grad=True)
both(lambda x: F.instance_norm(x), draw((2, 3, 4, 5), dtype), grad=True)
"""
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_groups(run, dtype):
    run(
        BOTH
        + HEAD
        + f"""
dtype = torch.{dtype}
for shape, groups in (((3, 6, 5), 2), ((2, 8, 3, 7), 4), ((2, 8, 3, 7), 8), ((2, 8, 3, 7), 1), ((4, 6), 3),
                      ((2, 40, 5, 5), 4)):
    x, w, b = draw(shape, dtype) + 2, draw(shape[1:2], dtype), draw(shape[1:2], dtype)
    both(lambda x, w, b: F.group_norm(x, groups, w, b), x, w, b, grad=True)
    both(lambda x: F.group_norm(x, groups), x, grad=True)
    if len(shape) == 4:
        both(lambda x, w, b: F.group_norm(x.contiguous(memory_format=torch.channels_last), groups, w, b),
             x, w, b, grad=True)
"""
    )


def test_second_derivatives(run):
    run(
        BOTH
        + HEAD
        + """
def twice(f):
    def g(x):
        y = f(x)
        (dx,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)
        return dx
    return g
both(twice(lambda x: F.layer_norm(x, (6,))), draw((4, 6)), grad=True)
both(twice(lambda x: F.batch_norm(x, None, None, training=True)), draw((4, 6)), grad=True)
both(twice(lambda x: F.softmax(x, 1)), draw((4, 6)), grad=True)
"""
    )
