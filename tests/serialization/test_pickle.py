"""Plain `pickle` and `copy` of tensors, parameters, modules and the small types."""

import copy
import pickle
from pathlib import Path

import pytest
from checkpoints import FULL, SAFE, plain

import lampas

EXAMPLES = {**SAFE, **FULL}
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@pytest.mark.parametrize("name", EXAMPLES)
def test_pickle_and_deepcopy(name):
    value = EXAMPLES[name](lampas)
    for protocol in PROTOCOLS if name in ("views", "dtypes", "module") else (2, 5):
        assert plain(pickle.loads(pickle.dumps(value, protocol))) == plain(value)
    if name != "parameter with attributes":  # a copy of a parameter has none, as in PyTorch
        assert plain(copy.deepcopy(value)) == plain(value)


# Those that are trained first differ by rounding.
TRAINED = {"state dict", "AdamW", "training run"}


@pytest.mark.parametrize("name", [*(name for name in SAFE if name not in TRAINED), "generator"])
def test_deepcopy_as_pytorch(name, torch):
    assert plain(copy.deepcopy(EXAMPLES[name](lampas))) == plain(
        copy.deepcopy(EXAMPLES[name](torch))
    )


def test_small_types():
    for value in (
        lampas.float32, lampas.bfloat16, lampas.device("cpu"), lampas.device("cuda:1"),
        lampas.Size([2, 3]), lampas.strided, lampas.channels_last, lampas.FloatStorage,
    ):  # fmt: skip
        for protocol in PROTOCOLS:
            again = pickle.loads(pickle.dumps(value, protocol))
            assert again == value and type(again) is type(value)
        assert copy.deepcopy(value) == value and copy.copy(value) == value
    assert pickle.loads(pickle.dumps(lampas.float32)) is lampas.float32


def test_without_pytorch(tmp_path, python):
    """A pickle of ours names nothing of PyTorch; checkpoints name nothing of Lampas."""
    path = tmp_path / "a.pickle"
    value = [EXAMPLES[name](lampas) for name in EXAMPLES]
    path.write_bytes(pickle.dumps(value))
    source = (
        "import sys, pickle\nsys.modules['torch'] = None\n"
        f"value = pickle.load(open({str(path)!r}, 'rb'))\nprint(len(value))"
    )
    env = {"PYTHONPATH": str(Path(lampas.__file__).parent.parent)}
    assert python(source, env=env).strip() == str(len(EXAMPLES))
    lampas.save(value, path)
    assert b"lampas" not in path.read_bytes()


def test_a_view_pickles_what_it_shows():
    large = lampas.zeros(100_000)
    assert len(pickle.dumps(large[:2])) < 1000
    column = lampas.arange(6.0).reshape(2, 3)[:, 1]
    again = pickle.loads(pickle.dumps(column))
    assert again.tolist() == [1, 4] and again.stride() == (3,)


def test_views_stay_views_of_the_copy():
    a = lampas.arange(6.0).reshape(2, 3)
    first, second = copy.deepcopy([a, a[1]])
    first.fill_(9)
    assert second.tolist() == [9, 9, 9] and a[0, 1].item() == 1
    one, two = copy.deepcopy([lampas.empty(0), lampas.empty(0)])
    one.resize_(2).fill_(1)
    assert two.numel() == 0


def test_not_leaves(torch):
    for t in (lampas, torch):
        x = t.ones(2, requires_grad=True) * 2
        with pytest.raises(RuntimeError, match="graph leaves"):
            copy.deepcopy(x)
    with pytest.raises(RuntimeError, match="graph leaves"):
        pickle.dumps(lampas.ones(2, requires_grad=True) * 2)


class Special(lampas.Tensor):
    pass


def test_subclasses_and_attributes():
    x = lampas.ones(2).as_subclass(Special)
    x.note = [1]
    for again in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x)):
        assert type(again) is Special and again.note == [1] and again.tolist() == [1, 1]


def test_gradients_and_hooks():
    x = lampas.ones(2, requires_grad=True)
    x.register_hook(lambda g: g)
    x.sum().backward()
    assert copy.deepcopy(x).grad.tolist() == [1, 1]
    assert pickle.loads(pickle.dumps(x)).grad is None  # as in PyTorch


def test_generators_continue():
    generator = lampas.Generator().manual_seed(3)
    lampas.rand(5, generator=generator)
    copies = [pickle.loads(pickle.dumps(generator)), copy.deepcopy(generator)]
    expected = lampas.rand(4, generator=generator).tolist()
    for each in copies:
        assert each.initial_seed() == 3
        assert lampas.rand(4, generator=each).tolist() == expected
