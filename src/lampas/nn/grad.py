"""Gradients of convolutions with respect to input and weight, as functions."""

import lampas
from lampas import _core


def _gradient(conv, shapes, of_input, grad_output, stride, padding, dilation, groups, other):
    """The gradient of one operand: the convolution is linear in it, so zeros will do."""
    operand = lampas.zeros(shapes, dtype=other.dtype, device=other.device).requires_grad_()
    with lampas.enable_grad():
        pair = (operand, other) if of_input else (other, operand)
        result = conv(*pair, None, stride, padding, dilation, groups)
    graph = grad_output.requires_grad or other.requires_grad
    return lampas.autograd.grad(result, operand, grad_output, create_graph=graph)[0]


def _of_input(conv):
    def gradient(input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1):
        """The gradient of the convolution with respect to its input, of size `input_size`."""
        return _gradient(
            conv, input_size, True, grad_output, stride, padding, dilation, groups, weight
        )

    return gradient


def _of_weight(conv):
    def gradient(input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1):
        """The gradient of the convolution with respect to its weight, of size `weight_size`."""
        return _gradient(
            conv, weight_size, False, grad_output, stride, padding, dilation, groups, input
        )

    return gradient


conv1d_input = _of_input(_core.conv1d)
conv2d_input = _of_input(_core.conv2d)
conv3d_input = _of_input(_core.conv3d)
conv1d_weight = _of_weight(_core.conv1d)
conv2d_weight = _of_weight(_core.conv2d)
conv3d_weight = _of_weight(_core.conv3d)
