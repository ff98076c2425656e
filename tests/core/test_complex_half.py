"""complex32: storage, conversion, views, printing and arithmetic by way of complex64."""

import io
import warnings

import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from agreement import agree  # noqa: E402

with warnings.catch_warnings():  # PyTorch says once that few operators take it
    warnings.simplefilter("ignore")
    torch.zeros(1, dtype=torch.complex32)

CALLS = [
    "x", "x.dtype", "x.type()", "repr(x)", "x.real", "x.imag", "x.abs()", "x * x", "x + 1", "x * 2.5",
    "x - 1j", "x.conj()", "x.neg()", "x.sgn()", "x == x", "x.isnan()", "x.tolist()", "x[0].item()",
    "x.to(t.complex64)", "x.to(t.bool)", "x.clone()", "t.view_as_real(x)",
    "t.view_as_complex(h)", "t.complex(h, h)", "t.zeros(2, dtype=t.chalf)", "t.ones_like(x)",
    "t.full((2,), 1j, dtype=t.complex32)", "t.tensor([1j], dtype=t.chalf)", "x[t.tensor([1])]",
    "t.cat([x, x])", "t.stack([x, x]).t().contiguous()", "x.masked_fill(m, 0)", "t.where(m, x, x)",
    "x.element_size()", "t.chalf.to_real()", "t.float16.to_complex()",
    "t.float32.to_complex()", "(h * 1j).dtype", "(h.bfloat16() * 1j).dtype", "t.result_type(h, 1j)",
    "t.promote_types(t.bfloat16, t.complex32)", "t.promote_types(t.float64, t.complex32)",
    "t.promote_types(t.int32, t.complex32)", "t.can_cast(t.complex32, t.float32)", "x.numpy()",
    "x.sum()", "x[None] @ x[:, None]", "t.arange(3, dtype=t.chalf)", "t.randn(3, dtype=t.chalf)",
    "t.rand(3, dtype=t.chalf)", "t.finfo(t.complex32).bits",
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_agrees(call):
    def run(t):
        t.manual_seed(3)
        names = {
            "x": t.tensor([1.5 + 2j, 1 / 3 - 7j]).chalf(),
            "h": t.tensor([[1.0, 2.0], [-0.1, 65504.0]], dtype=t.float16),
            "m": t.tensor([True, False]),
            "t": t,
        }
        return eval(call, names)

    agree(run, rtol=1e-3)


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "complex64", "int64", "bool"])
def test_conversion_and_its_gradient(name):
    def run(t):
        x = t.tensor([1, 0, 3]).to(getattr(t, name))
        if name in ("int64", "bool"):
            return x.chalf()
        x.requires_grad_()
        y = x.chalf()
        y.backward(t.tensor([1 + 2j, 1j, -1.0]).chalf())
        return y, x.grad

    agree(run)


def test_files():
    def run(t):
        file = io.BytesIO()
        t.save(t.tensor([1.5 + 2j]).chalf(), file)
        file.seek(0)
        return t.load(file)

    agree(run)
