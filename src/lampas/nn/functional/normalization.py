"""Normalisations: checks around the core's kernels, and those composed of other operators."""

import lampas
from lampas import _core, hints
from lampas.nn.functional.pooling import avg_pool2d, avg_pool3d


def _verify_batch_size(size):
    count = size[0]
    for extent in size[2:]:
        count *= extent
    if count == 1:
        text = f"Expected more than 1 value per channel when training, got input size {size}"
        raise hints.hinted(ValueError(text))


def batch_norm(
    input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1,
    eps=1e-5,
):  # fmt: skip
    """Normalises each channel (dimension 1) by the batch's statistics, or by the running ones.

    In training the running mean and (unbiased) variance move by `momentum` to the batch's.
    """
    if training:
        _verify_batch_size(input.shape)
    if eps < 0 or training and eps == 0:
        state = "positive during training" if training else "non-negative"
        raise ValueError(f"batch_norm eps must be {state}, but got {eps}")
    if (
        input.dim() == 1
        and not input.numel()
        and (running_mean is None or not running_mean.numel())
    ):
        return input.clone()  # no channels, whose running values there are none of either
    return _core.batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps, True
    )


def _verify_spatial_size(size):
    count = 1
    for extent in size[2:]:
        count *= extent
    if count == 1:
        text = f"Expected more than 1 spatial element when training, got input size {size}"
        raise hints.hinted(ValueError(text))


def instance_norm(
    input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
    momentum=0.1, eps=1e-5,
):  # fmt: skip
    """Normalises each channel of each sample of (N, C, *) by itself."""
    if use_input_stats:
        _verify_spatial_size(input.shape)
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when use_input_stats is false"
        )
    for name, tensor in (("running_mean", running_mean), ("running_var", running_var)):
        if tensor is not None and tensor.dtype != input.dtype:
            raise RuntimeError(
                f"Expected {name} to have type {_type_name(input)} but got {_type_name(tensor)}"
            )
    n, c = input.shape[:2]
    # One channel for each sample and channel turns this into batch normalisation.
    tiled = [None if t is None else t.repeat(n) for t in (weight, bias, running_mean, running_var)]
    flat = input.contiguous().view(1, n * c, *input.shape[2:])
    result = _core.batch_norm(flat, *tiled, use_input_stats, momentum, eps, True)
    for tensor, copies in ((running_mean, tiled[2]), (running_var, tiled[3])):
        if use_input_stats and tensor is not None:
            with lampas.no_grad():
                tensor.copy_(copies.view(n, c).mean(0))
    return result.view(input.shape)


def _type_name(tensor):
    return str(tensor.dtype).partition(".")[2]


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Normalises over the last dimensions, which must be `normalized_shape`."""
    return _core.layer_norm(input, normalized_shape, weight, bias, eps)


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Divides by the root mean square over the last dimensions, `normalized_shape`."""
    return _core.rms_norm(input, normalized_shape, weight, eps)


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Normalises each group of channels of each sample of (N, C, *)."""
    if input.dim() < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.dim()}"
        )
    _verify_batch_size([input.size(0) * input.size(1) // num_groups, num_groups, *input.shape[2:]])
    return _core.group_norm(input, num_groups, weight, bias, eps)


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """x / (k + alpha * mean of squares over `size` channels)^beta (Krizhevsky et al., 2012)."""
    dims = input.dim()
    if dims < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality {' ' * 25}input (got {dims} dimensions)"
        )
    if input.numel() == 0:
        return input
    squares = input.mul(input)
    before, after = size // 2, (size - 1) // 2
    if dims == 3:
        padded = _core.constant_pad_nd(squares.unsqueeze(1), (0, 0, before, after), 0)
        mean = avg_pool2d(padded, (size, 1), stride=1).squeeze(1)
    else:
        n, c, h = input.shape[:3]
        flat = squares.reshape(n, 1, c, h, -1)
        padded = _core.constant_pad_nd(flat, (0, 0, 0, 0, before, after), 0)
        mean = avg_pool3d(padded, (size, 1, 1), stride=1).squeeze(1).view(input.shape)
    return input / mean.mul(alpha).add(k).pow(beta)


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """x divided by its p-norm along `dim`, the norm at least `eps`."""
    if out is None:
        return input / input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)
    return lampas.div(
        input, input.norm(p, dim, keepdim=True).clamp_min_(eps).expand_as(input), out=out
    )
