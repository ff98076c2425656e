"""Attention: the scaled dot product, and multi-head attention on top of it."""

import math
import warnings

import lampas
from lampas import _core

linear = _core.linear
scaled_dot_product_attention = _core.scaled_dot_product_attention


def _in_projection_packed(q, k, v, w, b=None):
    """Queries, keys and values through one packed (3E, E) weight."""
    size = q.size(-1)
    if k is v:
        if q is k:  # self-attention: one product for all three
            packed = linear(q, w, b)
            packed = packed.unflatten(-1, (3, size)).unsqueeze(0).transpose(0, -2)
            packed = packed.squeeze(-2).contiguous()
            return packed[0], packed[1], packed[2]
        w_q, w_kv = w.split([size, size * 2])
        b_q, b_kv = (None, None) if b is None else b.split([size, size * 2])
        packed = linear(k, w_kv, b_kv).unflatten(-1, (2, size)).unsqueeze(0).transpose(0, -2)
        packed = packed.squeeze(-2).contiguous()
        return linear(q, w_q, b_q), packed[0], packed[1]
    w_q, w_k, w_v = w.chunk(3)
    b_q, b_k, b_v = (None, None, None) if b is None else b.chunk(3)
    return linear(q, w_q, b_q), linear(k, w_k, b_k), linear(v, w_v, b_v)


def _in_projection(q, k, v, w_q, w_k, w_v, b_q=None, b_k=None, b_v=None):
    """Queries, keys and values through weights of their own."""
    eq, ek, ev = q.size(-1), k.size(-1), v.size(-1)
    for name, w, expected in (
        ("query", w_q, (eq, eq)),
        ("key", w_k, (eq, ek)),
        ("value", w_v, (eq, ev)),
    ):
        if tuple(w.shape) != expected:
            raise AssertionError(f"expecting {name} weights shape of {expected}, but got {w.shape}")
    for name, b in (("query", b_q), ("key", b_k), ("value", b_v)):
        if b is not None and tuple(b.shape) != (eq,):
            raise AssertionError(f"expecting {name} bias shape of {(eq,)}, but got {b.shape}")
    return linear(q, w_q, b_q), linear(k, w_k, b_k), linear(v, w_v, b_v)


def _mha_shape_check(query, key, value, key_padding_mask, attn_mask, num_heads):
    """Whether the inputs have a batch dimension; raises if their dimensions do not agree."""
    if query.dim() not in (2, 3):
        raise AssertionError(
            "query should be unbatched 2D or batched 3D tensor but received "
            f"{query.dim()}-D query tensor"
        )
    batched = query.dim() == 3
    kind = "batched" if batched else "unbatched"
    dims = 3 if batched else 2
    if key.dim() != dims or value.dim() != dims:
        raise AssertionError(
            f"For {kind} ({dims}-D) `query`, expected `key` and `value` to be {dims}-D but found "
            f"{key.dim()}-D and {value.dim()}-D tensors respectively"
        )
    if key_padding_mask is not None and key_padding_mask.dim() != dims - 1:
        raise AssertionError(
            f"For {kind} ({dims}-D) `query`, expected `key_padding_mask` to be `None` or "
            f"{dims - 1}-D but found {key_padding_mask.dim()}-D tensor instead"
        )
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise AssertionError(
                f"For {kind} ({dims}-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D "
                f"but found {attn_mask.dim()}-D tensor instead"
            )
        if not batched and attn_mask.dim() == 3:
            expected = (num_heads, query.shape[0], key.shape[0])
            if tuple(attn_mask.shape) != expected:
                raise AssertionError(
                    f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}"
                )
    return batched


def _none_or_dtype(input):
    if input is None:
        return None
    if isinstance(input, lampas.Tensor):
        return input.dtype
    raise RuntimeError("input to _none_or_dtype() must be None or torch.Tensor")


def _canonical_mask(mask, mask_name, other_type, other_name, target_type, check_other=True):
    """The mask as numbers to add to the scores: True becomes -inf."""
    if mask is None:
        return None
    floating = mask.is_floating_point()
    if mask.dtype != lampas.bool and not floating:
        raise AssertionError(f"only bool and floating types of {mask_name} are supported")
    if check_other and other_type is not None and mask.dtype != other_type:
        warnings.warn(
            f"Support for mismatched {mask_name} and {other_name} is deprecated. Use same type "
            "for both instead.",
            stacklevel=3,
        )
    if not floating:
        zeros = lampas.zeros_like(mask, dtype=target_type)
        return zeros.masked_fill_(mask, float("-inf"))
    return mask


def _check_embedding(query, key, value, embed_dim_to_check, num_heads, separate):
    embed_dim = query.shape[-1]
    if embed_dim != embed_dim_to_check:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim_to_check}, but got {embed_dim}"
        )
    head_dim = embed_dim // num_heads
    if head_dim * num_heads != embed_dim:
        raise AssertionError(f"embed_dim {embed_dim} not divisible by num_heads {num_heads}")
    if separate:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match "
                f"value's {value.shape[:2]}"
            )
    elif key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
    return head_dim


def _shaped_mask(attn_mask, length, source, batch, num_heads):
    """The attention mask as (1 or N * H, L, S)."""
    if attn_mask is None:
        return None
    if attn_mask.dim() == 2:
        if tuple(attn_mask.shape) != (length, source):
            raise RuntimeError(
                f"The shape of the 2D attn_mask is {attn_mask.shape}, but should be "
                f"{(length, source)}."
            )
        return attn_mask.unsqueeze(0)
    if attn_mask.dim() == 3:
        expected = (batch * num_heads, length, source)
        if tuple(attn_mask.shape) != expected:
            raise RuntimeError(
                f"The shape of the 3D attn_mask is {attn_mask.shape}, but should be {expected}."
            )
        return attn_mask
    raise RuntimeError(f"attn_mask's dimension {attn_mask.dim()} is not supported")


def _heads(x, static, batch, num_heads, head_dim, name):
    """(S, N, E) -> (N * H, S, E / H), or the given tensor of that shape."""
    if static is None:
        return x.view(x.shape[0], batch * num_heads, head_dim).transpose(0, 1)
    if static.size(0) != batch * num_heads:
        raise AssertionError(
            f"expecting {name}.size(0) of {batch * num_heads}, but got {static.size(0)}"
        )
    if static.size(2) != head_dim:
        raise AssertionError(f"expecting {name}.size(2) of {head_dim}, but got {static.size(2)}")
    return static


def multi_head_attention_forward(
    query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k,
    bias_v, add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training=True,
    key_padding_mask=None, need_weights=True, attn_mask=None, use_separate_proj_weight=False,
    q_proj_weight=None, k_proj_weight=None, v_proj_weight=None, static_k=None, static_v=None,
    average_attn_weights=True, is_causal=False,
):  # fmt: skip
    """Multi-head attention (Vaswani et al., 2017) of query (L, N, E) over key and value (S, N, E).

    Returns the output (L, N, E) and, if `need_weights`, the weights (N, L, S), or of each head
    (N, H, L, S) without `average_attn_weights`; else None.
    """
    batched = _mha_shape_check(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, batch, embed_dim = query.shape
    source = key.shape[0]
    key_padding_mask = _canonical_mask(
        key_padding_mask, "key_padding_mask", _none_or_dtype(attn_mask), "attn_mask", query.dtype
    )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None  # the hint is enough, no mask has to be added
    else:
        attn_mask = _canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, False)
        if key_padding_mask is not None:
            is_causal = False  # the mask is merged with the padding below
    head_dim = _check_embedding(
        query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight
    )
    if not use_separate_proj_weight:
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        q, k, v = _in_projection_packed(query, key, value, in_proj_weight, in_proj_bias)
    else:
        for name, w in (("q", q_proj_weight), ("k", k_proj_weight), ("v", v_proj_weight)):
            if w is None:
                raise AssertionError(
                    f"use_separate_proj_weight is True but {name}_proj_weight is None"
                )
        biases = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
        q, k, v = _in_projection(
            query, key, value, q_proj_weight, k_proj_weight, v_proj_weight, *biases
        )
    attn_mask = _shaped_mask(attn_mask, length, source, batch, num_heads)
    extra = 0  # keys added behind the given ones
    if bias_k is not None and bias_v is not None:
        if static_k is not None:
            raise AssertionError("bias cannot be added to static key.")
        if static_v is not None:
            raise AssertionError("bias cannot be added to static value.")
        k = lampas.cat([k, bias_k.repeat(1, batch, 1)])
        v = lampas.cat([v, bias_v.repeat(1, batch, 1)])
        extra += 1
    elif bias_k is not None or bias_v is not None:
        raise AssertionError(
            "bias_k is None but bias_v is not"
            if bias_k is None
            else "bias_v is None but bias_k is not"
        )
    q = q.view(length, batch * num_heads, head_dim).transpose(0, 1)
    k = _heads(k, static_k, batch, num_heads, head_dim, "static_k")
    v = _heads(v, static_v, batch, num_heads, head_dim, "static_v")
    if add_zero_attn:
        zeros = k.new_zeros((batch * num_heads, 1, head_dim))
        k = lampas.cat([k, zeros], 1)
        v = lampas.cat([v, zeros.to(v.dtype)], 1)
        extra += 1
    if extra and attn_mask is not None:
        attn_mask = _core.constant_pad_nd(attn_mask, (0, extra), 0)
    if extra and key_padding_mask is not None:
        key_padding_mask = _core.constant_pad_nd(key_padding_mask, (0, extra), 0)
    source = k.size(1)
    if key_padding_mask is not None:
        if tuple(key_padding_mask.shape) != (batch, source):
            raise AssertionError(
                f"expecting key_padding_mask shape of {(batch, source)}, but got "
                f"{key_padding_mask.shape}"
            )
        padding = key_padding_mask.view(batch, 1, 1, source).expand(-1, num_heads, -1, -1)
        padding = padding.reshape(batch * num_heads, 1, source)
        attn_mask = padding if attn_mask is None else attn_mask + padding
    if not training:
        dropout_p = 0.0
    if need_weights:
        result, weights = _attend_with_weights(q, k, v, attn_mask, dropout_p, is_causal)
    else:
        result = _attend(q, k, v, attn_mask, dropout_p, is_causal, batch, num_heads)
    result = result.transpose(0, 1).contiguous().view(length * batch, embed_dim)
    result = linear(result, out_proj_weight, out_proj_bias).view(length, batch, -1)
    if not batched:
        result = result.squeeze(1)
    if not need_weights:
        return result, None
    weights = weights.view(batch, num_heads, length, source)
    if average_attn_weights:
        weights = weights.mean(dim=1)
    return result, weights if batched else weights.squeeze(0)


def _attend_with_weights(q, k, v, attn_mask, dropout_p, is_causal):
    q = q * math.sqrt(1.0 / q.size(-1))
    if attn_mask is not None:
        scores = lampas.baddbmm(attn_mask, q, k.transpose(-2, -1))
    else:
        scores = lampas.bmm(q, k.transpose(-2, -1))
    weights = _core.softmax(scores, -1)
    if dropout_p > 0.0:
        weights = _core.dropout(weights, dropout_p, True)
    return lampas.bmm(weights, v), weights


def _attend(q, k, v, attn_mask, dropout_p, is_causal, batch, num_heads):
    if attn_mask is not None:
        if attn_mask.size(0) == 1:
            attn_mask = attn_mask.unsqueeze(0)
        else:
            attn_mask = attn_mask.view(batch, num_heads, -1, k.size(1))
    q, k, v = (x.unflatten(0, (batch, num_heads)) for x in (q, k, v))
    result = scaled_dot_product_attention(q, k, v, attn_mask, dropout_p, is_causal)
    return result.flatten(0, 1)  # (N * H, L, E / H)
