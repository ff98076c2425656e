"""The steps of version 2 that replace `ToTensor`: to a tensor image, and to a type."""

import lampas
from lampas.vision.transforms.base import Transform
from lampas.vision.transforms.v2 import functional as F


class ToImage(lampas.nn.Module):
    """PIL image, array (H, W, C) or tensor to tensor (C, H, W), values unchanged."""

    def forward(self, image):
        return F.to_image(image)


class ToDtype(Transform):
    """Another element type; with `scale` its range too (`convert_image_dtype`)."""

    shown = ("scale",)

    def __init__(self, dtype, scale=False):
        super().__init__()
        self.dtype = dtype
        self.scale = scale

    def forward(self, image):
        return F.to_dtype(image, self.dtype, self.scale)


class Identity(lampas.nn.Module):
    """The input."""

    def forward(self, image):
        return image


class ToPureTensor(Identity):
    """The input: tensors carry no kind here."""
