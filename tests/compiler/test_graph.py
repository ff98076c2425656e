"""Static graphs: their values are those of the same eager program, run after run."""

import importlib.util

import numpy as np
import pytest
import torch as pytorch

import lampas
from lampas import graph


def test_the_example_is_the_network_by_hand(root):
    spec = importlib.util.spec_from_file_location("static_graph", root / "examples/static_graph.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    pytorch.manual_seed(0)
    sizes = [(example.D_IN, example.H), (example.H, example.D_OUT)]
    w1, w2 = (pytorch.randn(*size) for size in sizes)
    x, y = pytorch.randn(example.N, example.D_IN), pytorch.randn(example.N, example.D_OUT)
    for loss in example.train(20):
        h = (x @ w1).clamp(min=0)
        expected = ((y - h @ w2) ** 2).sum()
        grad = 2 * (h @ w2 - y)
        grad_h = grad @ w2.T * (h > 0)
        w2 = w2 - 1e-6 * (h.T @ grad)
        w1 = w1 - 1e-6 * (x.T @ grad_h)
        assert loss == pytest.approx(expected.item(), rel=1e-3)


def test_runs_are_replayed():
    x = graph.placeholder(shape=(None, 3))
    w = graph.Variable(np.ones((3, 2), np.float32))
    y = (x @ w).relu().sum(0)
    session = graph.Session()
    for rows in (2, 2, 2, 5, 5):
        value = np.random.rand(rows, 3).astype(np.float32)
        result = session.run(y, {x: value})
        np.testing.assert_allclose(result.numpy(), (value @ np.ones((3, 2))).sum(0), rtol=1e-5)
    (program,) = session._programs.values()
    assert program.compilation.obstacle is None
    assert len(program.compilation.calls()) == 2  # one for each number of rows


def test_structures_operators_and_methods():
    a, b = graph.placeholder(lampas.float64), graph.placeholder(lampas.float64)
    nodes = {
        "sum": 1 + a, "quotient": [2 / a, a / b], "power": (a**2, 2**a), "item": a[1:], "neg": -abs(a),
        "joined": lampas.cat([a, b]), "transposed": a.T, "where": lampas.where(a > b, a, b),
        "relu": lampas.nn.functional.relu(a - b), "max": a.max(),
    }  # fmt: skip
    p, q = lampas.tensor([1.0, 4.0], dtype=lampas.float64), lampas.tensor([2.0, 3.0]).double()
    expected = {
        "sum": 1 + p, "quotient": [2 / p, p / q], "power": (p**2, 2**p), "item": p[1:], "neg": -p,
        "joined": lampas.cat([p, q]), "transposed": p, "where": lampas.tensor([2.0, 4.0]).double(),
        "relu": lampas.tensor([0.0, 1.0]).double(), "max": lampas.tensor(4.0).double(),
    }  # fmt: skip
    session = graph.Session()
    for _ in range(3):
        result = session.run(nodes, {a: p, b: [2.0, 3.0]})
        assert result.keys() == expected.keys() and type(result["power"]) is tuple
        for name, value in expected.items():
            pairs = (
                zip(result[name], value)
                if isinstance(value, (list, tuple))
                else [(result[name], value)]
            )
            assert all(lampas.equal(one, two) for one, two in pairs), name


def test_gradients_of_gradients_and_of_nodes():
    x = graph.placeholder()
    y = x**3
    (first,) = graph.gradients(y.sum(), [x])
    (second,) = graph.gradients(first.sum(), [x])
    (by_y,) = graph.gradients((y * y).sum(), [y])
    value = lampas.tensor([1.0, 2.0])
    for _ in range(3):
        got = graph.Session().run([first, second, by_y], {x: value})
        assert lampas.equal(got[0], 3 * value**2) and lampas.equal(got[1], 6 * value)
        assert lampas.equal(got[2], 2 * value**3)


def test_assignments_follow_all_reads():
    a, b = graph.Variable(1.0), graph.Variable(2.0)
    swap = [a.assign(b), b.assign(a), a + b]
    session = graph.Session()
    for expected in ((2, 1), (1, 2), (2, 1)):
        new_a, new_b, total = session.run(swap)
        assert (new_a.item(), new_b.item()) == expected == (a.value.item(), b.value.item())
        assert total.item() == 3


def test_misuse():
    x = graph.placeholder(shape=(None, 3), name="x")
    session = graph.Session()
    with pytest.raises(ValueError, match="You must feed a value for placeholder 'x'"):
        session.run(x + 1)
    with pytest.raises(ValueError, match=r"Cannot feed value of shape \(2, 2\) for 'x'"):
        session.run(x + 1, {x: lampas.ones(2, 2)})
    with pytest.raises(TypeError, match="not a node"):
        session.run(3)
    with pytest.raises(TypeError, match="no placeholder"):
        session.run(x, {x + 1: 2})
    with pytest.raises(TypeError, match="no value before it is run"):
        bool(x)
    with pytest.raises(TypeError, match="cannot be iterated"):
        list(x)
    with pytest.raises(AttributeError):
        x.no_such_method()
