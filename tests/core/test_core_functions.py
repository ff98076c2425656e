"""Core functions as objects, tensors of very many dimensions, and texts of refusals."""

import copy
import pickle

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from agreement import agree

import lampas

OBJECTS = [
    lampas.relu, lampas.neg, lampas.add, lampas.Tensor.add, lampas.Tensor.add_, lampas.nn.functional.linear,
    lampas.nn.functional.conv2d,
]  # fmt: skip


@pytest.mark.parametrize("function", OBJECTS, ids=repr)
def test_pickled_and_copied_by_name(function):
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.deepcopy(function) is function and copy.copy(function) is function


@pytest.mark.parametrize(
    "call",
    [
        "x + x", "x.sum(0)", "x.amax(-1)", "x.amin(64)", "x.aminmax(dim=0)", "x.clone()", "x[0]", "x.mean(0)",
        "x.view(-1)", "x.permute(*range(64, -1, -1)).contiguous()", "x.unsqueeze(0)", "x.argmax(0)",
        "x.std(0)", "x.flip(0)", "x.sum((0, 1))", "x.transpose(0, 1)", "x.sort(0)",
    ],
)  # fmt: skip
def test_more_than_64_dimensions(call):
    agree(lambda t: eval(call, {"x": t.ones((1,) * 65)}))


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("rank", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("batch", [(), (1,)])
def test_convolution_names_the_weight(n, rank, batch):
    def run(t):
        x, w = t.ones(*batch, 1, *(4,) * n), t.ones((1,) * rank)
        return getattr(t.nn.functional, f"conv{n}d")(x, w, padding="same")

    agree(run)


@pytest.mark.parametrize(
    "call",
    [
        "t.relu()",
        "t.tensor([1.0]) + 'a'",
        "t.tensor([1.0]) @ 'a'",
        "t.tensor([1.0]) < 'a'",
        "'a' + t.tensor([1.0])",
        "t.empty(0).set_(t.ones(2, dtype=t.int64))",
        "t.multinomial(t.zeros(2**24 + 1), 3)",
    ],
)
def test_texts(call):
    agree(lambda t: eval(call, {"t": t}))


def test_moments_of_nothing_require_grad():
    def run(t):
        x, w = t.ones(0, 2, requires_grad=True), t.ones(2, requires_grad=True)
        return [y.requires_grad for y in t.native_group_norm(x, w, w, 0, 2, 1, 1, 1e-5)]

    agree(run)


def test_gradient_of_complex_logcumsumexp():
    def run(t):
        x = t.tensor([-120.0 + 2j, 3 - 1j, -200 + 0j, 90 + 3j], requires_grad=True)
        y = x.logcumsumexp(0)
        y.backward(t.tensor([1 + 1j, -1.0, 2j, 0.5]))
        return y, x.grad

    agree(run)
