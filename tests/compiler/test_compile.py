"""torch.compile: replayed calls give what eager calls give; what cannot be replayed runs as it is."""

import copy
import gc
import logging
import weakref

import numpy as np
import pytest
import torch as pytorch

import lampas
from lampas import nn, optim
from lampas.nn import functional as F

SCALE = 2.0
CONFIG = {"power": 2}


@pytest.fixture(autouse=True)
def seeded():
    lampas.manual_seed(0)


def compiled(function, **options):
    made = lampas.compile(function, **options)
    return made, made._lampas_compilation


def flat(result):
    if isinstance(result, (tuple, list)):
        return [leaf for each in result for leaf in flat(each)]
    if isinstance(result, dict):
        return flat(list(result.values()))
    return [result]


def assert_same(a, b):
    a, b = flat(a), flat(b)
    assert len(a) == len(b)
    for x, y in zip(a, b):
        if isinstance(x, lampas.Tensor):
            assert x.dtype == y.dtype and x.shape == y.shape and lampas.equal(x, y)
            assert x.requires_grad == y.requires_grad
        else:
            assert x == y


def agree(function, *args, calls=3):
    """Call by call what the function itself gives, its random numbers included; the compilation."""
    made, compilation = compiled(function)
    for call in range(calls):
        lampas.manual_seed(call)
        expected = function(*args)
        lampas.manual_seed(call)
        assert_same(made(*args), expected)
    return compilation


REPLAYED = {
    "linear": lambda x: F.linear(x, x[:3], x[0, :3]),
    "softmax": lambda x: F.log_softmax(x, -1),
    "layer_norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "matmul": lambda x: x @ x.T,
    "views": lambda x: x.view(-1)[2:7].reshape(5, 1).expand(5, 2).contiguous().t(),
    "joining": lambda x: lampas.cat([x, x * 2], 1).chunk(2, 1),
    "dict": lambda x: {"a": x + 1, "b": [x, (x.sum(), None, 3, "s")]},
    "named": lambda x: x.max(0),
    "namedtuple of values": lambda x: lampas.sort(x, 1),
    "in place": lambda x: x.clone().add_(1).mul_(2),
    "set item": lambda x: put(x),
    "out": lambda x: lampas.add(x.detach(), 1, out=lampas.empty_like(x)) + x,
    "factory": lambda x: x + lampas.arange(x.shape[1]) + lampas.tensor([1.0]),
    "random": lambda x: F.dropout(x, 0.5) + lampas.rand_like(x) + lampas.randn(x.shape),
    "einsum": lambda x: lampas.einsum("ij,kj->ik", x, x),
    "norm": lambda x: lampas.linalg.norm(x),
    "where": lambda x: lampas.where(x > 0, x, -x),
    "cumsum": lambda x: x.cumsum(0).flip(1),
    "std": lambda x: (x.std(), x.var(0)),
    "mask written": lambda x: mask(x),
    "index": lambda x: x[:, [0, 2]][None, ..., 0],
    "metadata": lambda x: x.reshape(x.size(1), -1) * x.numel() + x.dim() * len(x),
    "dtypes": lambda x: (x.double(), x.int(), x.to(lampas.float16) * 2),
    "attention": lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None]),
    "conv": lambda x: F.conv1d(x[None], x[None, :, :2]),
    "no_grad": lambda x: under_no_grad(x),
    "autocast": lambda x: under_autocast(x),
    "the input": lambda x: (x, x.detach(), x.data),
    "unfold": lambda x: x.unfold(1, 2, 1),
    "globals": lambda x: x * SCALE ** CONFIG["power"],
}


def put(x):
    y = x.clone()
    y[1:, 0] = 5
    y[0] += 2
    return y


def mask(x):
    y = x.clone()
    y[y < 0] = 0
    return y.masked_fill(y > 1, 1)


def under_no_grad(x):
    with lampas.no_grad():
        y = x * 2
    return y + x


def under_autocast(x):
    with lampas.autocast("cpu", dtype=lampas.bfloat16):
        return x @ x.T


@pytest.mark.parametrize("name", REPLAYED)
@pytest.mark.parametrize("grad", [False, True])
def test_replayed(name, grad):
    x = lampas.randn(4, 5).requires_grad_(grad)
    compilation = agree(REPLAYED[name], x)
    assert compilation.obstacle is None, compilation.obstacle
    assert len(compilation.calls()) == 1


@pytest.mark.parametrize("name", REPLAYED)
def test_gradients_of_replayed(name):
    function = REPLAYED[name]
    made, _ = compiled(function)
    results = []
    for call in (function, made, made):
        lampas.manual_seed(1)
        x = lampas.linspace(-1, 1, 20).reshape(4, 5).requires_grad_()
        leaves = [y for y in flat(call(x)) if isinstance(y, lampas.Tensor) and y.requires_grad]
        total = sum((y.float() * 1.5).pow(2).sum() for y in leaves)
        results.append(lampas.autograd.grad(total, x, allow_unused=True, create_graph=True)[0])
    assert_same(results[1], results[0])
    assert_same(results[2], results[0])


MODULES = {
    "mlp": lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 2)),
    "batch norm": lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.GELU()),
    "lstm": lambda: nn.LSTM(6, 5, 2),
    "transformer": lambda: nn.TransformerEncoderLayer(6, 2, 7, batch_first=True),
    "conv": lambda: nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 3, 3), nn.MaxPool1d(2)),
}


@pytest.mark.parametrize("name", MODULES)
def test_module(name):
    """Training, evaluation, other shapes, parameters written and replaced: as eagerly."""
    shape = (3, 4, 6) if name in ("lstm", "transformer") else (4, 6)
    module = MODULES[name]()
    other = copy.deepcopy(module)
    made = lampas.compile(module)
    assert isinstance(made, nn.Module) and made._orig_mod is module
    for call in range(12):
        if call in (3, 6):
            for each in (made, other):
                each.train(call == 6)
        if call == 8:
            for each in (module, other):
                with lampas.no_grad():
                    for p in each.parameters():
                        p.mul_(0.5)
        if call == 10:
            for each in (module, other):
                lampas.manual_seed(5)
                for child in each.modules():
                    if isinstance(child, nn.Linear):
                        child.weight = nn.Parameter(lampas.randn_like(child.weight))
        x = lampas.randn(*shape[:-2], shape[-2] + call % 2, 6)
        lampas.manual_seed(call)
        expected = other(x)
        lampas.manual_seed(call)
        result = made(x)
        assert_same(result, expected)
        flat(expected)[0].sum().backward()
        flat(result)[0].sum().backward()
        for p, q in zip(module.parameters(), other.parameters()):
            assert_same(p.grad, q.grad)
        for p, q in zip(module.buffers(), other.buffers()):
            assert_same(p, q)
    assert made._compilation.obstacle is None


OPTIMIZERS = {
    "sgd": lambda ps: optim.SGD(ps, 0.1),
    "momentum": lambda ps: optim.SGD(ps, 0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda ps: optim.Adam(ps, 0.01),
    "adamw": lambda ps: optim.AdamW(ps, 0.01),
    "rmsprop": lambda ps: optim.RMSprop(ps, 0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("to_none", [True, False])
def test_training_step(name, to_none):
    """A whole step inside the function, with a learning rate that changes."""
    model = MODULES["mlp"]()
    other = copy.deepcopy(model)

    def stepper(model):
        optimizer = OPTIMIZERS[name](model.parameters())

        def step(x, y):
            optimizer.zero_grad(set_to_none=to_none)
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss

        return optimizer, step

    optimizers, steps = zip(stepper(model), stepper(other))
    made, compilation = compiled(steps[0])
    for call in range(8):
        x, y = lampas.randn(5, 6), lampas.randint(0, 2, (5,))
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = 0.1 / (1 + call // 4)
        lampas.manual_seed(call)
        expected = steps[1](x, y)
        lampas.manual_seed(call)
        assert made(x, y).item() == expected.item()
    for p, q in zip(model.parameters(), other.parameters()):
        assert_same(p, q)
    assert compilation.obstacle is None, compilation.obstacle
    assert len(compilation.calls()) <= 2
    assert "step" in compilation.calls()[-1] and "_backward" in compilation.calls()[-1]


class Square(lampas.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


RESULTS = []
COUNT = [0]


def counting(x):
    COUNT[0] += 1
    return x * COUNT[0]


def appending(x):
    RESULTS.append(x.sum())
    return x * 2


def stateful_dropout(x):
    return F.dropout(x, 0.5) if lampas.rand(()) > 0.5 else x


UNCOMPILED = {
    "item": (lambda x: x * x.sum().item(), "item"),
    "bool": (lambda x: x if x.sum() > 0 else -x, "__bool__"),
    "float": (lambda x: x * float(x[0, 0]), "__float__"),
    "tolist": (lambda x: lampas.tensor(x.tolist()), "tolist"),
    "numpy": (lambda x: lampas.from_numpy(x.numpy() * 2), "numpy"),
    "mask": (lambda x: x[x > 0], "depends on data"),
    "nonzero": (lambda x: x.nonzero(), "depends on data"),
    "Function": (lambda x: Square.apply(x.clone().requires_grad_()), "Function"),
    "counter": (counting, "changes"),
    "list": (appending, "changes"),
    "print": (lambda x: print(x) or x, "print"),
    "numpy random": (lambda x: x * float(np.random.rand()), "random"),
    "seed": (lambda x: x + lampas.Generator().manual_seed(3).initial_seed(), "generator"),
    "branch on random": (stateful_dropout, "__bool__"),
    "default dtype": (lambda x: lampas.set_default_dtype(lampas.float32) or x * 2, None),
    "arange of a tensor": (lambda x: lampas.arange(x.abs().sum().long() + 1), "as a number"),
    "size from a tensor": (lambda x: x.reshape(lampas.tensor(4), -1), "as a number"),
    "repeats": (lambda x: x.repeat_interleave(lampas.tensor([1, 2, 0]), 0), "depends on data"),
    "key": (lambda x: x * {x: 2}[x], "identity"),
    "vmap": (lambda x: lampas.func.vmap(lambda row: row.sum() * 2)(x), "transform"),
    "disabled": (lambda x: DISABLED(x), "disable"),
}
DISABLED = lampas.compiler.disable(lambda x: x + 1)


@pytest.mark.parametrize("name", UNCOMPILED)
def test_uncompiled(name, caplog):
    """The results stay those of the function, and the log names the operator."""
    function, reason = UNCOMPILED[name]
    COUNT[0] = 0
    caplog.set_level(logging.INFO, "lampas.compile")
    x = lampas.randn(3, 4)
    expected = []
    for seed in range(5):
        lampas.manual_seed(seed)
        np.random.seed(seed)
        expected.append(function(x))
    COUNT[0] = 0
    made, compilation = compiled(function)
    for seed in range(5):
        lampas.manual_seed(seed)
        np.random.seed(seed)
        assert_same(made(x), expected[seed])
    if reason:
        assert reason in compilation.obstacle
        assert compilation.obstacle in caplog.text
        with pytest.raises(RuntimeError, match="cannot be compiled as one graph"):
            strict = lampas.compile(function, fullgraph=True)
            for _ in range(5):
                strict(x)


def test_arguments_are_guarded():
    def function(x, n=1, *, flags=(), table=None):
        return (x * n).relu() if "relu" in flags else x * n + (table or {}).get("add", 0)

    made, compilation = compiled(function)
    x = lampas.randn(3)
    calls = [
        ((x,), {}), ((x, 2), {}), ((x, 2.0), {}), ((x, True), {}), ((x, -0.0), {}), ((x, 0.0), {}),
        ((x,), {"flags": ("relu",)}), ((x.double(),), {}), ((x[::2],), {}),
        ((x,), {"table": {"add": x}}),
    ]  # fmt: skip
    lampas._dynamo.config.recompile_limit = 16
    try:
        for _ in range(2):
            for args, kwargs in calls:
                a, b = made(*args, **kwargs), function(*args, **kwargs)
                assert_same(a, b)
                assert lampas.equal(lampas.signbit(a), lampas.signbit(b))
        assert len(compilation.calls()) == len(calls)
    finally:
        lampas._dynamo.config.recompile_limit = 8


def test_the_same_tensor_twice_is_another_call():
    def function(a, b):
        a = a + 0
        return a.add_(1) * b if a is not b else a

    def aliased(a, b):
        a.add_(1)
        return a * b

    made, _ = compiled(aliased)
    for same in (False, True, False):
        x, y = lampas.ones(3), lampas.ones(3)
        p, q = lampas.ones(3), lampas.ones(3)
        assert_same(made(x, x if same else y), aliased(p, p if same else q))


def test_variables_around_the_function_are_guarded():
    weight, factor = lampas.randn(3), 2.0

    def function(x):
        return x * weight * factor + CONFIG["power"]

    made, _ = compiled(function)
    x = lampas.randn(3)
    for _ in range(3):
        assert_same(made(x), function(x))
    factor = 3.0
    assert_same(made(x), function(x))
    weight = lampas.randn(3)
    assert_same(made(x), function(x))
    CONFIG["power"] = 5
    try:
        assert_same(made(x), function(x))
    finally:
        CONFIG["power"] = 2
    weight.add_(1)
    assert_same(made(x), function(x))


def test_an_argument_that_is_also_a_parameter():
    layer = nn.Linear(3, 3)

    def function(x, w):
        return layer(x) * w.sum()

    made, _ = compiled(function)
    x, other = lampas.randn(2, 3), nn.Parameter(lampas.randn(3, 3))
    for w in (layer.weight, other, layer.weight, other):
        assert_same(made(x, w), function(x, w))


def test_too_many_kinds_of_calls(caplog):
    caplog.set_level(logging.INFO, "lampas.compile")
    made, compilation = compiled(lambda x, n: x * n)
    x = lampas.randn(2)
    for n in range(12):
        assert_same(made(x, n), x * n)
    assert len(compilation.calls()) == 8 and "kinds of arguments" in caplog.text


def test_methods_decorators_and_modules_compile():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)
            self.gain = 2.0

        @lampas.compile
        def forward(self, x):
            return self.layer(x) * self.gain

    net, x = Net(), lampas.randn(4, 3)
    assert Net.forward.__name__ == "forward"
    for gain in (2.0, 3.0, 2.0):
        net.gain = gain
        assert_same(net(x), net.layer(x) * gain)

    plain = nn.Linear(3, 2)
    expected = plain(x)
    assert plain.compile() is None
    assert_same(plain(x), expected)
    assert_same(plain(x), expected)
    assert plain._compiled_call_impl is not None


def test_state_of_a_compiled_module():
    module = nn.Linear(2, 2)
    made = lampas.compile(module)
    assert list(made.state_dict()) == ["_orig_mod.weight", "_orig_mod.bias"]
    assert made.weight is module.weight and dict(made.named_modules())["_orig_mod"] is module
    made.eval()
    assert not module.training and not made.training
    made.mark = 3
    assert module.mark == 3
    assert repr(made).startswith("OptimizedModule(\n  (_orig_mod): Linear(")
    assert isinstance(made, lampas._dynamo.eval_frame.OptimizedModule)


@pytest.mark.parametrize("options", [
    {"mode": "x"}, {"backend": "zz"}, {"mode": "default", "options": {}},
])  # fmt: skip
def test_refusals_are_pytorchs(options):
    errors = []
    for module in (pytorch, lampas):
        with pytest.raises(RuntimeError) as caught:
            module.compile(module.nn.Linear(1, 1), **options)
        errors.append((type(caught.value).__name__, str(caught.value)))
    assert errors[0] == errors[1]


def test_switches():
    def function(x):
        return x + int(lampas.compiler.is_compiling())

    x = lampas.zeros(2)
    assert not lampas.compiler.is_compiling()
    assert lampas.compile(function, disable=True) is function
    assert lampas.compile(function, backend="eager") is function
    made, compilation = compiled(function)
    with lampas.compiler.set_stance("force_eager"):
        assert_same(made(x), x)
    assert compilation.calls() == []
    assert_same(made(x), x + 1)
    lampas.compiler.reset()
    assert compilation.calls() == []
    with pytest.raises(NotImplementedError, match="backend"):
        lampas.compile(function, backend=lambda graph, inputs: graph)


def test_errors_pass_through():
    def function(x, y):
        return x @ y

    made, _ = compiled(function)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="size mismatch|shapes cannot be multiplied"):
            made(lampas.ones(2, 3), lampas.ones(2, 3))
    assert_same(made(lampas.ones(2, 3), lampas.ones(3, 2)), lampas.full((2, 2), 3.0))


def test_nothing_is_kept_alive_by_a_cycle():
    class Owner:
        def __init__(self):
            self.weight = lampas.randn(3)
            self.run = lampas.compile(self.compute)

        def compute(self, x):
            return x * self.weight

    owner = Owner()
    owner.run(lampas.ones(3))
    owner.run(lampas.ones(3))
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def test_under_transforms_and_modes():
    made, compilation = compiled(lambda x: (x.sin() * 2 + 1).sum())
    x = lampas.randn(3, 4)
    expected = lampas.stack([(row.sin() * 2 + 1).sum() for row in x])
    for _ in range(2):
        assert lampas.allclose(lampas.func.vmap(made)(x), expected)
        assert_same(made(x[0]), expected[0])
    assert lampas.allclose(lampas.func.grad(made)(x), 2 * x.cos())

    class Counting(lampas.overrides.TorchFunctionMode):
        seen = 0

        def __torch_function__(self, func, types, args=(), kwargs=None):
            self.seen += 1
            return func(*args, **(kwargs or {}))

    first = x[0]
    with Counting() as mode:
        made(first)
    assert mode.seen == 4 and len(compilation.calls()) == 2  # with and without a gradient
    plain = lambda: lampas.tensor([1.0]) + 1
    fresh, _ = compiled(plain)
    for name in ("meta", "cpu", "meta"):
        with lampas.device(name):
            assert fresh().device == fresh().device == plain().device


def test_random_streams_are_repeated():
    made, compilation = compiled(lambda x: F.dropout(x, 0.3) * lampas.rand(()))
    x = lampas.randn(50)
    lampas.manual_seed(3)
    expected = [F.dropout(x, 0.3) * lampas.rand(()) for _ in range(4)]
    lampas.manual_seed(3)
    for each in expected:
        assert_same(made(x), each)
    assert compilation.obstacle is None


def test_hooks_run_in_every_call():
    layer, seen = nn.Linear(3, 2), [0]
    layer.weight.register_hook(lambda g: seen.__setitem__(0, seen[0] + 1))
    made = lampas.compile(layer)
    for _ in range(4):
        made(lampas.randn(2, 3)).sum().backward()
    assert seen == [4]
    handle = layer.register_forward_hook(lambda module, args, result: result * 2)
    x = lampas.randn(2, 3)
    for _ in range(3):
        assert_same(made(x), F.linear(x, layer.weight, layer.bias) * 2)
    handle.remove()
    assert_same(made(x), F.linear(x, layer.weight, layer.bias))


def test_arguments_that_the_function_changes():
    def function(x, found):
        found.append(x.sum())
        return x * 2

    made, compilation = compiled(function)
    for _ in range(5):
        found = []
        made(lampas.ones(2), found)
        assert len(found) == 1
    assert "argument" in compilation.obstacle


def test_compiled_inside_compiled():
    inner = lampas.compile(lambda x: x.sin() * 2)
    outer = lampas.compile(lambda x: inner(x) + 1)
    x = lampas.randn(4)
    for _ in range(3):
        assert_same(outer(x), x.sin() * 2 + 1)
