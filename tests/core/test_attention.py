"""Fused attention against PyTorch: blocks, causal order, masks, shared heads, layouts, 16-bit floats."""

import itertools

import pytest
import torch
from agreeing import assert_agree, back, twin

import lampas


def attend(module, q, k, v, mask=None, **options):
    place = module.nn.functional
    return place.scaled_dot_product_attention(q, k, v, attn_mask=mask, **options)


def operands(queries, keys, heads=2, kv_heads=2, width=5, dtype=torch.float64, batch=2):
    torch.manual_seed(queries * 1000 + keys)
    shapes = [(batch, heads, queries), (batch, kv_heads, keys), (batch, kv_heads, keys)]
    return [torch.randn(*s, width, dtype=dtype).requires_grad_() for s in shapes]


# One block of 128, several, and sizes that end within a block.
@pytest.mark.parametrize(
    "queries, keys", [(1, 1), (5, 3), (3, 5), (130, 260), (257, 129), (128, 128)]
)
@pytest.mark.parametrize("causal", [False, True])
def test_blocks(queries, keys, causal):
    q, k, v = operands(queries, keys)
    small = queries * keys < 100  # PyTorch's fused kernel has no second derivative
    if small:
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            assert_agree(
                lambda m, *x: attend(m, *x, is_causal=causal), q, k, v, rtol=1e-9, atol=1e-9
            )
    assert_agree(
        lambda m, *x: attend(m, *x, is_causal=causal, scale=0.7), q, k, v,
        second=False, rtol=1e-9, atol=1e-9,
    )  # fmt: skip


@pytest.mark.parametrize(
    "shape", [(6, 140), (2, 2, 6, 140), (1, 140), (2, 1, 6, 1), (1, 2, 1, 140)]
)
@pytest.mark.parametrize("kind", ["bool", "float", "neighbours apart"])
def test_masks(shape, kind):
    q, k, v = operands(6, 140)
    mask = torch.randn(*shape, dtype=torch.float64)
    if kind == "bool":
        mask = mask > -0.5
    if kind == "neighbours apart":
        mask = torch.stack([mask, mask], -1)[..., 0]
    assert_agree(
        lambda m, *x: attend(m, *x, mask if m is torch else twin(mask)), q, k, v,
        second=False, rtol=1e-9, atol=1e-9,
    )  # fmt: skip


@pytest.mark.parametrize("fill", [False, -float("inf")])
def test_a_query_that_sees_nothing(fill):
    q, k, v = operands(4, 150)
    mask = torch.full(
        (4, 150), True if fill is False else 0.0, dtype=None if fill is False else q.dtype
    )
    mask[1] = fill
    mask[2, :140] = fill
    assert_agree(
        lambda m, *x: attend(m, *x, mask if m is torch else twin(mask)), q, k, v,
        second=False, rtol=1e-9, atol=1e-9,
    )  # fmt: skip


@pytest.mark.parametrize("heads, kv_heads", [(4, 2), (6, 1), (3, 3)])
def test_shared_heads(heads, kv_heads):
    q, k, v = operands(20, 150, heads, kv_heads)
    assert_agree(
        lambda m, *x: attend(m, *x, enable_gqa=True), q, k, v, second=False, rtol=1e-9, atol=1e-9
    )


def test_layouts():
    torch.manual_seed(0)
    qkv = torch.randn(2, 30, 3 * 4 * 6, dtype=torch.float64, requires_grad=True)

    def run(module, qkv):
        q, k, v = (z.view(2, 30, 4, 6).transpose(1, 2) for z in qkv.split(24, dim=2))
        y = attend(module, q, k, v, is_causal=True)
        assert y.stride() == (720, 6, 24, 1)
        return y.transpose(1, 2).reshape(2, 30, 24)

    assert_agree(run, qkv, second=False, rtol=1e-9, atol=1e-9)
    wide = torch.randn(1, 2, 12, 14, dtype=torch.float64, requires_grad=True)
    assert_agree(
        lambda m, x: attend(m, *(x[..., i : i + 9 : 2] for i in range(3))), wide,
        second=False, rtol=1e-9, atol=1e-9,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_other_types(dtype):
    q, k, v = (x.detach().to(dtype).requires_grad_() for x in operands(40, 200, width=16))
    wide = [x.detach().double().requires_grad_() for x in (q, k, v)]
    exact = attend(torch, *wide)
    exact.sum().backward()
    mine = [twin(x) for x in (q, k, v)]
    y = attend(lampas, *mine)
    assert str(y.dtype) == str(dtype)
    y.sum().backward()
    # Once rounded: half a unit in the last place, and the sums before it in float, where an
    # exponential multiplies the rounding of a score by the score.
    score = (wide[0] @ wide[1].mT).abs().max().item() / 16**0.5
    tolerance = torch.finfo(dtype).eps * max(1, score / 4)
    for got, want in itertools.chain(
        [(y, exact)], ((a.grad, b.grad) for a, b in zip(mine, wide, strict=True))
    ):
        got = back(got).double()
        assert (got - want).abs().max() <= tolerance * 4 * want.abs().max()


def test_not_finite():
    for value in (float("nan"), float("inf")):
        for which in range(3):
            q, k, v = (x.detach() for x in operands(5, 140))
            (q, k, v)[which][0, 0, 2, 1] = value
            want, got = attend(torch, q, k, v), attend(lampas, *map(twin, (q, k, v)))
            torch.testing.assert_close(back(got), want, equal_nan=True)


def test_node():
    q, k, v = map(twin, operands(5, 7))
    assert attend(lampas, q, k, v).grad_fn.name() == "ScaledDotProductFlashAttentionForCpuBackward0"
    with lampas.no_grad():
        assert attend(lampas, q, k, v).grad_fn is None
