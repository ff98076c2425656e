"""Recurrent networks and attention against PyTorch: states, directions, layers, packed sequences, cells."""

import pytest
import torch
from agreeing import assert_agree

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def _parameters(kind, inputs, hidden, layers, directions, bias, projection=0):
    torch.manual_seed(1)
    params = []
    out = projection or hidden
    for layer in range(layers):
        for _ in range(directions):
            width = inputs if layer == 0 else out * directions
            shapes = [(GATES[kind] * hidden, width), (GATES[kind] * hidden, out)]
            shapes += [(GATES[kind] * hidden,)] * 2 if bias else []
            shapes += [(projection, hidden)] if projection else []
            params += [
                (torch.randn(*s, dtype=torch.float64) * 0.4).requires_grad_() for s in shapes
            ]
    return params


def _states(kind, layers, directions, batch, hidden, projection):
    first = torch.randn(
        layers * directions, batch, projection or hidden, dtype=torch.float64, requires_grad=True
    )
    if kind != "lstm":
        return [first]
    return [
        first,
        torch.randn(layers * directions, batch, hidden, dtype=torch.float64, requires_grad=True),
    ]


CASES = [
    (layers, directions, bias, projection)
    for layers in (1, 2)
    for directions in (1, 2)
    for bias, projection in ((True, 0), (False, 0), (True, 2))
]


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("layers, directions, bias, projection", CASES)
@pytest.mark.parametrize("packed", [False, True])
def test_networks(kind, layers, directions, bias, projection, packed):
    if projection and kind != "lstm":
        pytest.skip("only an LSTM has projections")
    params = _parameters(kind, 3, 5, layers, directions, bias, projection)
    states = _states(kind, layers, directions, 4, 5, projection)
    sizes = torch.tensor([4, 3, 3, 1])
    x = torch.randn(*((11, 3) if packed else (6, 4, 3)), dtype=torch.float64, requires_grad=True)

    def run(module, x, *rest):
        state = list(rest[: len(states)]) if kind == "lstm" else rest[0]
        call = getattr(module, kind)
        weights = list(rest[len(states) :])
        options = (bias, layers, 0.0, True, directions == 2)
        if packed:
            return call(x, module.tensor(sizes.tolist()), state, weights, *options)
        return call(x, state, weights, *options, False)

    # PyTorch's own networks have no second derivative under every build: the first is compared.
    assert_agree(run, x, *states, *params, second=False, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("kind", GATES)
def test_cells(kind):
    weights = _parameters(kind, 3, 5, 1, 1, True)
    states = [s[0].detach().requires_grad_() for s in _states(kind, 1, 1, 4, 5, 0)]
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)

    def run(module, x, *rest):
        state = list(rest[: len(states)]) if kind == "lstm" else rest[0]
        return getattr(module, kind + "_cell")(x, state, *rest[len(states) :])

    assert_agree(run, x, *states, *weights, rtol=1e-8, atol=1e-9)


ATTENTION = [
    {},
    {"is_causal": True},
    {"scale": 0.3},
    {"attn_mask": "float"},
    {"attn_mask": "bool"},
]


@pytest.mark.parametrize("options", ATTENTION)
def test_attention(options):
    torch.manual_seed(2)
    q, k, v = (torch.randn(2, 4, n, 8, dtype=torch.float64, requires_grad=True) for n in (5, 6, 6))
    mask = torch.randn(5, 6, dtype=torch.float64)

    def run(module, q, k, v, mask):
        given = dict(options)
        if "attn_mask" in given:
            given["attn_mask"] = mask if given["attn_mask"] == "float" else mask > 0
        place = module.nn.functional if module is torch else module._core
        return place.scaled_dot_product_attention(q, k, v, **given)

    assert_agree(run, q, k, v, mask, rtol=1e-8, atol=1e-9, second=False)


def test_attention_shares_heads():
    torch.manual_seed(2)
    q = torch.randn(2, 4, 5, 8, dtype=torch.float64, requires_grad=True)
    k, v = (torch.randn(2, 2, 6, 8, dtype=torch.float64, requires_grad=True) for _ in range(2))

    def run(module, q, k, v):
        place = module.nn.functional if module is torch else module._core
        return place.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    assert_agree(run, q, k, v, rtol=1e-8, atol=1e-9, second=False)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_gradients_of_gradients(kind, bidirectional):
    import lampas

    results = []
    for module in (lampas, torch):
        module.manual_seed(0)
        net = getattr(module.nn, kind)(3, 4, 2, bidirectional=bidirectional).double()
        x = module.randn(5, 2, 3, dtype=module.float64, requires_grad=True)
        y, state = net(x)
        last = state[1] if kind == "LSTM" else state
        wanted = [x, *net.parameters()]
        first = module.autograd.grad((y * y).sum() + last.sin().sum(), wanted, create_graph=True)
        second = module.autograd.grad(sum((g * g).sum() for g in first), wanted)
        results.append([t.detach().numpy() for t in (*first, *second)])
    for got, want in zip(*results, strict=True):
        assert abs(got - want).max() <= 1e-10 * max(1, abs(want).max())
