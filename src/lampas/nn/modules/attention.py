"""MultiheadAttention. Transformer layers are in transformer.py."""

import lampas
from lampas.nn import functional as F
from lampas.nn.init import constant_, xavier_normal_, xavier_uniform_
from lampas.nn.modules.linear import NonDynamicallyQuantizableLinear
from lampas.nn.modules.module import Module
from lampas.nn.parameter import Parameter


class MultiheadAttention(Module):
    """Attention of several heads over projected queries, keys and values (Vaswani et al., 2017).

    Inputs (L, N, E), or (N, L, E) if `batch_first`, or (L, E); returns the output and the
    attention weights, or None for them without `need_weights`.
    """

    __constants__ = ["batch_first"]

    def __init__(
        self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False,
        add_zero_attn=False, kdim=None, vdim=None, batch_first=False, device=None, dtype=None,
    ):  # fmt: skip
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        options = {"device": device, "dtype": dtype}
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = kdim if kdim is not None else embed_dim
        self.vdim = vdim if vdim is not None else embed_dim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise lampas.hints.hinted(AssertionError("embed_dim must be divisible by num_heads"))
        packed = ("in_proj_weight", (3 * embed_dim, embed_dim))
        separate = (
            ("q_proj_weight", (embed_dim, embed_dim)),
            ("k_proj_weight", (embed_dim, self.kdim)),
            ("v_proj_weight", (embed_dim, self.vdim)),
        )
        if self._qkv_same_embed_dim:
            wanted, absent = (packed,), separate
        else:
            wanted, absent = separate, (packed,)
        for name, shape in wanted:
            self.register_parameter(name, Parameter(lampas.empty(shape, **options)))
        for name, _ in absent:
            self.register_parameter(name, None)
        if bias:
            self.in_proj_bias = Parameter(lampas.empty(3 * embed_dim, **options))
        else:
            self.register_parameter("in_proj_bias", None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **options)
        if add_bias_kv:
            self.bias_k = Parameter(lampas.empty((1, 1, embed_dim), **options))
            self.bias_v = Parameter(lampas.empty((1, 1, embed_dim), **options))
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self):
        if self._qkv_same_embed_dim:
            xavier_uniform_(self.in_proj_weight)
        else:
            xavier_uniform_(self.q_proj_weight)
            xavier_uniform_(self.k_proj_weight)
            xavier_uniform_(self.v_proj_weight)
        if self.in_proj_bias is not None:
            constant_(self.in_proj_bias, 0.0)
            constant_(self.out_proj.bias, 0.0)
        if self.bias_k is not None:
            xavier_normal_(self.bias_k)
        if self.bias_v is not None:
            xavier_normal_(self.bias_v)

    def __setstate__(self, state):
        state.setdefault("_qkv_same_embed_dim", True)
        super().__setstate__(state)

    def forward(
        self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None,
        average_attn_weights=True, is_causal=False,
    ):  # fmt: skip
        swapped = self.batch_first and query.dim() == 3
        if swapped:
            # Equal inputs stay equal objects: one projection then serves all of them.
            if key is value:
                if query is key:
                    query = key = value = query.transpose(1, 0)
                else:
                    query, key = query.transpose(1, 0), key.transpose(1, 0)
                    value = key
            else:
                query, key, value = (x.transpose(1, 0) for x in (query, key, value))
        output, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight,
            self.in_proj_bias, self.bias_k, self.bias_v, self.add_zero_attn, self.dropout,
            self.out_proj.weight, self.out_proj.bias, training=self.training,
            key_padding_mask=key_padding_mask, need_weights=need_weights, attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight, k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight, average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )  # fmt: skip
        return (output.transpose(1, 0) if swapped else output), weights

    def merge_masks(self, attn_mask, key_padding_mask, query):
        """(mask, kind): kind 0 for an attention mask, 1 padding, 2 both, None for none."""
        merged = kind = None
        if key_padding_mask is not None:
            merged, kind = key_padding_mask, 1
        if attn_mask is not None:
            batch, length, _ = query.shape
            kind = 2
            if attn_mask.dim() == 3:
                expanded = attn_mask.view(batch, -1, length, length)
            else:
                expanded = attn_mask.view(1, 1, length, length)
                expanded = expanded.expand(batch, self.num_heads, -1, -1)
            merged = expanded
            if key_padding_mask is not None:
                padding = key_padding_mask.view(batch, 1, 1, length)
                merged = expanded + padding.expand(-1, self.num_heads, -1, -1)
        return merged, kind
