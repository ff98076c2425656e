"""Image transforms on PIL images and tensors, under the names of `torchvision.transforms`."""

from lampas.vision.transforms import functional
from lampas.vision.transforms.autoaugment import (
    AugMix,
    AutoAugment,
    AutoAugmentPolicy,
    RandAugment,
    TrivialAugmentWide,
)
from lampas.vision.transforms.functional import InterpolationMode
from lampas.vision.transforms.transforms import *
