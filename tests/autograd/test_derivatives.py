"""autograd.functional and gradcheck, each snippet run under Lampas and under PyTorch."""

import pytest
from agreement import agree

FUNCTIONAL = [
    "F.jacobian(lambda x: x**2, a)",
    "F.jacobian(lambda x, y: (x * y, x.sum()), (a, a + 1))",
    "F.hessian(lambda x: (x**3).sum(), a)",
    "F.hessian(lambda x, y: (x**2 * y).sum(), (a, a + 1))",
    "F.vjp(lambda x: x.exp(), a, torch.ones(3))",
    "F.jvp(lambda x: x.exp(), a, torch.ones(3))",
    "F.hvp(lambda x: (x**3).sum(), a, torch.ones(3))",
    "F.vhp(lambda x: (x**3).sum(), a, torch.ones(3))",
    "F.vjp(lambda x: x.exp(), a)",
    "F.vjp(lambda x: x.exp(), a, torch.ones(4))",
    "F.jacobian(lambda x: 3, a)",
    "F.jacobian(lambda x: x, 3)",
    "F.jacobian(lambda x: torch.ones(2), a, strict=True)",
    "F.hessian(lambda x: x, a)",
]
CHECKED = [
    "x.sin()",
    "x * x.exp()",
    "x.sum() * x",
    "x.cumsum(0)",
    "x.tanh().prod()",
    "x / (1 + x * x)",
]


@pytest.mark.parametrize("text", FUNCTIONAL)
def test_functional(text):
    def run(torch):
        return eval(text, {"torch": torch, "F": torch.autograd.functional, "a": torch.arange(3.0)})

    agree(run)


@pytest.mark.parametrize("text", CHECKED)
@pytest.mark.parametrize("kind", ["float64", "complex128"])
def test_gradcheck_passes(text, kind):
    import lampas

    x = lampas.tensor([0.5, 1.5, 2.5], dtype=getattr(lampas, kind), requires_grad=True)
    call = eval(f"lambda x: {text}")
    assert lampas.autograd.gradcheck(call, x)
    assert lampas.autograd.gradgradcheck(call, x)


def test_gradcheck_finds_a_wrong_gradient():
    def run(torch):
        class Wrong(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, g):
                return g * 3

        x = torch.ones(2, dtype=torch.float64, requires_grad=True)
        return torch.autograd.gradcheck(Wrong.apply, x, raise_exception=False)

    assert agree(run) is False
