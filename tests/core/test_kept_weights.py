"""Packed weights that are kept from call to call: whoever writes the weights, the next result is theirs."""

import ctypes

import pytest

np = pytest.importorskip("numpy")

import lampas  # noqa: E402

F = lampas.nn.functional

# channels, outputs, kernel, stride: F(2x2, 3x3), products along rows, gathered products
CASES = [(64, 64, 3, 1), (32, 64, 5, 1), (64, 64, 3, 2)]


def exact(x, w, stride):
    return F.conv2d(x.double(), w.double(), None, stride, w.shape[-1] // 2)


def by_operator(w):
    w.mul_(-2)


def by_data(w):
    w.data[0, 0, 0, 0] += 3


def by_numpy(w):
    w.numpy()[5, 7, 1, 2] = 4


def by_address(w):
    ctypes.c_float.from_address(w.data_ptr() + 4 * (w.numel() - 1)).value = 9.0


def by_exchange(w):
    w.view(-1)[3], w.view(-1)[11] = w.view(-1)[11].clone(), w.view(-1)[3].clone()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_writer_is_seen(case):
    channels, outputs, kernel, stride = case
    lampas.manual_seed(0)
    x = lampas.randn(1, channels, 12, 12)
    w = lampas.randn(outputs, channels, kernel, kernel)
    for write in (None, by_operator, by_data, by_numpy, by_address, by_exchange):
        if write:
            write(w)
        expected = exact(x, w, stride)
        for _ in range(4):  # seen, looked at, kept, used
            y = F.conv2d(x, w, None, stride, kernel // 2)
            assert (y - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_memory_of_other_weights():
    """New weights where others lay, of the same shape."""
    x = lampas.randn(1, 64, 12, 12)
    for seed in range(8):
        w = lampas.randn(64, 64, 3, 3) + seed
        expected = exact(x, w, 1)
        for _ in range(4):
            y = F.conv2d(x, w, padding=1)
            assert (y - expected).abs().max() <= 1e-4 * expected.abs().max()
        del w


def test_shapes_and_settings_of_the_same_memory():
    memory = lampas.randn(64 * 64 * 9)
    for shape, groups in (((64, 64, 3, 3), 1), ((64, 32, 3, 3), 2), ((128, 32, 3, 3), 1)):
        w = memory[: shape[0] * shape[1] * 9].view(shape)
        x = lampas.randn(1, shape[1] * groups, 9, 9)
        for padding in (0, 1, 2):
            expected = F.conv2d(x.double(), w.double(), padding=padding, groups=groups)
            for _ in range(4):
                y = F.conv2d(x, w, padding=padding, groups=groups)
                assert (y - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_of_changing_weights(case):
    """As in training: every step changes them."""
    channels, outputs, kernel, stride = case
    x = lampas.randn(2, channels, 12, 12, requires_grad=True)
    w = lampas.randn(outputs, channels, kernel, kernel)
    for _ in range(9):
        y = F.conv2d(x, w, None, stride, kernel // 2)
        (found,) = lampas.autograd.grad(y.sum(), [x])
        twin = x.detach().double().requires_grad_()
        (expected,) = lampas.autograd.grad(exact(twin, w, stride).sum(), [twin])
        assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()
        w -= 0.1 * lampas.randn_like(w)
