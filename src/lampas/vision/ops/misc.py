"""`torchvision.ops.misc`: blocks of models under the path where other packages look for them."""

from lampas.vision.ops.blocks import Conv2dNormActivation, FrozenBatchNorm2d, SqueezeExcitation

__all__ = ["Conv2dNormActivation", "FrozenBatchNorm2d", "SqueezeExcitation"]
