"""Short ways past the general loop nests: gradients of rows without a plan, fills and copies of
runs. The same calls are made so that some take them and some (strided, broadcast, of another type,
too long) do not; all agree with PyTorch."""

import pytest
import torch

import lampas

LIBRARIES = (lampas, torch)

ROWS = {
    "mul": lambda t, a, b: a * b,
    "div": lambda t, a, b: a / b,
    "exp": lambda t, a, b: a.exp(),
    "scaled": lambda t, a, b: a * 2.5,
    "where": lambda t, a, b: t.where(a > b, a, b),
    "maximum": lambda t, a, b: t.maximum(a, b),
    "gelu": lambda t, a, b: t.nn.functional.gelu(a),
    "square": lambda t, a, b: a**2,
}
DTYPES = ("float32", "float64", "bfloat16", "complex64")
ORDERED = ("where", "maximum", "gelu")


def values(t, count, dtype, shift=0.0):
    x = (t.arange(count, dtype=t.float64) * 0.731 + shift) % 3 + 0.3
    x = x.to(getattr(t, dtype))
    return x * (1 + 0.5j) if dtype.startswith("complex") else x


def layouts(t, x, layout):
    """`x` (n,) or what it becomes: a matrix, strided, broadcast, one value."""
    n = x.numel()
    return {
        "plain": lambda: x,
        "matrix": lambda: x.view(1, n),
        "strided": lambda: t.stack([x, x], 1)[:, 0],
        "column": lambda: x[:1].expand(n),
        "scalar": lambda: x[0],
    }[layout]()


@pytest.mark.parametrize(
    ("row", "dtype"),
    [(r, d) for r in ROWS for d in DTYPES if not (d == "complex64" and r in ORDERED)],
)
@pytest.mark.parametrize("layout", ["plain", "matrix", "strided", "column", "scalar"])
@pytest.mark.parametrize("count", [1, 4, 128, 129, 1000])
def test_gradients_of_rows(row, dtype, layout, count):
    results = []
    for t in LIBRARIES:
        a = values(t, count, dtype).requires_grad_()
        b = layouts(t, values(t, count, dtype, 0.4), layout).detach().requires_grad_()
        y = ROWS[row](t, a, b)
        (y * 1).sum().abs().backward()  # the sum hands back one value, expanded
        results.append([x.grad.to(t.complex128) for x in (a, b) if x.grad is not None])
    tolerance = 2e-2 if dtype == "bfloat16" else 2e-5
    assert len(results[0]) == len(results[1])
    for ours, theirs in zip(*results):
        torch.testing.assert_close(
            torch.from_numpy(ours.numpy()), theirs, rtol=tolerance, atol=tolerance
        )


def test_the_retained_graph_gives_the_same_twice():
    a = values(lampas, 7, "float32").requires_grad_()
    y = (a * a.exp()).sum()
    y.backward(retain_graph=True)
    first, a.grad = a.grad, None
    y.backward()
    assert lampas.equal(first, a.grad)
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("kind", ["plain", "strided", "mixed", "recorded", "empty", "scalars"])
def test_stack_and_cat(kind, dim):
    if kind == "scalars" and dim == 1:
        pytest.skip("stacked scalars have one dimension")
    results = []
    for t in LIBRARIES:
        xs = [t.arange(6.0).view(1, 6) + i for i in range(5)]
        if kind == "strided":
            xs = [t.arange(12.0).view(6, 2).t()[i % 2 : i % 2 + 1] for i in range(5)]
        elif kind == "mixed":
            xs[2] = xs[2].to(t.float64)
            xs[3] = xs[3].to(t.int32)
        elif kind == "recorded":
            xs = [x.requires_grad_() for x in xs]
        elif kind == "empty":
            xs = [x[:, :0] for x in xs]
        elif kind == "scalars":
            xs = [x.sum() for x in xs]
        made = [t.stack(xs, dim)] + ([] if kind == "scalars" else [t.cat(xs, dim)])
        if kind == "recorded":
            sum((y * t.arange(30.0).view(y.shape)).sum() for y in made).backward()
            made += [x.grad for x in xs]
        results.append([(str(y.dtype)[-7:], tuple(y.shape), y.stride(), y.tolist()) for y in made])
    assert results[0] == results[1]


@pytest.mark.parametrize("count", [0, 1, 3, 4096, 70_001, (16 << 20) // 4 + 11])
def test_fills_leave_their_neighbours(count):
    memory = lampas.arange(count + 8, dtype=lampas.float32)
    memory[5 : 5 + count].fill_(-2.5)
    assert (memory[5 : 5 + count] == -2.5).all()
    assert memory[:5].tolist() == [0, 1, 2, 3, 4]
    assert memory[5 + count :].tolist() == [count + 5, count + 6, count + 7]
    assert not lampas.zeros(count).any()


@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "int64", "complex128"])
def test_large_fills_of_every_width(dtype):
    kind = getattr(lampas, dtype)
    count = (17 << 20) // lampas.empty(0, dtype=kind).element_size() + 3
    x = lampas.full((count,), 1, dtype=kind)
    assert (x == 1).all()
    assert (x.clone() == x).all()


def test_dead_tensors_do_not_come_back():
    """Blocks of tensors, storages and nodes are used again: nothing of the last owner is left."""
    for _ in range(3):
        made = [lampas.ones(2, requires_grad=i % 2 == 0) * i for i in range(2000)]
        for i, x in enumerate(made):
            assert x.requires_grad == (i % 2 == 0) and x.tolist() == [i, i]
            assert x._version == 0 and x.grad is None if x.is_leaf else x.grad_fn is not None
        del made, x


@pytest.mark.parametrize("weighted", [False, True])
def test_a_row_of_one_element_has_no_gradient(weighted):
    """What a row has in common is taken off its gradient: nothing is left, to the last bit."""
    x = values(lampas, 500, "float32").view(500, 1).requires_grad_()
    weight = lampas.tensor([0.7321]) if weighted else None
    y = lampas.nn.functional.layer_norm(x, (1,), weight)
    y.backward(values(lampas, 500, "float32", 0.2).view(500, 1))
    assert not x.grad.any()
