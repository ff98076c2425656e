"""Folding batch norms into the layer before them, for inference."""

import copy

import lampas


def _scale_and_shift(bias, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """The factor of the weight and the new bias: bn(y + bias) = scale * y + shift."""
    scale = lampas.rsqrt(bn_rv + bn_eps)
    if bn_w is not None:
        scale = scale * bn_w
    shift = (-bn_rm if bias is None else bias - bn_rm) * scale
    return scale, shift if bn_b is None else shift + bn_b


def fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose=False):
    """Weight and bias of a convolution that includes the batch norm after it."""
    scale, shift = _scale_and_shift(conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    shape = [1] * conv_w.dim()
    shape[1 if transpose else 0] = -1
    bias_dtype = conv_w.dtype if conv_b is None else conv_b.dtype
    bias_grad = False if conv_b is None else conv_b.requires_grad
    weight = (conv_w * scale.reshape(shape)).to(dtype=conv_w.dtype)
    return (
        lampas.nn.Parameter(weight, conv_w.requires_grad),
        lampas.nn.Parameter(shift.to(dtype=bias_dtype), bias_grad),
    )


def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """Weight and bias of a linear layer that includes the batch norm after it."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _statistics(bn):
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    return bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias


def fuse_conv_bn_eval(conv, bn, transpose=False):
    """A copy of the convolution that includes the batch norm; `transpose` for transposed ones.

    Raises:
        AssertionError: a module in training mode, or no running statistics.
    """
    if conv.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, *_statistics(bn), transpose
    )
    return fused


def fuse_linear_bn_eval(linear, bn):
    """A copy of the linear layer that includes the batch norm.

    Raises:
        AssertionError: a module in training mode, or numbers of features that do not fit.
    """
    if linear.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.num_features not in (linear.out_features, 1):
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, "
            f"got linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(fused.weight, fused.bias, *_statistics(bn))
    return fused
