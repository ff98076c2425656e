"""Modules survive copying and pickling, and exchange their state with PyTorch."""

import copy
import pickle

import numpy
import pytest

import lampas

torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
import lampas.nn as nn  # noqa: E402

BUILD = [
    "nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.2))",
    "nn.LSTM(3, 4, 2, bidirectional=True)",
    "nn.TransformerEncoderLayer(4, 2, 8)",
    "nn.ModuleDict({'a': nn.Conv2d(1, 2, 3), 'b': nn.ParameterList([nn.Parameter()])})",
    "nn.Embedding(5, 3, padding_idx=0)",
    "nn.Bilinear(2, 3, 4)",
]


def assert_same_state(one, other):
    assert list(one) == list(other)
    for key in one:
        numpy.testing.assert_allclose(one[key].numpy(), other[key].numpy(), rtol=1e-6)


@pytest.mark.parametrize("source", BUILD)
def test_same_initial_state(source):
    torch.manual_seed(3)
    expected = eval(source, {"nn": torch.nn})
    lampas.manual_seed(3)
    found = eval(source, {"nn": nn})
    assert_same_state(found.state_dict(), expected.state_dict())
    assert repr(found) == repr(expected)


@pytest.mark.parametrize("source", BUILD)
def test_copies(source):
    module = eval(source, {"nn": nn})
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert repr(other) == repr(module)
        assert_same_state(other.state_dict(), module.state_dict())
        for one, two in zip(module.parameters(), other.parameters()):
            assert one is not two
            assert one.requires_grad == two.requires_grad


def test_hooks_written_into_the_table_are_called():
    module = nn.Linear(2, 2)
    calls = []
    module._forward_hooks[-1] = lambda *args: calls.append(len(args))
    module(lampas.ones(1, 2))
    copied = copy.deepcopy(nn.Linear(2, 2))
    copied._forward_pre_hooks[-1] = lambda *args: calls.append(len(args))
    copied(lampas.ones(1, 2))
    assert calls == [3, 2]


def test_deepcopy_keeps_hooks_apart():
    module = nn.Linear(2, 2)
    calls = []
    handle = module.register_forward_hook(lambda *args: calls.append(1))
    copied = copy.deepcopy(module)
    handle.remove()
    module(lampas.ones(1, 2))
    copied(lampas.ones(1, 2))
    assert calls == [1]


@pytest.mark.parametrize("transport", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_lazy_modules_learn_their_shapes_after_transport(transport):
    module = transport(nn.LazyLinear(3))
    for _ in range(2):
        assert module(lampas.ones(2, 5)).shape == (2, 3)
    assert type(module) is nn.Linear
    assert not module._forward_pre_hooks
