"""Initial values for parameters, filled in place and without gradient.

Every function draws from the default generator (or `generator`) in PyTorch's order.
"""

import functools
import math
import warnings

import lampas

_LINEAR = (
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
)


def _no_grad_uniform_(tensor, a, b, generator=None):
    with lampas.no_grad():
        return tensor.uniform_(a, b, generator=generator)


def _no_grad_normal_(tensor, mean, std, generator=None):
    with lampas.no_grad():
        return tensor.normal_(mean, std, generator=generator)


def _no_grad_fill_(tensor, val):
    with lampas.no_grad():
        return tensor.fill_(val)


def _no_grad_zero_(tensor):
    with lampas.no_grad():
        return tensor.zero_()


def _normal_mass(mean, std, a, b):
    """The probability of [a, b] under a normal distribution."""
    low, high = ((x - mean) / std / math.sqrt(2.0) for x in (a, b))
    return (math.erf(high) - math.erf(low)) / 2


def _propose_normal(tensor, mean, std, a, b, generator):
    """Normal values, and which of them fall into [a, b]."""
    values = lampas.empty_like(tensor).normal_(mean, std, generator=generator)
    return values, (values >= a) & (values <= b)


def _propose_uniform(tensor, mean, std, a, b, generator):
    """Values in [a, b], accepted in proportion to the density (at most 1, at its peak)."""
    values = lampas.empty_like(tensor).uniform_(a, b, generator=generator)
    peak = min(max(mean, a), b)
    log_density = ((peak - mean) ** 2 - (values - mean) ** 2) / (2 * std * std)
    chance = lampas.empty_like(tensor).uniform_(generator=generator)
    return values, chance.log() <= log_density


def _no_grad_trunc_normal_(tensor, mean, std, a, b, generator=None):
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
    # Rejection; a whole tensor is proposed in every round, whatever is still missing.
    usual = _normal_mass(mean, std, a, b) >= 0.3
    propose = _propose_normal if usual else _propose_uniform
    with lampas.no_grad():
        values, done = propose(tensor, mean, std, a, b, generator)
        tensor.copy_(values)
        while not tensor.is_meta and not done.all():
            values, accepted = propose(tensor, mean, std, a, b, generator)
            tensor.copy_(lampas.where(accepted & ~done, values, tensor))
            done |= accepted
    return tensor


def calculate_gain(nonlinearity, param=None):
    """The gain that keeps the variance through a nonlinearity; `param` is a negative slope.

    Raises:
        ValueError: an unknown name, or a slope that is not a number.
    """
    if nonlinearity in _LINEAR or nonlinearity == "sigmoid":
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        # Found by trial: the self-normalising value of 1 is unstable in deep nets.
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Fill with values from U(a, b)."""
    return _no_grad_uniform_(tensor, a, b, generator)


def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Fill with values from N(mean, std^2)."""
    return _no_grad_normal_(tensor, mean, std, generator)


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Fill with values from N(mean, std^2) restricted to [a, b]."""
    return _no_grad_trunc_normal_(tensor, mean, std, a, b, generator)


def constant_(tensor, val):
    """Fill with `val`."""
    return _no_grad_fill_(tensor, val)


def ones_(tensor):
    """Fill with 1."""
    return _no_grad_fill_(tensor, 1.0)


def zeros_(tensor):
    """Fill with 0."""
    return _no_grad_zero_(tensor)


def eye_(tensor):
    """Fill a matrix with the identity.

    Raises:
        ValueError: not two dimensions.
    """
    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with lampas.no_grad():
        tensor.zero_()
        tensor.diagonal().fill_(1)
    return tensor


def dirac_(tensor, groups=1):
    """Fill a convolution's weight so that it passes its input channels on, group by group.

    Raises:
        ValueError: not 3, 4 or 5 dimensions, or output channels that `groups` does not divide.
    """
    if tensor.ndimension() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.size(0) % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    per_group = tensor.size(0) // groups
    centre = [size // 2 for size in tensor.shape[2:]]
    with lampas.no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(per_group, tensor.size(1))):
                tensor[(group * per_group + channel, channel, *centre)] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor):
    if tensor.dim() < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.size(1) * field, tensor.size(0) * field


def _calculate_correct_fan(tensor, mode):
    mode = mode.lower()
    valid_modes = ["fan_in", "fan_out"]
    if mode not in valid_modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {valid_modes}")
    return _calculate_fan_in_and_fan_out(tensor)[valid_modes.index(mode)]


def _xavier_std(tensor, gain):
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return gain * math.sqrt(2.0 / float(fan_in + fan_out))


def _kaiming_std(tensor, a, mode, nonlinearity):
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Glorot and Bengio (2010): U(-l, l), l = gain * sqrt(6 / (fan_in + fan_out)).

    Raises:
        ValueError: fewer than two dimensions.
    """
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return _no_grad_uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Glorot and Bengio (2010): N(0, s^2), s = gain * sqrt(2 / (fan_in + fan_out)).

    Raises:
        ValueError: fewer than two dimensions.
    """
    return _no_grad_normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def _warned_of_no_elements(tensor):
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return True
    return False


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """He et al. (2015): U(-l, l), l = gain * sqrt(3 / fan); `a` is the leaky slope.

    Raises:
        ValueError: fewer than two dimensions, an unknown mode or nonlinearity.
    """
    if _warned_of_no_elements(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return _no_grad_uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """He et al. (2015): N(0, s^2), s = gain / sqrt(fan); `a` is the leaky slope.

    Raises:
        ValueError: fewer than two dimensions, an unknown mode or nonlinearity.
    """
    if _warned_of_no_elements(tensor):
        return tensor
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return _no_grad_normal_(tensor, 0, std, generator)


def orthogonal_(tensor, gain=1, generator=None):
    """Saxe et al. (2013): a random (semi-)orthogonal matrix, other dimensions flattened.

    Raises:
        ValueError: fewer than two dimensions.
    """
    if tensor.ndimension() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.size(0)
    columns = tensor.numel() // rows
    with lampas.no_grad():
        flat = tensor.new_empty((rows, columns)).normal_(0, 1, generator=generator)
        q, r = lampas.linalg.qr(flat.t() if rows < columns else flat)
        # The signs make the distribution uniform (Mezzadri 2007).
        q = q * lampas.diag(r).sign()
        q = q.t() if rows < columns else q
        tensor.copy_(q.reshape(tensor.shape)).mul_(gain)
    return tensor


def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Martens (2010): N(0, std^2), and a part `sparsity` of every column set to 0.

    Raises:
        ValueError: not two dimensions.
    """
    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    zeros = int(math.ceil(sparsity * rows))
    with lampas.no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            # The default generator, also where another is given: as PyTorch does.
            chosen = lampas.randperm(rows)[:zeros]
            tensor[chosen, column] = 0
    return tensor


def _make_deprecate(meth):
    """The same function under its old name, which warns."""
    new_name = meth.__name__
    old_name = new_name[:-1]

    @functools.wraps(meth)
    def deprecated_init(*args, **kwargs):
        warnings.warn(
            f"`nn.init.{old_name}` is now deprecated in favor of `nn.init.{new_name}`.",
            FutureWarning,
            stacklevel=2,
        )
        return meth(*args, **kwargs)

    deprecated_init.__name__ = old_name
    deprecated_init.__doc__ = f"The old name of `{new_name}`."
    return deprecated_init


uniform = _make_deprecate(uniform_)
normal = _make_deprecate(normal_)
constant = _make_deprecate(constant_)
eye = _make_deprecate(eye_)
dirac = _make_deprecate(dirac_)
xavier_uniform = _make_deprecate(xavier_uniform_)
xavier_normal = _make_deprecate(xavier_normal_)
kaiming_uniform = _make_deprecate(kaiming_uniform_)
kaiming_normal = _make_deprecate(kaiming_normal_)
orthogonal = _make_deprecate(orthogonal_)
sparse = _make_deprecate(sparse_)
