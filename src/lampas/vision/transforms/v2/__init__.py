"""The names of `torchvision.transforms.v2` that mean the same as in `lampas.vision.transforms`.

Images only: bounding boxes, masks and videos have no types of their own here. `ToImage` and
`ToDtype` are the steps that replace `ToTensor`; `MixUp` and `CutMix` mix the examples of a batch.
"""

from lampas.vision.transforms.autoaugment import (
    AugMix,
    AutoAugment,
    AutoAugmentPolicy,
    RandAugment,
    TrivialAugmentWide,
)
from lampas.vision.transforms.functional import InterpolationMode
from lampas.vision.transforms.transforms import *
from lampas.vision.transforms.v2 import functional
from lampas.vision.transforms.v2.conversion import Identity, ToDtype, ToImage, ToPureTensor
from lampas.vision.transforms.v2.mixing import CutMix, MixUp
