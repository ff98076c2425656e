"""The memory format of convolution weights."""

import lampas


def _convert(module, memory_format, kinds):
    if isinstance(module, kinds):
        weight = module.weight.detach().clone(memory_format=memory_format)
        module.weight.data = weight.contiguous(memory_format=memory_format)
    for child in module.children():
        _convert(child, memory_format, kinds)
    return module


def convert_conv2d_weight_memory_format(module, memory_format):
    """Convert the weights of all 2-d convolutions in a module, usually to channels_last."""
    return _convert(module, memory_format, (lampas.nn.Conv2d, lampas.nn.ConvTranspose2d))


def convert_conv3d_weight_memory_format(module, memory_format):
    """Convert the weights of all 3-d convolutions in a module, usually to channels_last_3d."""
    return _convert(module, memory_format, (lampas.nn.Conv3d, lampas.nn.ConvTranspose3d))
