"""Every pointwise row compiled: alone, in a chain, broadcast; bit for bit what it gives eagerly."""

import pytest

import lampas
from lampas import _core

ROWS = {row["name"]: row for row in _core._rows()}
RANGES = {
    "any": (-3, 3), "positive": (0.1, 4), "unit": (0.05, 0.95), "one": (-0.95, 0.95),
    "above_one": (1.05, 4), "nonzero": (0.3, 3), "small": (-2, 2), "bits": (0, 7),
}  # fmt: skip
NUMBERS = (1, 2, -3, 4)  # for parameters without a default


def callable_of(name):
    if name == "polygamma":  # the function takes the order first
        return lampas.Tensor.polygamma
    for space in (lampas, lampas.special, lampas.nn.functional, _core):
        if callable(getattr(space, name, None)):
            return getattr(space, name)
    return getattr(lampas.Tensor, name)


def operands(row, dtype, shapes, seed=0):
    low, high = RANGES[row["domain"]]
    lampas.manual_seed(seed)
    made = []
    for place in range(row["inputs"]):
        x = lampas.rand(shapes[place % len(shapes)]) * (high - low) + low
        condition = row["signature"].startswith("condition") and place == 0
        made.append(x > 0 if condition else x.to(dtype))
    words = [word.strip() for word in row["signature"].split(",")]
    required = [word for word in words if "=" not in word and word != "*"]
    return made, NUMBERS[: len(required) - row["inputs"]]


def same(a, b):
    return a.dtype == b.dtype and a.stride() == b.stride() and lampas.equal(
        a.nan_to_num() if a.is_floating_point() else a, b.nan_to_num() if b.is_floating_point() else b
    )  # fmt: skip


def check(function, *args):
    """Twice the eager result: when recorded and when replayed."""
    expected = function(*args)
    compiled = lampas.compile(function)
    compilation = compiled._lampas_compilation
    assert same(compiled(*args), expected)
    assert compilation.obstacle is None, compilation.obstacle
    assert same(compiled(*args), expected)
    assert len(compilation.calls()) == 1
    return compilation.calls()[0]


@pytest.mark.parametrize("name", ROWS)
def test_row(name):
    row, call = ROWS[name], callable_of(name)
    dtypes = [lampas.float32, lampas.float64] if row["types"] & 1 else [lampas.int64]
    for dtype in dtypes:
        for shapes in ([(3, 50)], [(5000,)], [(3, 50), (50,)], [(3, 1), (3, 50)], [(3, 50), ()]):
            xs, numbers = operands(row, dtype, shapes)
            try:
                call(*xs, *numbers)
            except (RuntimeError, TypeError, NotImplementedError):
                continue  # of this dtype or broadcast: refused eagerly too
            check(lambda *xs: call(*xs, *numbers), *xs)


@pytest.mark.parametrize("name", [n for n in ROWS if ROWS[n]["types"] & 1])
def test_row_in_a_chain(name):
    row, call = ROWS[name], callable_of(name)
    for dtype in (lampas.float32, lampas.float64):
        xs, numbers = operands(row, dtype, [(7, 700)])

        def chain(*xs):
            ys = [x if x.dtype == lampas.bool else x * 1 + 0 for x in xs]
            y = call(*ys, *numbers)
            z = lampas.where(y, 1.5, 2.5) if y.dtype == lampas.bool else y * 0.5
            return z + xs[-1] - z

        check(chain, *xs)


CHAINS = {
    "the benchmark's": lambda x, row, column: lampas.tanh(x * 2 + 1) * x,
    "a row and a column": lambda x, row, column: ((x + row) * column - row / column).relu() ** 2,
    "a number on the left": lambda x, row, column: 1 - (2 / (3 + x * x)) + x.mean() * x,
    "comparisons": lambda x, row, column: lampas.where((x > row) & (x < 1), x.exp(), column * x),
    "two results": lambda x, row, column: (x * 2).add(1).mul(x).sum(0) + (x * 2).sum(0),
    "long": lambda x, row, column: longer(x, 80),
    "shapes alternate": lambda x, row, column: (x.sin() * 2).sum(1) * 3 + (row.exp() + 1).sum(),
}


def longer(x, count):
    y = x
    for i in range(count):
        y = (y * 0.99 + i * 1e-3).tanh() if i % 3 else y - x * 0.5
    return y


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (33, 1000), (200, 1021)])
def test_chain(name, size):
    lampas.manual_seed(0)
    x, row, column = lampas.randn(size), lampas.randn(size[1]), lampas.rand(size[0], 1) + 0.5
    check(CHAINS[name], x, row, column)


def test_a_chain_is_one_pass():
    assert check(CHAINS["the benchmark's"], lampas.randn(10000), None, None) == ["mul+add+tanh+mul"]


def test_chains_do_not_depend_on_threads():
    x, before = lampas.randn(300000), lampas.get_num_threads()
    chain = lampas.compile(lambda x: lampas.tanh(x * 2 + 1) * x)
    results = []
    try:
        for threads in (1, 2, 3):
            lampas.set_num_threads(threads)
            results += [chain(x), chain(x)]
    finally:
        lampas.set_num_threads(before)
    assert all(lampas.equal(each, results[0]) for each in results)
