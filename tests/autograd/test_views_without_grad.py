"""Views made under no_grad, and graphs whose operands are numbers."""

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from agreement import agree

VIEWS = [
    "x.view(-1)", "x[0]", "x.expand(2, 3)", "x.unbind(0)[0]", "x.chunk(1)[0]", "x.detach()", "x.data",
    "x.t()", "x.squeeze()", "x[1:]", "x.view(-1)[0]", "x.unsqueeze(0)", "x.clone()",
]  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("leaf", [True, False])
def test_say_what_the_base_says(view, leaf):
    def run(t):
        x = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
        x = x if leaf else x * 1
        with t.no_grad():
            v = eval(view, {"x": x})
        return (
            v.requires_grad,
            v.is_leaf,
            v.grad_fn,
            v._is_view(),
            v._base is x,
            (v * 2).requires_grad,
        )

    agree(run)


@pytest.mark.parametrize(
    "action",
    [
        "v.mul_(2)",
        "v.sum().backward() or (x.grad, v.grad)",
        "(v * x).sum().backward() or x.grad",
        "repr(v)",
        "v.numpy()",
    ],
)
@pytest.mark.parametrize("leaf", [True, False])
def test_lead_nowhere(action, leaf):
    def run(t):
        x = start = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
        x = x if leaf else x * 1
        with t.no_grad():
            v = x.view(-1)
        return eval(action, {"x": start, "v": v})

    agree(run)


def test_written_without_grad():
    def run(t):
        x = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
        with t.no_grad():
            v = x.view(-1)
            v.mul_(2)
        return x.tolist(), repr(v), v.grad_fn

    agree(run)


NUMBERS = [
    "x * 2", "2 * x", "x + 1", "1 - x", "x / 2", "2 / x", "-x", "x ** 2", "2 ** x", "x.clamp(0, 1)",
    "x % 2", "x.fmod(2)", "x.lerp(x, 0.5)", "x.view(-1)", "x.sum()", "x.mean()", "x * t.tensor(2.0)",
    "x.copysign(2.0)", "t.where(x > 1, x, 1.0)", "x.addcmul(t.ones(3), t.ones(3))",
]  # fmt: skip


@pytest.mark.parametrize("call", NUMBERS)
def test_numbers_are_freed_like_tensors(call):
    def run(t):
        x = t.tensor([0.5, 1.0, 1.5], requires_grad=True) + 0
        y = eval(call, {"t": t, "x": x})
        y.backward(t.ones_like(y))
        y.backward(t.ones_like(y))

    agree(run)
