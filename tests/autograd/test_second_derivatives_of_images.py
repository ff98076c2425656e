"""Derivatives of the gradients of padding and of sampling on grids."""

import itertools

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from agreement import agree

import lampas


def numbers(t, *shape):
    generator = t.Generator().manual_seed(7)
    return t.rand(shape, generator=generator, dtype=t.float64)


GRIDS = itertools.product(
    ["bilinear", "nearest", "bicubic"], ["zeros", "border", "reflection"], [2, 3], [False, True]
)


@pytest.mark.parametrize("mode,padding,spatial,align", GRIDS)
def test_grid_sample(mode, padding, spatial, align):
    def run(t):
        x = numbers(t, 2, 2, 4, 5, 3)[:, :, : 3 if spatial == 3 else 1]
        x = (x if spatial == 3 else x[:, :, 0]).contiguous().requires_grad_()
        grid = (numbers(t, 2, *(3,) * spatial, spatial) * 2.6 - 1.3).requires_grad_()
        y = t.nn.functional.grid_sample(x, grid, mode, padding, align)
        g = (numbers(t, *y.shape) - 0.5).requires_grad_()
        firsts = t.autograd.grad(y, (x, grid), g, create_graph=True)
        weights = [numbers(t, *first.shape) - 0.3 for first in firsts]
        return t.autograd.grad(firsts, (x, grid, g), weights, allow_unused=True), firsts[
            0
        ].grad_fn.name()

    agree(run, rtol=1e-9, atol=1e-9)


def test_third_derivative_is_refused():
    x = numbers(lampas, 1, 1, 3, 3).requires_grad_()
    grid = (numbers(lampas, 1, 2, 2, 2) - 0.5).requires_grad_()
    y = lampas.grid_sampler(x, grid, 0, 0, True)
    (first,) = lampas.autograd.grad(y.sum(), x, create_graph=True)
    (second,) = lampas.autograd.grad((first**2).sum(), grid, create_graph=True)
    with pytest.raises(RuntimeError, match="grid_sampler_2d_backward_backward is not implemented"):
        lampas.autograd.grad(second.sum(), grid)


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@pytest.mark.parametrize("pad", [(1, 2), (2, 1, 0, 1), (1, 1, -1, 2, 0, 1), (0, 0), (-1, 1)])
def test_pad(mode, pad):
    def run(t):
        dims = len(pad) // 2
        x = numbers(t, 2, *range(3, 3 + dims)).requires_grad_()
        y = t.nn.functional.pad(x, pad, mode)
        (first,) = t.autograd.grad((y**2).sum(), x, create_graph=True)
        (second,) = t.autograd.grad((first**2).sum(), x)
        (plain,) = t.autograd.grad(t.nn.functional.pad(x, pad, mode).sum(), x, create_graph=True)
        return y, first, second, plain.requires_grad, y.grad_fn.name()

    agree(run, rtol=1e-9, atol=1e-9)
