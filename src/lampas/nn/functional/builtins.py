"""Functions that PyTorch has in its top namespace beside those of nn.functional: choices are numbers here.

`reduction` is 0 "none" (the default, as in PyTorch), 1 "mean" or 2 "sum". Functions whose arguments do not differ have no twin: the top
namespace takes them from nn.functional.
"""

import lampas
from lampas import _core
from lampas.nn import functional as F
from lampas.nn._reduction import CODES
from lampas.ops.register import composite

_NAMES = {value: name for name, value in CODES.items()}


def _named(reduction):
    """The name of a code; PyTorch leaves losses whole for codes it does not know."""
    return _NAMES.get(reduction, "none")


@composite
def cosine_embedding_loss(input1, input2, target, margin=0.0, reduction=0):
    """As nn.functional.cosine_embedding_loss."""
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=_named(reduction))


@composite
def hinge_embedding_loss(input, target, margin=1.0, reduction=0):
    """As nn.functional.hinge_embedding_loss."""
    return F.hinge_embedding_loss(input, target, margin, reduction=_named(reduction))


@composite
def margin_ranking_loss(input1, input2, target, margin=0.0, reduction=0):
    """As nn.functional.margin_ranking_loss."""
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=_named(reduction))


@composite
def poisson_nll_loss(input, target, log_input, full, eps, reduction):
    """As nn.functional.poisson_nll_loss."""
    return F.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_named(reduction))


@composite
def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, reduction=0
):
    """As nn.functional.triplet_margin_loss."""
    return F.triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=_named(reduction)
    )


def _check_grid(name, input, grid, dims):
    if input.dim() != dims + 2 or grid.dim() != dims + 2:
        raise RuntimeError(
            f"{name}(): expected {dims + 2}D input and grid, but got input with sizes "
            f"{list(input.shape)} and grid with sizes {list(grid.shape)}"
        )


@composite
def grid_sampler_2d(input, grid, interpolation_mode, padding_mode, align_corners):
    """Values of (N, C, H, W) at grid (N, H', W', 2). Modes: 0 bilinear, 1 nearest, 2 bicubic;
    padding: 0 zeros, 1 border, 2 reflection."""
    _check_grid("grid_sampler_2d", input, grid, 2)
    return _core.grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


@composite
def grid_sampler_3d(input, grid, interpolation_mode, padding_mode, align_corners):
    """Values of (N, C, D, H, W) at grid (N, D', H', W', 3). Modes as in grid_sampler_2d, no bicubic."""
    _check_grid("grid_sampler_3d", input, grid, 3)
    return _core.grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


bilinear, conv_tbc = F.bilinear, F.conv_tbc
cosine_similarity, pairwise_distance, pdist = F.cosine_similarity, F.pairwise_distance, F.pdist
pixel_shuffle, pixel_unshuffle = F.pixel_shuffle, F.pixel_unshuffle
native_channel_shuffle = F.native_channel_shuffle


def embedding_bag(
    weight, indices, offsets, scale_grad_by_freq=False, mode=0, sparse=False, per_sample_weights=None,
    include_last_offset=False, padding_idx=None,
):  # fmt: skip
    """(bags (B, D), bag of each index, sizes of the bags, rows of the maxima) of indices (n,).

    mode: 0 sum, 1 mean, 2 max. The second result is empty for a sum, as in PyTorch; the third holds
    zeros there, and the fourth is the third but for a maximum.
    """
    if per_sample_weights is not None and mode != 0:
        raise RuntimeError("embedding_bag: per_sample_weights only supported with mode='sum'")
    bags = F.embedding_bag(
        indices, weight, offsets, scale_grad_by_freq=scale_grad_by_freq,
        mode=("sum", "mean", "max")[mode], sparse=sparse, per_sample_weights=per_sample_weights,
        include_last_offset=include_last_offset, padding_idx=padding_idx,
    )  # fmt: skip
    count = offsets.size(0) - bool(include_last_offset)
    if mode == 0 and padding_idx is None:
        sizes = offsets.new_zeros(offsets.size(0))
        return bags, offsets.new_empty(0), sizes, sizes.clone()
    padding_idx = padding_idx and padding_idx % weight.size(0)
    place = lampas.arange(indices.size(0), dtype=offsets.dtype, device=offsets.device)
    bag = lampas.searchsorted(offsets[:count].contiguous(), place, right=True) - 1
    kept = lampas.ones_like(bag) if padding_idx is None else (indices != padding_idx).to(bag.dtype)
    sizes = offsets.new_zeros(count).index_add(0, bag, kept)
    if mode == 2:
        bag_of_kept = lampas.where(kept > 0, bag, -1)
        return bags, bag, sizes, _rows_of_maxima(weight.detach(), indices, bag_of_kept, count)
    sizes = sizes if mode else offsets.new_zeros(offsets.size(0))
    return bags, bag, sizes, sizes.clone()


def _rows_of_maxima(weight, indices, bag, count):
    """(bags, D): the row of `weight` that gives each maximum."""
    rows = [indices[bag == b] for b in range(count)]
    none = indices.new_zeros(weight.size(1))
    return lampas.stack([r[weight[r].argmax(0)] if len(r) else none for r in rows])
