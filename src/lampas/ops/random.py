"""Random composites: multinomial draws, the dropout family. Streams and fills are in the core."""

import lampas
from lampas import _core
from lampas.ops.matrix_checks import label
from lampas.ops.register import composite

_SELU_ALPHA = 1.7580993408473766  # scale * alpha of SELU


@composite(method=True)
def multinomial(input, num_samples, replacement=False, *, generator=None, out=None):
    """Indices drawn with probabilities in proportion to `input`.

    input: (categories) or (rows, categories), floating, not negative. Result: int64, (num_samples)
    or (rows, num_samples). Raises RuntimeError for weights that are no distribution. Without
    replacement: the largest of weight / exponential noise, P. Efraimidis, P. Spirakis, 2006.
    """
    if out is not None and out.dtype is not _core.int64:
        raise RuntimeError(f"multinomial expects Long tensor out, got: {label(out.dtype)}")
    drawn = _multinomial(input.detach(), num_samples, replacement, generator)
    return drawn if out is None else _core._write_out("multinomial", out, drawn)


def _multinomial(weights, num_samples, replacement, generator):
    _core._check_multinomial(weights, num_samples, replacement)
    if replacement and num_samples > 1:
        return _core._multinomial_with_replacement(weights, num_samples, generator)
    ratio = weights / lampas.empty_like(weights).exponential_(generator=generator)
    if num_samples == 1:
        return ratio.argmax(-1, keepdim=True)
    return ratio.topk(num_samples)[1]


def _check_probability(p):
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p:g}")


def _feature_shape(x):
    if x.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return (*x.shape[:2], *(1,) * (x.dim() - 2))


def _noise(x, shape, p):
    return lampas.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(1 - p)


@composite(inplace=True)
def feature_dropout(input, p, train):
    """Zeroes whole channels (dimension 1) with probability p, scales the others by 1 / (1 - p)."""
    _check_probability(p)
    if p == 0 or not train or input.numel() == 0:
        return input
    if p == 1:
        return input * lampas.zeros((), dtype=input.dtype, device=input.device)
    return input * _noise(input, _feature_shape(input), p).div_(1 - p)


def _alpha(input, shape, p):
    # Dropped elements become SELU's negative limit; then mean and variance are restored.
    # G. Klambauer et al., "Self-Normalizing Neural Networks", 2017.
    if p == 1:
        return input * lampas.zeros((), dtype=input.dtype, device=input.device)
    scale = 1 / ((_SELU_ALPHA**2 * p + 1) * (1 - p)) ** 0.5
    kept = _noise(input, shape, p)
    shift = (kept - 1).mul_(_SELU_ALPHA * scale).add_(_SELU_ALPHA * scale * p)
    return input * kept.mul_(scale) + shift


@composite(inplace=True)
def alpha_dropout(input, p, train):
    """Dropout that keeps the mean and variance of SELU activations."""
    _check_probability(p)
    if p == 0 or not train or input.numel() == 0:
        return input
    return _alpha(input, input.shape, p)


@composite(inplace=True)
def feature_alpha_dropout(input, p, train):
    """alpha_dropout of whole channels (dimension 1)."""
    _check_probability(p)
    if p == 0 or not train or input.numel() == 0:
        return input
    return _alpha(input, _feature_shape(input), p)
