"""Mixed precision on the CPU, beside PyTorch: types, values, gradients, states."""

import warnings

import pytest
import torch
from agreement import agree
from expressions import cases

import lampas

CALLS = {
    "linear": lambda m, x: m.nn.functional.linear(x, x),
    "matmul": lambda m, x: x @ x.t(),
    "mm": lambda m, x: m.mm(x, x.t()),
    "bmm": lambda m, x: m.bmm(x[None], x.t()[None]),
    "addmm": lambda m, x: m.addmm(x @ x.t(), x, x.t()),
    "conv1d": lambda m, x: m.nn.functional.conv1d(x[None], x[:, :, None][:, :4]),
    "conv2d": lambda m, x: m.nn.functional.conv2d(x[None, None], m.ones(2, 1, 2, 2)),
    "attention": lambda m, x: m.nn.functional.scaled_dot_product_attention(
        x[None], x[None], x[None]
    ),
    "prelu": lambda m, x: m.nn.functional.prelu(x, m.full((1,), 0.25)),
    "einsum": lambda m, x: m.einsum("ij,kj->ik", x, x),
    "add": lambda m, x: x + x,
    "exp": lambda m, x: m.exp(x.bfloat16()),
    "softmax": lambda m, x: m.softmax(x.bfloat16(), -1),
    "layer_norm": lambda m, x: m.nn.functional.layer_norm(x.bfloat16(), (4,)),
    "mse_loss": lambda m, x: m.nn.functional.mse_loss(x.bfloat16(), x),
    "cross_entropy": lambda m, x: m.nn.functional.cross_entropy(
        x.bfloat16(), m.tensor([0, 1, 2, 3])
    ),
    "prod": lambda m, x: m.prod(x.bfloat16()),
    "cat": lambda m, x: m.cat([x, x.bfloat16()]),
    "stack": lambda m, x: m.stack([x, x]),
    "double": lambda m, x: x.double() @ x.double(),
    "lstm": lambda m, x: m.nn.LSTM(4, 3)(x[:, None])[0] * 0,
    "out": lambda m, x: m.mm(x, x, out=m.empty(4, 4)),
    "in place": lambda m, x: x.clone().addmm_(x, x),
}


def data(module):
    return module.linspace(-1, 1, 16).reshape(4, 4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", CALLS)
def test_precision_of_results(name, dtype):
    if name == "lstm" and dtype == "float16":
        pytest.skip("PyTorch has no kernel for it on every CPU")
    found = []
    for module in (torch, lampas):
        with module.autocast("cpu", dtype=getattr(module, dtype)):
            found.append(CALLS[name](module, data(module)))
    expected, got = found
    assert str(got.dtype) == str(expected.dtype)
    torch.testing.assert_close(
        torch.tensor(got.float().tolist()), expected.float().detach(), rtol=2e-2, atol=2e-2
    )


def training(module):
    module.manual_seed(0)
    nn = module.nn
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 4))
    optimizer = module.optim.SGD(net.parameters(), lr=0.1)
    x, target = module.randn(5, 8), module.tensor([0, 1, 2, 3, 0])
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        with module.autocast("cpu"):
            loss = nn.functional.cross_entropy(net(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [str(p.grad.dtype) for p in net.parameters()]


def test_training():
    (losses, dtypes), (expected, their_dtypes) = training(lampas), training(torch)
    assert losses == pytest.approx(expected, rel=1e-2)
    assert dtypes == their_dtypes


def test_states():
    for module in (torch, lampas):
        assert not module.is_autocast_enabled("cpu")
        with module.autocast("cpu", dtype=module.float16):
            assert module.is_autocast_enabled("cpu")
            with module.autocast("cpu", enabled=False):
                assert (data(module) @ data(module)).dtype is module.float32
            assert (data(module) @ data(module)).dtype is module.float16
        assert not module.is_autocast_enabled("cpu")
        with pytest.raises(ValueError), module.autocast("cpu"):
            raise ValueError
        assert not module.is_autocast_enabled("cpu")
        decorated = module.autocast("cpu")(lambda m: (data(m) @ data(m)).dtype)
        assert decorated(module) is module.bfloat16


def test_refusals():
    for module in (torch, lampas):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with module.autocast("cpu", dtype=module.float32):
                assert (data(module) @ data(module)).dtype is module.float32
        assert "target dtype is not supported" in str(caught[0].message)
        with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
            module.autocast(3)


def custom(module, seen):
    class Product(module.autograd.Function):
        @staticmethod
        @module.amp.custom_fwd(device_type="cpu")
        def forward(ctx, a):
            ctx.save_for_backward(a)
            return a @ a.t()

        @staticmethod
        @module.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            (a,) = ctx.saved_tensors
            result = (g + g.t()) @ a
            seen.append(str(result.dtype))
            return result.float()

    a = module.ones(2, 2, requires_grad=True)
    with module.autocast("cpu"):
        y = Product.apply(a)
    seen.append(str(y.dtype))
    y.float().sum().backward()
    return seen, a.grad.tolist()


def test_custom_function():
    assert custom(lampas, []) == custom(torch, [])


OLDER_NAMES = """
vars(t.cpu.amp.autocast())["_enabled"] | t.cpu.amp.autocast(enabled=False, dtype=t.float16).fast_dtype | t.cpu.amp.GradScaler().is_enabled()
t.cuda.amp.autocast().fast_dtype | t.cuda.amp.autocast(dtype=t.bfloat16, enabled=False)._enabled | t.cuda.amp.GradScaler(3.0).get_scale()
t.cuda.amp.custom_fwd(lambda ctx, x: x)(C(), 3) | t.cuda.amp.custom_bwd(older_backward)(C(), 3) | t.cuda.amp.amp_definitely_not_available()
t.cuda.amp.custom_fwd(cast_inputs=t.float16)(lambda ctx, x: x)(C(), t.ones(1)) | t.amp.autocast("cuda").fast_dtype | t.cuda.amp.autocast.__name__
"""


class Context:
    """Stands for the context of an autograd.Function."""

    _fwd_used_autocast, _dtype = False, None


def older_backward(ctx, g):
    return g


@pytest.mark.parametrize("case", cases(OLDER_NAMES))
def test_older_names_of_devices(case):
    agree(lambda t: eval(case, {"t": t, "C": Context, "older_backward": older_backward}))
