"""Resizing, cropping, borders and mirrors, fixed and random."""

import math
import warnings

import lampas
from lampas.vision.transforms import functional as F
from lampas.vision.transforms.base import Sometimes, Transform, randint, uniform
from lampas.vision.transforms.functional.geometry import check_padding, pair
from lampas.vision.transforms.functional.image import InterpolationMode, interpolation_mode


class Resize(Transform):
    """To (height, width), or the shorter side to one number."""

    shown = ("size", "interpolation", "max_size", "antialias")

    def __init__(
        self, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True
    ):
        super().__init__()
        if not isinstance(size, (int, tuple, list)) and size is not None:
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, (tuple, list)) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.max_size = max_size
        self.interpolation = interpolation_mode(interpolation)
        self.antialias = antialias

    def forward(self, image):
        return F.resize(image, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(Transform):
    """The middle of the image."""

    shown = ("size",)

    def __init__(self, size):
        super().__init__()
        self.size = pair(size)

    def forward(self, image):
        return F.center_crop(image, self.size)


class Pad(Transform):
    """A border around the image."""

    shown = ("padding", "fill", "padding_mode")

    def __init__(self, padding, fill=0, padding_mode="constant"):
        super().__init__()
        check_padding(padding, fill, padding_mode)
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, image):
        return F.pad(image, self.padding, self.fill, self.padding_mode)


class RandomCrop(Transform):
    """A rectangle of `size` at a random place of the image, which gets a border first."""

    shown = ("size", "padding")

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant"):
        super().__init__()
        self.size = pair(size)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(image, output_size):
        """top, left, height and width of a random rectangle."""
        _, height, width = F.get_dimensions(image)
        wanted_h, wanted_w = output_size
        if height < wanted_h or width < wanted_w:
            raise ValueError(
                f"Required crop size {(wanted_h, wanted_w)} is larger than input image size "
                f"{(height, width)}"
            )
        if (width, height) == (wanted_w, wanted_h):
            return 0, 0, height, width
        top = randint(0, height - wanted_h + 1)
        left = randint(0, width - wanted_w + 1)
        return top, left, wanted_h, wanted_w

    def forward(self, image):
        if self.padding is not None:
            image = F.pad(image, self.padding, self.fill, self.padding_mode)
        _, height, width = F.get_dimensions(image)
        if self.pad_if_needed and width < self.size[1]:
            image = F.pad(image, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            image = F.pad(image, [0, self.size[0] - height], self.fill, self.padding_mode)
        return F.crop(image, *self.get_params(image, self.size))


class RandomResizedCrop(Transform):
    """A random rectangle of a share `scale` of the area and of side ratio `ratio`, resized.

    Source: C. Szegedy et al. (2015), "Going deeper with convolutions".
    """

    _tries = 10

    def __init__(
        self,
        size,
        scale=(0.08, 1.0),
        ratio=(3.0 / 4.0, 4.0 / 3.0),
        interpolation=InterpolationMode.BILINEAR,
        antialias=True,
    ):
        super().__init__()
        self.size = pair(size)
        for name, value in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(value, (list, tuple)):
                raise TypeError(f"{name} should be a sequence")
        if scale[0] > scale[1] or ratio[0] > ratio[1]:
            warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=2)
        self.interpolation = interpolation_mode(interpolation)
        self.antialias = antialias
        self.scale = scale
        self.ratio = ratio

    @staticmethod
    def get_params(image, scale, ratio):
        """top, left, height and width; a central rectangle when ten draws do not fit."""
        _, height, width = F.get_dimensions(image)
        log_ratio = lampas.log(lampas.tensor(ratio)).tolist()
        for _ in range(RandomResizedCrop._tries):
            area = height * width * uniform(*scale)
            aspect = _exp_uniform(log_ratio)
            w, h = int(round(math.sqrt(area * aspect))), int(round(math.sqrt(area / aspect)))
            if 0 < w <= width and 0 < h <= height:
                top = randint(0, height - h + 1)
                return top, randint(0, width - w + 1), h, w
        w, h = _nearest_ratio(width, height, ratio)
        return (height - h) // 2, (width - w) // 2, h, w

    def forward(self, image):
        place = self.get_params(image, self.scale, self.ratio)
        return F.resized_crop(
            image, *place, self.size, self.interpolation, antialias=self.antialias
        )

    def __repr__(self):
        return (
            f"{type(self).__name__}(size={self.size}"
            f", scale={tuple(round(s, 4) for s in self.scale)}"
            f", ratio={tuple(round(r, 4) for r in self.ratio)}"
            f", interpolation={self.interpolation.value}"
            f", antialias={self.antialias})"
        )


def _exp_uniform(log_range):
    """exp of a uniform number, in float32 as a tensor computes it."""
    return lampas.exp(lampas.empty(1).uniform_(*log_range)).item()


def _nearest_ratio(width, height, ratio):
    """The largest (width, height) inside the image with a side ratio in the range."""
    current = width / height
    if current < min(ratio):
        return width, int(round(width / min(ratio)))
    if current > max(ratio):
        return int(round(height * max(ratio))), height
    return width, height


class FiveCrop(Transform):
    """The four corners and the centre, as a tuple."""

    shown = ("size",)

    def __init__(self, size):
        super().__init__()
        self.size = pair(size)

    def forward(self, image):
        return F.five_crop(image, self.size)


class TenCrop(Transform):
    """`FiveCrop` of the image and of its mirror image, as a tuple."""

    shown = ("size", "vertical_flip")

    def __init__(self, size, vertical_flip=False):
        super().__init__()
        self.size = pair(size)
        self.vertical_flip = vertical_flip

    def forward(self, image):
        return F.ten_crop(image, self.size, self.vertical_flip)


class RandomHorizontalFlip(Sometimes):
    """Left and right exchanged, with probability `p`."""

    def change(self, image):
        return F.hflip(image)


class RandomVerticalFlip(Sometimes):
    """Top and bottom exchanged, with probability `p`."""

    def change(self, image):
        return F.vflip(image)
