"""`torch.nn.attention.flex_attention`: names only; `scaled_dot_product_attention` is the one attention."""

from lampas import unavailable

_HINT = "use torch.nn.functional.scaled_dot_product_attention with a mask"
_DEFAULT_SPARSE_BLOCK_SIZE = 128
globals().update(
    unavailable.names(
        "torch.nn.attention.flex_attention",
        "flex_attention create_block_mask create_mask create_nested_block_mask and_masks or_masks",
        "BlockMask AuxRequest AuxOutput",
        _HINT,
    )
)


def noop_mask(batch, head, token_q, token_kv):
    """A mask that leaves everything: True."""
    import lampas

    return batch.new_ones(size=(), dtype=lampas.bool, device=batch.device)
