"""Results too large for a cache take another way to memory (core/cpu/streaming.h): the same values
as those of small pieces, bit for bit, whatever their alignment, rest and number of threads."""

import pytest
import torch

import lampas

MANY = (1 << 22) + 1237  # floats: above the size from which results are streamed
ROWS, COLUMNS = 1031, 4099

POINTWISE = {
    "add": lambda t, a, b: a + b,
    "exp": lambda t, a, b: t.exp(a),
    "gelu": lambda t, a, b: t.nn.functional.gelu(a),
    "relu": lambda t, a, b: t.relu(a),
    "where": lambda t, a, b: t.where(a > 0, a, b),
    "scaled": lambda t, a, b: a * 3 + 1,
    "clone": lambda t, a, b: a.clone(),
}
LINES = {
    "softmax": lambda t, x: t.softmax(x, -1),
    "log_softmax": lambda t, x: t.log_softmax(x, -1),
    "layer_norm": lambda t, x: t.nn.functional.layer_norm(x, x.shape[-1:]),
    "rms_norm": lambda t, x: t.nn.functional.rms_norm(x, x.shape[-1:]),
}


def same_bits(a, b):
    return bool((a.view(lampas.int32) == b.view(lampas.int32)).all())


def numbers(count, start=0):
    """Values of both signs with infinities and NaN among them, `start` elements into memory."""
    x = lampas.linspace(-9, 9, count + start)[start:]
    x[7], x[count // 2], x[count - 3] = float("inf"), float("nan"), float("-inf")
    return x


@pytest.fixture(params=[1, 2])
def threads(request):
    before = lampas.get_num_threads()
    lampas.set_num_threads(request.param)
    yield request.param
    lampas.set_num_threads(before)


@pytest.mark.parametrize("name", POINTWISE)
@pytest.mark.parametrize("start", [0, 1, 5])
def test_pointwise_results_are_those_of_pieces(name, start, threads):
    f, a, b = POINTWISE[name], numbers(MANY, start), numbers(MANY).flip(0)
    whole = f(lampas, a, b)
    step = MANY // 7 + 1
    for i in range(0, MANY, step):
        assert same_bits(whole[i : i + step], f(lampas, a[i : i + step], b[i : i + step]))


def test_pointwise_into_a_view_leaves_its_neighbours(threads):
    memory = lampas.full((MANY + 40,), 5.0)
    a = numbers(MANY)
    lampas.add(a, 1, out=memory[3 : 3 + MANY])
    assert same_bits(memory[3 : 3 + MANY], a + 1)
    assert (memory[:3] == 5).all() and (memory[3 + MANY :] == 5).all()


def test_strided_operands(threads):
    x = lampas.linspace(-2, 2, 2 * ROWS * COLUMNS).view(COLUMNS, 2 * ROWS)[:, ::2]
    y = x.exp() + x
    piece = x[100:101].contiguous()
    assert same_bits(y[100:101].contiguous(), piece.exp() + piece)
    z = x.t() * lampas.ones(ROWS, COLUMNS)
    assert same_bits(z[17].contiguous(), x[:, 17].contiguous())


@pytest.mark.parametrize("name", LINES)
def test_rows_are_those_of_single_rows(name, threads):
    f, x = LINES[name], numbers(ROWS * COLUMNS).view(ROWS, COLUMNS)
    whole = f(lampas, x)
    for i in (0, 1, ROWS // 2, ROWS - 1):
        assert same_bits(whole[i], f(lampas, x[i : i + 1])[0])


@pytest.mark.parametrize("name", LINES)
def test_gradients_of_rows_agree_with_torch(name, threads):
    results = []
    for t in (lampas, torch):
        x = (t.arange(ROWS * COLUMNS, dtype=t.float32) % 1009 / 200 - 2.5).view(ROWS, COLUMNS)
        g = (t.arange(ROWS * COLUMNS, dtype=t.float32) % 613 / 300 - 1).view(ROWS, COLUMNS)
        x.requires_grad_()
        y = LINES[name](t, x)
        y.backward(g)
        results.append((y.detach().numpy(), x.grad.numpy()))
    for ours, theirs in zip(*results):
        assert abs(ours - theirs).max() <= 2e-6 * max(1, abs(theirs).max())


@pytest.mark.parametrize("count", [1, 5, 16, 63, 64, 65, 130, 1027])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("special", ["none", "-inf", "all -inf", "inf", "nan", "far"])
def test_lines_of_any_length(count, dtype, special):
    results = []
    for t in (lampas, torch):
        x = (
            (t.arange(3 * count, dtype=t.float64) * 0.37 % 5 - 2)
            .view(3, count)
            .to(getattr(t, dtype))
        )
        if special == "far":
            x[1, 0] = 3e4
        elif special == "all -inf":
            x[1] = float("-inf")
        elif special != "none":
            x[1, count // 2] = float(special)
        results.append(
            [f(t, x).to(t.float64).numpy() for f in (LINES["softmax"], LINES["log_softmax"])]
        )
    tolerance = {"float32": 2e-6, "float64": 1e-13, "bfloat16": 2e-2}[dtype]
    for ours, theirs in zip(*results):
        torch.testing.assert_close(
            torch.from_numpy(ours),
            torch.from_numpy(theirs),
            rtol=tolerance,
            atol=tolerance,
            equal_nan=True,
        )
