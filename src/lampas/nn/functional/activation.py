"""Activation functions: kernels of the core with their in-place forms, and a few composites."""

import warnings

import lampas
from lampas import _core

gelu = _core.gelu
hardshrink = _core.hardshrink
softshrink = _core.softshrink
logsigmoid = _core.log_sigmoid
softplus = _core.softplus
prelu = _core.prelu
relu_ = _core.relu_
celu_ = _core.celu_
elu_ = _core.elu_
hardtanh_ = _core.hardtanh_
leaky_relu_ = _core.leaky_relu_
rrelu_ = _core.rrelu_
selu_ = _core.selu_
threshold_ = _core.threshold_
sigmoid = _core.sigmoid
tanh = _core.tanh


def relu(input, inplace=False):
    """max(0, x)."""
    return relu_(input) if inplace else _core.relu(input)


def relu6(input, inplace=False):
    """min(max(0, x), 6)."""
    return _core.relu6_(input) if inplace else _core.relu6(input)


def threshold(input, threshold, value, inplace=False):
    """x where x > threshold, else `value`."""
    act = threshold_ if inplace else _core.threshold
    return act(input, threshold, value)


def elu(input, alpha=1.0, inplace=False):
    """x where x > 0, else alpha * (exp(x) - 1)."""
    return elu_(input, alpha) if inplace else _core.elu(input, alpha)


def selu(input, inplace=False):
    """ELU with the scales of self-normalising networks (Klambauer et al., 2017)."""
    return selu_(input) if inplace else _core.selu(input)


def celu(input, alpha=1.0, inplace=False):
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1))."""
    return celu_(input, alpha) if inplace else _core.celu(input, alpha)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """x where x > 0, else negative_slope * x."""
    act = leaky_relu_ if inplace else _core.leaky_relu
    return act(input, negative_slope)


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """Leaky ReLU with slopes drawn from [lower, upper] in training, their mean otherwise."""
    act = rrelu_ if inplace else _core.rrelu
    return act(input, lower, upper, training)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """x limited to [min_val, max_val]."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    act = hardtanh_ if inplace else _core.hardtanh
    return act(input, min_val, max_val)


def hardsigmoid(input, inplace=False):
    """relu6(x + 3) / 6."""
    return _core.hardsigmoid_(input) if inplace else _core.hardsigmoid(input)


def hardswish(input, inplace=False):
    """x * relu6(x + 3) / 6."""
    return _core.hardswish_(input) if inplace else _core.hardswish(input)


def silu(input, inplace=False):
    """x * sigmoid(x)."""
    return _core.silu_(input) if inplace else _core.silu(input)


def mish(input, inplace=False):
    """x * tanh(softplus(x))."""
    return _core.mish_(input) if inplace else _core.mish(input)


def tanhshrink(input):
    """x - tanh(x)."""
    return input - input.tanh()


def softsign(input):
    """x / (1 + |x|)."""
    return input / (input.abs() + 1)


def glu(input, dim=-1):
    """a * sigmoid(b), the halves a and b of the input along `dim`."""
    if input.dim() == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    size = input.size(dim)
    if size % 2 != 0:
        wrapped = dim % input.dim()
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {wrapped} is size {size}"
        )
    a, b = input.chunk(2, dim)
    return a * b.sigmoid()


def _get_softmax_dim(name, ndim, stacklevel):
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        "Change the call to include dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """exp(x) scaled to sum 1 along `dim`, computed in `dtype` if given."""
    if dim is None:
        dim = _get_softmax_dim("softmax", input.dim(), _stacklevel)
    return _core.softmax(input, dim) if dtype is None else _core.softmax(input, dim, dtype=dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """log(softmax(x)) along `dim`, computed in `dtype` if given."""
    if dim is None:
        dim = _get_softmax_dim("log_softmax", input.dim(), _stacklevel)
    if dtype is None:
        return _core.log_softmax(input, dim)
    return _core.log_softmax(input, dim, dtype=dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """softmax(-x) along `dim`."""
    if dim is None:
        dim = _get_softmax_dim("softmin", input.dim(), _stacklevel)
    return softmax(-input, dim, dtype=dtype)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """A sample of the Gumbel-softmax distribution (Jang et al., 2017).

    `hard`: one-hot in the forward pass, the soft sample's gradient in the backward pass.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    noise = lampas.empty_like(logits, memory_format=lampas.legacy_contiguous_format)
    noise = -noise.exponential_().log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    one = lampas.zeros_like(logits, memory_format=lampas.legacy_contiguous_format)
    return one.scatter_(dim, index, 1.0) - soft.detach() + soft
