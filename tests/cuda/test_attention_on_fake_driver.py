"""Attention on a device: our kernels, on the grid that emulated_grid.h plays, beside the CPU's."""

import pytest

SOURCE = """
attention = torch.nn.functional.scaled_dot_product_attention
def near(ours, theirs, dtype):
    assert ours.is_cuda and ours.dtype == theirs.dtype and ours.shape == theirs.shape
    limit = {{torch.float16: 4e-3, torch.bfloat16: 3e-2, torch.float32: 2e-5}}.get(dtype, 1e-11)
    assert torch.allclose(ours.cpu().double(), theirs.double(), rtol=limit, atol=limit, equal_nan=True), (ours, theirs)

def compare(q, k, v, mask=None, **options):
    found = []
    for device in ("cpu", "cuda"):
        given = [t.detach().to(device).requires_grad_() for t in (q, k, v)]
        y = attention(*given, attn_mask=None if mask is None else mask.to(device), **options)
        torch.manual_seed(1)
        y.backward(torch.randn(y.shape).to(y.dtype).to(device))
        found.append([y.detach()] + [t.grad for t in given])
    for theirs, ours in zip(*found):
        near(ours, theirs, q.dtype)

torch.manual_seed(0)
dtype = torch.{dtype}
def sample(*shape):
    return torch.randn(*shape).to(dtype)
"""

CASES = """
q, k, v = sample(2, 2, 37, 20), sample(2, 2, 45, 20), sample(2, 2, 45, 20)
compare(q, k, v)
compare(q, k, v, is_causal=True)
compare(k, q, q, is_causal=True, scale=0.3)
allowed = torch.rand(2, 1, 37, 45) > 0.3
allowed[0, 0, 5] = False  # sees nothing
compare(q, k, v, mask=allowed)
compare(q, k, v, mask=torch.randn(37, 45).to(dtype))
compare(q, k, v, mask=torch.randn(45).to(dtype))
compare(sample(1, 4, 5, 20), sample(1, 2, 7, 20), sample(1, 2, 7, 20), enable_gqa=True)
heads_inside = sample(2, 37, 2, 20).transpose(1, 2)
compare(heads_inside, k, v.transpose(2, 3).contiguous().transpose(2, 3))
"""


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_attention(run, dtype):
    run(SOURCE.format(dtype=dtype) + CASES)


@pytest.mark.full
@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_attention_of_other_types(run, dtype):
    run(SOURCE.format(dtype=dtype) + CASES)


@pytest.mark.parametrize(
    "dtype, width",
    [("float32", 64), ("float32", 100), ("float64", 40), ("float16", 64), ("bfloat16", 72)],
)
def test_wider_heads(run, dtype, width):
    case = (
        "q, k, v = (sample(1, 1, n, %d) for n in (20, 35, 35))\ncompare(q, k, v, is_causal=True)\n"
    )
    run(SOURCE.format(dtype=dtype) + case % width)


def test_what_is_not_finite(run):
    run(
        SOURCE.format(dtype="float32")
        + """
q, k, v = sample(1, 1, 5, 8), sample(1, 1, 6, 8), sample(1, 1, 6, 8)
v[0, 0, 2, 3], k[0, 0, 4] = float("inf"), -1e30
near(attention(q.cuda(), k.cuda(), v.cuda()), attention(q, k, v), torch.float32)
q[0, 0, 1, 1] = float("nan")
near(attention(q.cuda(), k.cuda(), v.cuda()), attention(q, k, v), torch.float32)
"""
    )
