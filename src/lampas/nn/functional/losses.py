"""Losses. Those with kernels in the core are checked here; the others are composed."""

import math
import warnings

import lampas
from lampas import _core, hints
from lampas.nn._reduction import CODES, code, get_enum, name
from lampas.nn.functional.distance import pairwise_distance, scalar_type


def _reduce(loss, reduction):
    """`reduction` is an integer code."""
    if reduction == 1:
        return loss.mean()
    return loss.sum() if reduction == 2 else loss


def _same_size(input, target, weight=None):
    """The two broadcast against each other, with a warning if that is needed."""
    if target.shape != input.shape:
        text = (
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size."
        )
        warnings.warn(hints.warning(text, UserWarning), stacklevel=3)
        return lampas.broadcast_tensors(input, target)
    return input, target


def _weighted(loss, weight, reduction):
    if weight.size() != loss.size():
        raise ValueError("Weights and input must have the same size.")
    loss = loss * weight
    if reduction == "mean":
        return loss.sum() / weight.sum()
    return _reduce(loss, get_enum(reduction))


# differences


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """(x - y)^2."""
    reduction = name(reduction, size_average, reduce)
    input, target = _same_size(input, target)
    if weight is not None:
        return _weighted(_core.mse_loss(input, target, 0), weight, reduction)
    return _core.mse_loss(input, target, get_enum(reduction))


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|x - y|."""
    reduction = name(reduction, size_average, reduce)
    input, target = _same_size(input, target)
    if weight is not None:
        return _weighted(_core.l1_loss(input, target, 0), weight, reduction)
    return _core.l1_loss(input, target, get_enum(reduction))


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """0.5 d^2 / beta where d = |x - y| < beta, else d - 0.5 beta."""
    reduction = code(reduction, size_average, reduce)
    input, target = _same_size(input, target)
    if beta == 0.0:
        return _core.l1_loss(input, target, reduction)
    return _core.smooth_l1_loss(input, target, reduction, beta)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """0.5 d^2 where d = |x - y| < delta, else delta * (d - 0.5 delta)."""
    input, target = _same_size(input, target)
    if weight is not None:
        return _weighted(_core.huber_loss(input, target, 0, delta), weight, reduction)
    return _core.huber_loss(input, target, get_enum(reduction), delta)


# likelihoods


def nll_loss(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
    reduction="mean",
):  # fmt: skip
    """-x[target] for log probabilities (C,), (N, C) or (N, C, *); mean: by the weights' sum."""
    return _core.nll_loss(
        input, target, weight, code(reduction, size_average, reduce), ignore_index
    )


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
    reduction="mean", label_smoothing=0.0,
):  # fmt: skip
    """Negative log likelihood of softmax(x) over the classes; targets: indices or
    probabilities of the input's shape."""
    if size_average is None and reduce is None and reduction in CODES:
        reduction = CODES[reduction]
    else:
        reduction = code(reduction, size_average, reduce)
    return _core.cross_entropy(input, target, weight, reduction, ignore_index, label_smoothing)


def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None,
    reduction="mean",
):  # fmt: skip
    """exp(x) - y * x, or x - y * log(x + eps); `full` adds Stirling's term where y > 1."""
    reduction = name(reduction, size_average, reduce)
    if reduction not in CODES:
        raise ValueError(reduction + " is not a valid value for reduction")
    if log_input:
        loss = input.exp() - target * input
    else:
        loss = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return _reduce(loss, CODES[reduction])


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """(log(var) + (x - y)^2 / var) / 2, var at least eps; `full` adds log(2 pi) / 2."""
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * lampas.ones_like(input)
    elif (var < 0).any():
        raise ValueError("var has negative entry/entries")
    if var.size() != input.size():
        if input.size()[:-1] == var.size():
            var = var.unsqueeze(-1)  # one variance for each sample
        elif not (input.size()[:-1] == var.size()[:-1] and var.size(-1) == 1):
            if input.ndim != var.ndim or not all(
                y in (x, 1) for x, y in zip(input.size(), var.size())
            ):
                raise ValueError("var is of incorrect size")
    if reduction not in CODES:
        raise ValueError(reduction + " is not valid")
    var = var.clone()
    with lampas.no_grad():
        var.clamp_(min=eps)
    loss = 0.5 * (lampas.log(var) + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return _reduce(loss, CODES[reduction])


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """y * (log(y) - x) for log probabilities x (and y, with `log_target`)."""
    if size_average is not None or reduce is not None:
        reduction = code(reduction, size_average, reduce)
    elif reduction == "batchmean":
        reduction = 2
        batch = input.size()[0] if input.dim() else 1
        return _kl(input, target, 2, log_target) / batch
    else:
        if reduction == "mean":
            warnings.warn(
                "reduction: 'mean' divides the total loss by both the batch size and the support "
                "size.'batchmean' divides only by the batch size, and aligns with the KL div math "
                "definition.'mean' will be changed to behave the same as 'batchmean' in the next "
                "major release.",
                stacklevel=2,
            )
        reduction = get_enum(reduction)
    return _kl(input, target, reduction, log_target)


def _kl(input, target, reduction, log_target):
    if input.is_complex() or target.is_complex():
        raise RuntimeError("kl_div: Complex inputs not supported.")
    if log_target:
        return _reduce(target.exp() * (target - input), reduction)
    return _reduce(lampas.xlogy(target, target) - target * input, reduction)


def binary_cross_entropy(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """-(y log(x) + (1 - y) log(1 - x)), the logarithms at least -100."""
    reduction = code(reduction, size_average, reduce)
    if target.shape != input.shape:
        text = (
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}) is deprecated. Please ensure they have the same size."
        )
        raise hints.hinted(ValueError(text))
    if weight is not None:
        shape = lampas.broadcast_shapes(target.size(), weight.size())
        weight = weight.expand(shape)
    return _core.binary_cross_entropy(input, target, weight, reduction)


def _check_probabilities(input, target):
    """PyTorch computes this loss in the dtype of the target."""
    if target.is_floating_point() or target.is_complex():
        return
    if target.dtype is lampas.bool:
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
            "`logical_xor()` operator instead."
        )
    result = lampas.result_type(input, target)
    if not lampas.can_cast(result, target.dtype):
        text = (
            f"result type {scalar_type(result)} can't be cast to the desired output type "
            f"{scalar_type(target.dtype)}"
        )
        raise hints.hinted(RuntimeError(text))


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean",
    pos_weight=None,
):  # fmt: skip
    """binary_cross_entropy(sigmoid(x), y); `pos_weight` multiplies the term of y."""
    reduction = code(reduction, size_average, reduce)
    if target.shape != input.shape:
        text = f"Target size ({target.size()}) must be the same as input size ({input.size()})"
        raise hints.hinted(ValueError(text))
    _check_probabilities(input, target)
    # log(sigmoid(x)) = logsigmoid(x), log(1 - sigmoid(x)) = logsigmoid(x) - x
    if pos_weight is None:
        loss = (1 - target) * input - _core.log_sigmoid(input)
    else:
        scale = (pos_weight - 1) * target + 1
        loss = (1 - target) * input - scale * _core.log_sigmoid(input)
    if weight is not None:
        loss = loss * weight
    return _reduce(loss, reduction)


def ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean",
    zero_infinity=False,
):  # fmt: skip
    """Connectionist temporal classification of (T, N, C) log probabilities."""
    return _core.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, get_enum(reduction),
        zero_infinity,
    )  # fmt: skip


# margins


def hinge_embedding_loss(
    input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"
):
    """x where y is 1, max(0, margin - x) where y is -1."""
    reduction = code(reduction, size_average, reduce)
    zero = input.new_zeros(())
    near = lampas.where(target != -1, input, zero)
    far = lampas.where(target != 1, (margin - input).clamp_min(0), zero)
    return _reduce(near + far, reduction)


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(-y * x)) for y of 1 and -1."""
    reduction = code(reduction, size_average, reduce)
    z = -input * target
    # exp(z) is taken as it is: an infinite loss is infinite in the original too.
    return _reduce(z.exp().log1p(), reduction)


def margin_ranking_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """max(0, -y * (x1 - x2) + margin)."""
    reduction = code(reduction, size_average, reduce)
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return _reduce((-target * (input1 - input2) + margin).clamp_min(0), reduction)


def cosine_embedding_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """1 - cos(x1, x2) where y is 1, max(0, cos(x1, x2) - margin) where y is -1."""
    reduction = code(reduction, size_average, reduce)
    if target.dim() not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    expected = target.dim() + 1
    if input1.dim() != expected or input2.dim() != expected:
        batch = "1D target tensor expects 2D" if expected == 2 else "0D target tensor expects 1D"
        raise RuntimeError(
            f"{batch} input tensors, but found inputs with sizes {list(input1.shape)} and "
            f"{list(input2.shape)}."
        )
    epsilon = 1e-12
    products = (input1 * input2).sum(expected - 1)
    squares1 = (input1 * input1).sum(expected - 1) + epsilon
    squares2 = (input2 * input2).sum(expected - 1) + epsilon
    cos = products / (squares1 * squares2).sqrt()
    zero = lampas.zeros_like(cos)
    same = lampas.where(target == 1, 1 - cos, zero)
    other = lampas.where(target == -1, (cos - margin).clamp_min(0), zero)
    return _reduce(same + other, reduction)


def multi_margin_loss(
    input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None,
    reduction="mean",
):  # fmt: skip
    """Mean over i != y of max(0, margin - x[y] + x[i])^p, for (C,) or (N, C)."""
    reduction = code(reduction, size_average, reduce)
    if p != 1 and p != 2:
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    x = input if input.dim() == 2 else input.reshape(1, -1)
    _check_classes(input, x, target)
    if weight is not None and weight.numel() != x.size(1):
        raise RuntimeError(
            f"inconsistent weight size, expected {x.size(1)} but got {list(weight.shape)}"
        )
    if target.dtype != lampas.int64:
        raise RuntimeError(f"expected scalar type Long but found {scalar_type(target.dtype)}")
    classes = target.reshape(-1)
    if classes.numel() and bool(((classes < 0) | (classes >= x.size(1))).any()):
        raise RuntimeError("target out of range")
    chosen = classes.unsqueeze(1)
    terms = (margin - x.gather(1, chosen) + x).clamp_min(0)
    if p == 2:
        terms = terms * terms
    if weight is not None:
        terms = terms * weight[classes].unsqueeze(1)
    terms = terms.scatter(1, chosen, 0.0)
    loss = terms.sum(1) / x.size(1)
    if target.dim() == 0:
        loss = loss.squeeze(0)
    return _reduce(loss, reduction)


def _check_classes(input, x, target):
    dims = input.dim()
    empty = dims == 1 and input.size(0) == 0 or dims == 2 and input.size(1) == 0
    if dims > 2 or empty:
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(input.shape)}"
        )
    if target.dim() > 1 or target.numel() != x.size(0):
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of "
            f"input samples (batch size). Expected target size [{x.size(0)}], but got "
            f"{list(target.shape)}. Input has shape {list(input.shape)}."
        )


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """Sum over targets y and other classes i of max(0, 1 - (x[y] - x[i])) / C.

    The targets of a row end at the first negative entry.
    """
    reduction = code(reduction, size_average, reduce)
    if (
        input.dim() > 2
        or input.dim() == 2
        and input.size(1) == 0
        or (input.dim() == 1 and input.numel() == 0)
    ):
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(input.shape)}"
        )
    if target.shape != input.shape and not (target.dim() <= 1 and target.numel() == input.numel()):
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    x = input if input.dim() == 2 else input.reshape(1, -1)
    labels = target.reshape(x.shape)
    if labels.numel() and (int(labels.min()) < -1 or int(labels.max()) >= x.size(1)):
        raise RuntimeError("target out of range")
    valid = (labels < 0).cumsum(1) == 0  # (N, C): before the first negative entry
    places = labels.masked_fill(~valid, 0)
    is_target = lampas.zeros_like(labels).scatter_add(1, places, valid.to(labels.dtype)) > 0
    difference = 1 - x.gather(1, places).unsqueeze(2) + x.unsqueeze(1)  # (N, target, class)
    counted = valid.unsqueeze(2) & ~is_target.unsqueeze(1)
    loss = difference.clamp_min(0).masked_fill(~counted, 0).sum((1, 2)) / x.size(1)
    if input.dim() < 2:
        loss = loss.squeeze(0)
    return _reduce(loss, reduction)


def multilabel_soft_margin_loss(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """Binary cross entropy of sigmoid(x), averaged over the classes (last dimension)."""
    reduction = code(reduction, size_average, reduce)
    loss = -(target * _core.log_sigmoid(input) + (1 - target) * _core.log_sigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return _reduce(loss.sum(input.dim() - 1) / input.size(input.dim() - 1), reduction)


# triplets


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, size_average=None,
    reduce=None, reduction="mean",
):  # fmt: skip
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d the p-norm.

    `swap`: the nearer of anchor and positive is compared with negative (Balntas et al., 2016).
    """
    reduction = code(reduction, size_average, reduce)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.dim()}D, positive {positive.dim()}D, and "
            f"negative {negative.dim()}D inputs"
        )
    return _triplet(anchor, positive, negative, margin, swap, reduction, p, eps)


def _triplet(anchor, positive, negative, margin, swap, reduction, p, eps):
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = lampas.min(far, pairwise_distance(positive, negative, p, eps))
    return _reduce((margin + near - far).clamp_min(0), reduction)


def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False,
    reduction="mean",
):  # fmt: skip
    """`triplet_margin_loss` with a distance function of one's own."""
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    distance = pairwise_distance if distance_function is None else distance_function
    dims = (anchor.dim(), positive.dim(), negative.dim())
    if len(set(dims)) > 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {dims[0]}D, positive {dims[1]}D, and negative "
            f"{dims[2]}D inputs"
        )
    near = distance(anchor, positive)
    far = distance(anchor, negative)
    if swap:
        far = lampas.min(far, distance(positive, negative))
    return _reduce((margin + near - far).clamp_min(0), get_enum(reduction))
