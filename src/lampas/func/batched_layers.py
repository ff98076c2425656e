"""Batching rules of products, convolutions, normalisations, losses and look-ups.

As in `batching_rules`; where a layer's weights are batched too (ensembles, gradients per sample), it is said
with products that take a batch.
"""

import lampas
from lampas.func.batching_rules import aligned, elementwise, padded, rule
from lampas.func.levels import Tensor, mapped, name_of, tensors_of


@rule("matmul mm bmm mv dot __rmatmul__")
def matmul(level, function, args, kwargs):
    if kwargs or len(args) != 2 or not all(isinstance(x, Tensor) for x in args):
        return NotImplemented
    a, b = args
    wanted = {"mm": (2, 2), "bmm": (3, 3), "mv": (2, 1), "dot": (1, 1)}.get(name_of(function))
    if wanted and wanted != (a.dim(), b.dim()) or a.dtype != b.dtype or 0 in (a.dim(), b.dim()):
        return NotImplemented
    return _matmul(level, a, b)


def _matmul(level, a, b):
    """A vector becomes a matrix, so that dimensions line up; afterwards it is one again."""
    left, right = level.inner(a), level.inner(b)
    if a.dim() == 1:
        left = left.unsqueeze(-2)
    if b.dim() == 1:
        right = right.unsqueeze(-1)
    rank = max(a.dim(), b.dim(), 2)
    if level.batch(a) is not None and (level.batch(b) is not None or b.dim() > 2):
        left = padded(left, rank)
    if level.batch(b) is not None and (level.batch(a) is not None or a.dim() > 2):
        right = padded(right, rank)
    y = lampas.matmul(left, right)
    if b.dim() == 1:
        y = y.squeeze(-1)
    if a.dim() == 1:
        y = y.squeeze(-1 if b.dim() == 1 else -2)
    return level.wrap(y)


@rule("outer")
def outer(level, function, args, kwargs):
    a, b = args
    return level.wrap(level.inner(a).unsqueeze(-1) * level.inner(b).unsqueeze(-2))


@rule("addmm addmv baddbmm")
def addmm(level, function, args, kwargs):
    if len(args) != 3 or set(kwargs) - {"beta", "alpha"} or len({x.dtype for x in args}) > 1:
        return NotImplemented
    y = (
        level.batch(_matmul(level, *args[1:]))
        if _any(level, args[1:])
        else lampas.matmul(*args[1:])
    )
    rank = y.dim() - (1 if _any(level, args[1:]) else 0)
    if args[0].dim() > rank:
        return NotImplemented
    bias = aligned(level, args[0], rank)
    beta, alpha = kwargs.get("beta", 1), kwargs.get("alpha", 1)
    y = y if alpha == 1 else alpha * y
    return level.wrap(y if beta == 0 else (bias if beta == 1 else beta * bias) + y)


def _any(level, tensors):
    return any(isinstance(x, Tensor) and level.batch(x) is not None for x in tensors)


def _named(args, kwargs, *names):
    """The arguments by name, or None when there are others."""
    if len(args) > len(names) or set(kwargs) - set(names):
        return None
    found = dict.fromkeys(names)
    found.update(zip(names, args))
    found.update(kwargs)
    return found


@rule("linear")
def linear(level, function, args, kwargs):
    given = _named(args, kwargs, "input", "weight", "bias")
    if given is None:
        return NotImplemented
    x, w, b = given["input"], given["weight"], given["bias"]
    if w.dim() != 2 or x.dim() == 0:
        return NotImplemented
    if not _any(level, (w, b)):
        return level.wrap(function(level.batch(x), w, b))
    if level.batch(w) is None:
        y = function(level.inner(x), w)
        y = y if level.batch(x) is not None else y.unsqueeze(0)
    else:
        y = level.batch(_matmul_with(level, x, level.batch(w).mT))
    return level.wrap(y if b is None else y + aligned(level, b, x.dim()))


def _matmul_with(level, x, w):
    """x @ w for a batch w of matrices."""
    rank = max(x.dim(), 2)
    left = level.inner(x)
    left = left.unsqueeze(-2) if x.dim() == 1 else left
    w = padded(w, rank) if rank > 2 else w
    y = lampas.matmul(left, w)
    return level.wrap(y.squeeze(-2) if x.dim() == 1 else y)


@rule("embedding")
def embedding(level, function, args, kwargs):
    weight, index, *rest = args
    if level.batch(weight) is None:
        return level.wrap(function(weight, level.batch(index), *rest, **kwargs))
    if rest[:1] not in ([], [-1], [None]) or any(rest[1:]) or kwargs:
        return NotImplemented
    table = level.batch(weight)
    rows = level.expanded(index)
    first = lampas.arange(level.size).view(-1, *(1,) * (rows.dim() - 1)) * table.shape[1]
    return level.wrap(function(table.flatten(0, 1), rows + first, *rest))


# ---- layers over images ----

_SPATIAL = {f"{kind}{n}d": n for n in (1, 2, 3) for kind in
            ("conv", "conv_transpose", "max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool",
             "upsample_nearest", "_upsample_nearest_exact")}  # fmt: skip
_SPATIAL.update({f"max_pool{n}d_with_indices": n for n in (1, 2, 3)})
_SPATIAL.update(
    upsample_linear1d=1, upsample_bilinear2d=2, upsample_bicubic2d=2, upsample_trilinear3d=3
)


@rule(*_SPATIAL)
def over_images(level, function, args, kwargs):
    """Folds the batch into the images (N, C, ...) where only they have one."""
    x, rest, spatial = args[0], tensors_of((args[1:], kwargs)), _SPATIAL[function.__name__]
    if _any(level, rest):
        return _convolution(level, function, args, kwargs, spatial)
    batch = level.batch(x)
    if x.dim() == spatial + 1:
        return level.wrapped(function(batch, *args[1:], **kwargs))
    if x.dim() != spatial + 2 or not level.size:
        return NotImplemented
    result = function(batch.flatten(0, 1), *args[1:], **kwargs)
    return mapped(result, lambda y: level.wrap(y.unflatten(0, (level.size, -1))))


def _convolution(level, function, args, kwargs, spatial):
    """Batched filters: the batch becomes groups."""
    if function.__name__ != f"conv{spatial}d" or not level.size:
        return NotImplemented
    given = _named(
        args, kwargs, "input", "weight", "bias", "stride", "padding", "dilation", "groups"
    )
    if given is None:
        return NotImplemented
    x, w, b = given["input"], given["weight"], given["bias"]
    images, size, groups = level.expanded(x), level.size, given["groups"] or 1
    if x.dim() == spatial + 1:
        images = images.unsqueeze(1)
    images = images.transpose(0, 1).flatten(1, 2)  # (N, B C, ...)
    filters = level.expanded(w).flatten(0, 1)  # (B O, C / groups, ...)
    bias = None if b is None else level.expanded(b).flatten()
    others = {
        k: v for k, v in given.items() if k in ("stride", "padding", "dilation") and v is not None
    }
    y = function(images, filters, bias, groups=groups * size, **others)
    y = y.unflatten(1, (size, -1)).transpose(0, 1)
    return level.wrap(y.squeeze(1) if x.dim() == spatial + 1 else y)


@rule("layer_norm")
def layer_norm(level, function, args, kwargs):
    given = _named(
        args, kwargs, "input", "normalized_shape", "weight", "bias", "eps", "cudnn_enable"
    )
    if given is None or level.batch(given["input"]) is None:
        return NotImplemented
    x, w, b = given["input"], given["weight"], given["bias"]
    shape, eps = given["normalized_shape"], 1e-5 if given["eps"] is None else given["eps"]
    if not _any(level, (w, b)):
        return level.wrap(function(level.batch(x), shape, w, b, eps))
    y = function(level.batch(x), shape, None, None, eps)
    y = y if w is None else y * aligned(level, w, x.dim())
    return level.wrap(y if b is None else y + aligned(level, b, x.dim()))


@rule("group_norm")
def group_norm(level, function, args, kwargs):
    given = _named(args, kwargs, "input", "num_groups", "weight", "bias", "eps", "cudnn_enabled")
    if given is None or level.batch(given["input"]) is None or given["input"].dim() < 2:
        return NotImplemented
    x, w, b = given["input"], given["weight"], given["bias"]
    eps = 1e-5 if given["eps"] is None else given["eps"]
    if not level.size:
        return NotImplemented
    y = function(level.batch(x).flatten(0, 1), given["num_groups"], None, None, eps)
    y = y.unflatten(0, (level.size, -1))
    per_channel = lambda p: level.inner(p)[(..., *(None,) * (x.dim() - 2))]  # noqa: E731
    y = y if w is None else y * padded_to(level, w, per_channel(w), x.dim())
    return level.wrap(y if b is None else y + padded_to(level, b, per_channel(b), x.dim()))


def padded_to(level, x, batch, rank):
    return batch if level.batch(x) is None else padded(batch, rank)


@rule("scaled_dot_product_attention cdist _linalg_solve_ex _linalg_solve_triangular")
def leading(level, function, args, kwargs):
    """Operators of several tensors of one rank that treat leading dimensions alike."""
    tensors = tensors_of((args, kwargs))
    if len({x.dim() for x in tensors}) > 1 or tensors[0].dim() < 2:
        return NotImplemented
    return level.wrapped(function(*mapped(args, level.expanded), **mapped(kwargs, level.expanded)))


# ---- losses ----

_NONE, _MEAN, _SUM = 0, 1, 2


def _reduced(level, y, reduction):
    if reduction == _NONE or y.dim() == 1:
        return level.wrap(y)
    y = y.flatten(1)
    return level.wrap(y.mean(1) if reduction == _MEAN else y.sum(1))


@rule("mse_loss l1_loss smooth_l1_loss huber_loss soft_margin_loss kl_div")
def pairwise_loss(level, function, args, kwargs):
    if "reduction" in kwargs or len(args) < 3:
        return NotImplemented
    a, b, reduction, *rest = args
    if a.shape != b.shape or a.dtype != b.dtype:
        return NotImplemented
    y = function(level.expanded(a), level.expanded(b), _NONE, *rest, **kwargs)
    return _reduced(level, y, reduction)


@rule("binary_cross_entropy binary_cross_entropy_with_logits")
def binary_loss(level, function, args, kwargs):
    names = ("input", "target", "weight", "reduction")
    if function.__name__.endswith("logits"):
        names = ("input", "target", "weight", "pos_weight", "reduction")
    given = _named(args, kwargs, *names)
    if given is None or given["weight"] is not None or given.get("pos_weight") is not None:
        return NotImplemented
    a, b = given["input"], given["target"]
    if a.shape != b.shape or a.dtype != b.dtype:
        return NotImplemented
    y = function(level.expanded(a), level.expanded(b), reduction=_NONE)
    reduction = _MEAN if given["reduction"] is None else given["reduction"]
    return _reduced(level, y, reduction)


@rule("cross_entropy nll_loss")
def class_loss(level, function, args, kwargs):
    """(N, C) or (C): every row on its own, then the mean over those that count."""
    names = ("input", "target", "weight", "reduction", "ignore_index", "label_smoothing")
    given = _named(args, kwargs, *names)
    if given is None or given["weight"] is not None or not level.size:
        return NotImplemented
    x, target = given["input"], given["target"]
    if x.dim() > 2 or target.is_floating_point() or target.dim() != x.dim() - 1:
        return NotImplemented
    reduction = _MEAN if given["reduction"] is None else given["reduction"]
    ignored = -100 if given["ignore_index"] is None else given["ignore_index"]
    others = {"ignore_index": ignored}
    if given["label_smoothing"]:
        others["label_smoothing"] = given["label_smoothing"]
    logits, classes = level.expanded(x), level.expanded(target)
    rows = function(logits.flatten(0, -2), classes.flatten(), None, reduction=_NONE, **others)
    rows = rows.view(classes.shape)
    if reduction == _NONE or x.dim() == 1:
        alone = reduction == _MEAN and x.dim() == 1
        return level.wrap(rows / (classes != ignored) if alone else rows)
    total = rows.sum(1)
    return level.wrap(total / (classes != ignored).sum(1) if reduction == _MEAN else total)


@rule("prelu")
def prelu(level, function, args, kwargs):
    if args[1].numel() != 1:
        return NotImplemented
    return elementwise(level, lampas._core.prelu_kernel, args, kwargs)
