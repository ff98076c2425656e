"""Colour and tone, mostly at random."""

import numbers

import lampas
from lampas.vision.transforms import functional as F
from lampas.vision.transforms.base import Sometimes, Transform, uniform


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue changed at random, in random order.

    A number x means a factor from max(0, 1 - x) to 1 + x (hue: -x..x, at most 0.5); or (low, high).
    """

    shown = ("brightness", "contrast", "saturation", "hue")

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0):
        super().__init__()
        self.brightness = _range("brightness", brightness)
        self.contrast = _range("contrast", contrast)
        self.saturation = _range("saturation", saturation)
        self.hue = _range("hue", hue, centre=0, bound=(-0.5, 0.5))

    @staticmethod
    def get_params(brightness, contrast, saturation, hue):
        """The order of the four (a permutation), and their factors or None."""
        order = lampas.randperm(4)
        ranges = (brightness, contrast, saturation, hue)
        return order, *(None if part is None else uniform(*part) for part in ranges)

    def forward(self, image):
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        changes = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in order.tolist():
            if factors[i] is not None:
                image = changes[i](image, factors[i])
        return image


def _range(name, value, centre=1, bound=(0, float("inf"))):
    """(low, high), or None where nothing is to be changed."""
    if isinstance(value, numbers.Number):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        low, high = centre - float(value), centre + float(value)
        low = max(low, 0.0) if centre else low
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        low, high = float(value[0]), float(value[1])
    else:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
    if not bound[0] <= low <= high <= bound[1]:
        raise ValueError(f"{name} values should be between {bound}, but got {[low, high]}.")
    return None if low == high == centre else (low, high)


class Grayscale(Transform):
    """The luminance, in one channel or three equal ones."""

    shown = ("num_output_channels",)

    def __init__(self, num_output_channels=1):
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, image):
        return F.rgb_to_grayscale(image, self.num_output_channels)


class RandomGrayscale(Sometimes):
    """Gray with probability `p`, with as many channels as before."""

    def __init__(self, p=0.1):
        super().__init__(p)

    def change(self, image):
        return F.rgb_to_grayscale(image, F.get_dimensions(image)[0])


class RandomInvert(Sometimes):
    """The negative, with probability `p`."""

    def change(self, image):
        return F.invert(image)


class RandomPosterize(Sometimes):
    """Only the upper `bits` bits, with probability `p`."""

    def __init__(self, bits, p=0.5):
        super().__init__(p)
        self.bits = bits

    def change(self, image):
        return F.posterize(image, self.bits)

    def __repr__(self):
        return f"{type(self).__name__}(bits={self.bits},p={self.p})"


class RandomSolarize(Sometimes):
    """Values from `threshold` on inverted, with probability `p`."""

    def __init__(self, threshold, p=0.5):
        super().__init__(p)
        self.threshold = threshold

    def change(self, image):
        return F.solarize(image, self.threshold)

    def __repr__(self):
        return f"{type(self).__name__}(threshold={self.threshold},p={self.p})"


class RandomAutocontrast(Sometimes):
    """The range of values stretched, with probability `p`."""

    def change(self, image):
        return F.autocontrast(image)


class RandomEqualize(Sometimes):
    """The values spread evenly, with probability `p`."""

    def change(self, image):
        return F.equalize(image)
