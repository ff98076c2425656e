"""Image transforms on PIL images and tensors, under the names of `torchvision.transforms`."""

from lampas.vision.transforms import functional
from lampas.vision.transforms.functional import InterpolationMode
from lampas.vision.transforms.transforms import (
    CenterCrop,
    Compose,
    ConvertImageDtype,
    Grayscale,
    Lambda,
    Normalize,
    Pad,
    PILToTensor,
    RandomApply,
    RandomChoice,
    RandomCrop,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomOrder,
    RandomVerticalFlip,
    Resize,
    ToPILImage,
    ToTensor,
)
