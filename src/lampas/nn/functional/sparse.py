"""Lookups: embedding, embedding_bag."""

import warnings

import lampas
from lampas import _core


def _renorm_(weight, input, max_norm, norm_type):
    """Scales the rows that `input` names down to `max_norm`, in place."""
    with lampas.no_grad():
        rows = input.reshape(-1).unique()
        found = weight.index_select(0, rows)
        norms = lampas.linalg.vector_norm(found, norm_type, 1, keepdim=True)
        scale = lampas.where(norms > max_norm, max_norm / (norms + 1e-7), 1.0)
        weight.index_copy_(0, rows, found * scale.to(found.dtype))


def _wrapped_padding_idx(padding_idx, weight):
    if padding_idx is None:
        return -1
    rows = weight.size(0)
    if padding_idx >= rows or padding_idx < -rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % rows


def embedding(
    input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
    sparse=False,
):  # fmt: skip
    """Rows of `weight` by index: (*) -> (*, D). The row `padding_idx` gets no gradient."""
    if padding_idx is None:
        padding_idx = -1
    else:
        padding_idx = _wrapped_padding_idx(padding_idx, weight)
    if max_norm is not None:
        input = input.contiguous()
        _renorm_(weight, input, max_norm, norm_type)
    return _rows(weight, input, padding_idx, scale_grad_by_freq, sparse)


def _rows(weight, input, padding_idx, scale_grad_by_freq, sparse):
    """The lookup; with `sparse` the gradient of the weight is a sparse tensor."""
    if not (sparse and weight.requires_grad and _core.is_grad_enabled()):
        return _core.embedding(weight, input, padding_idx, scale_grad_by_freq, False)
    from lampas.sparse.embeddings import embedding

    return embedding(weight, input, padding_idx, scale_grad_by_freq)


def _check_bag(input, weight, offsets, mode, per_sample_weights):
    if per_sample_weights is not None and input.size() != per_sample_weights.size():
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not "
            "None, then it must have the same shape as the input "
            f"({input.shape})"
        )
    if weight.dim() != 2:
        raise ValueError(
            f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.dim()}"
        )
    if input.dim() == 2 and offsets is not None:
        raise ValueError(
            "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of "
            f"fixed length sequences. However, found offsets of type {type(offsets)}"
        )
    if input.dim() == 1 and offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if input.dim() == 1 and offsets.dim() != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    if input.dim() not in (1, 2):
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}"
        )
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")


def embedding_bag(
    input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False,
    mode="mean", sparse=False, per_sample_weights=None, include_last_offset=False,
    padding_idx=None,
):  # fmt: skip
    """Sum, mean or maximum of bags of rows: (N, L), or (n,) with `offsets` (B,) -> (B, D)."""
    if weight.dtype == lampas.int64 and input.is_floating_point():
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. "
            "Usage `embedding_bag(weight, input, ...)` is deprecated, "
            "and should now be `embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        weight, input = input, weight
    _check_bag(input, weight, offsets, mode, per_sample_weights)
    if input.dim() == 2:
        length = input.size(1)
        offsets = lampas.arange(0, input.numel(), length or 1, device=input.device)
        if length == 0:
            offsets = input.new_zeros(input.size(0))
        input = input.reshape(-1)
        include_last_offset = False
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    if mode == "max" and (scale_grad_by_freq or sparse):
        wrong = "scaling the gradient by the frequency" if scale_grad_by_freq else "sparse weights"
        raise ValueError(f"max mode does not support {wrong}")
    if max_norm is not None:
        _renorm_(weight, input, max_norm, norm_type)
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only "
            f"supported for mode='sum' (got mode='{mode}'). Please open a feature request on "
            "GitHub."
        )
    _check_offsets(input, offsets, include_last_offset)
    if padding_idx is not None:
        rows = weight.size(0)
        if not -rows <= padding_idx < rows:
            raise RuntimeError(
                f"padding_idx must be within the number of embeddings, -{rows} through "
                f"{rows - 1}, but got {padding_idx}"
            )
        padding_idx %= rows
    bags = offsets.size(0) - (1 if include_last_offset else 0)
    starts = offsets[:bags].contiguous()
    position = lampas.arange(input.numel(), device=input.device, dtype=starts.dtype)
    bag = lampas.searchsorted(starts, position, right=True) - 1  # (n,): which bag
    if padding_idx is not None:
        kept = input != padding_idx
        input, bag = input[kept], bag[kept]
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights[kept]
    rows = _rows(weight, input, -1, scale_grad_by_freq, sparse)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(1)
    return _combine(rows, bag, bags, mode)


def _check_offsets(input, offsets, include_last_offset):
    if include_last_offset and offsets.size(0) < 1:
        raise RuntimeError("include_last_offset: number of offset should be at least 1")
    if offsets.size(0) > 0:
        first, last = int(offsets[0]), int(offsets[-1])
        if first != 0:
            raise RuntimeError(
                "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to "
                f"start from position 0. However, got {first}"
            )
        if last > input.size(0):
            raise RuntimeError(
                "offsets[-1] can not be greater than input's length "
                f"{input.size(0)} but got offsets[-1] of {last}"
            )


def _combine(rows, bag, bags, mode):
    empty = rows.new_zeros((bags, rows.size(1)))
    if mode == "max":
        index = bag.unsqueeze(1).expand_as(rows)
        return empty.scatter_reduce(0, index, rows, "amax", include_self=False)
    total = empty.index_add(0, bag, rows)
    if mode == "sum":
        return total
    count = rows.new_zeros(bags).index_add(0, bag, rows.new_ones(bag.size(0)))
    return total / count.clamp_min(1).unsqueeze(1)
