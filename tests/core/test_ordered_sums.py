"""Sums, means and inner products of float32 add in PyTorch's order: equal to the last bit."""

import numpy
import pytest
import torch

import lampas

LENGTHS = [
    *range(1, 70),
    100,
    127,
    255,
    511,
    512,
    513,
    544,
    1000,
    1055,
    4096,
    8191,
    8225,
    20000,
    32767,
]


def numbers(*shape):
    return numpy.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


@pytest.mark.parametrize("name", ["sum", "mean"])
def test_of_a_line(name):
    for n in LENGTHS:
        x = numbers(n)
        mine, theirs = getattr(lampas.tensor(x), name)(), getattr(torch.tensor(x), name)()
        assert mine.item() == theirs.item(), n


def test_of_rows():
    for n in LENGTHS[40:]:
        x = numbers(3, n)
        assert lampas.tensor(x).sum(1).tolist() == torch.tensor(x).sum(1).tolist(), n


def test_of_products():
    for n in [n for n in LENGTHS if n < 5000]:
        a, b = numbers(n), numbers(n + 1)[:n].copy()
        mine = lampas.dot(lampas.tensor(a), lampas.tensor(b))
        assert mine.item() == torch.dot(torch.tensor(a), torch.tensor(b)).item(), n
