"""The transforms as objects. The random ones draw from the global generator."""

import random

import lampas
from lampas.vision.transforms import functional as F
from lampas.vision.transforms.functional import InterpolationMode


class Compose:
    """Applies transforms one after another."""

    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, image):
        for transform in self.transforms:
            image = transform(image)
        return image

    def __repr__(self):
        body = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({body}\n)"


class _Transform(lampas.nn.Module):
    """A transform prints as its class and the given attributes."""

    shown = ()

    def __repr__(self):
        shown = ", ".join(f"{name}={_value(getattr(self, name))}" for name in self.shown)
        return f"{type(self).__name__}({shown})"


def _value(value):
    return value.value if isinstance(value, InterpolationMode) else value


class ToTensor:
    """PIL image or array (H, W, C) to tensor (C, H, W); bytes become floats in 0..1."""

    def __call__(self, pic):
        return F.to_tensor(pic)

    def __repr__(self):
        return "ToTensor()"


class PILToTensor:
    """PIL image to tensor (C, H, W), values unchanged."""

    def __call__(self, pic):
        return F.pil_to_tensor(pic)

    def __repr__(self):
        return "PILToTensor()"


class ToPILImage:
    """Tensor (C, H, W) or array (H, W, C) to PIL image."""

    def __init__(self, mode=None):
        self.mode = mode

    def __call__(self, pic):
        return F.to_pil_image(pic, self.mode)

    def __repr__(self):
        return f"ToPILImage({'' if self.mode is None else f'mode={self.mode}'})"


class ConvertImageDtype(lampas.nn.Module):
    """Another element type, with its range."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def forward(self, image):
        return F.convert_image_dtype(image, self.dtype)


class Normalize(_Transform):
    """(tensor - mean) / std, per channel."""

    shown = ("mean", "std")

    def __init__(self, mean, std, inplace=False):
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor):
        return F.normalize(tensor, self.mean, self.std, self.inplace)


class Resize(_Transform):
    """To (height, width), or the shorter side to one number."""

    shown = ("size", "interpolation", "max_size", "antialias")

    def __init__(
        self, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True
    ):
        super().__init__()
        if not isinstance(size, int):
            if not isinstance(size, (tuple, list)):
                raise TypeError(f"Size should be int or sequence. Got {type(size)}")
            if len(size) not in (1, 2):
                raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.max_size = max_size
        self.interpolation = interpolation
        self.antialias = antialias

    def forward(self, image):
        return F.resize(image, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(_Transform):
    """The middle of the image."""

    shown = ("size",)

    def __init__(self, size):
        super().__init__()
        self.size = _pair(size)

    def forward(self, image):
        return F.center_crop(image, self.size)


class Pad(_Transform):
    """A border around the image."""

    shown = ("padding", "fill", "padding_mode")

    def __init__(self, padding, fill=0, padding_mode="constant"):
        super().__init__()
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, image):
        return F.pad(image, self.padding, self.fill, self.padding_mode)


class Lambda:
    """Any function as a transform."""

    def __init__(self, lambd):
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, image):
        return self.lambd(image)

    def __repr__(self):
        return "Lambda()"


class RandomCrop(_Transform):
    """A rectangle of `size` at a random place."""

    shown = ("size", "padding")

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant"):
        super().__init__()
        self.size = _pair(size)
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
        top = lampas.randint(0, height - wanted_h + 1, size=(1,)).item()
        left = lampas.randint(0, width - wanted_w + 1, size=(1,)).item()
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


class _Sometimes(_Transform):
    """Applies `apply` with probability `p`."""

    shown = ("p",)

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, image):
        return self.apply_to(image) if lampas.rand(1) < self.p else image


class RandomHorizontalFlip(_Sometimes):
    """Left and right exchanged, with probability `p`."""

    def __init__(self, p=0.5):
        super().__init__(p)

    def apply_to(self, image):
        return F.hflip(image)


class RandomVerticalFlip(_Sometimes):
    """Top and bottom exchanged, with probability `p`."""

    def __init__(self, p=0.5):
        super().__init__(p)

    def apply_to(self, image):
        return F.vflip(image)


class Grayscale(_Transform):
    """The luminance, in one channel or three equal ones."""

    shown = ("num_output_channels",)

    def __init__(self, num_output_channels=1):
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, image):
        return F.rgb_to_grayscale(image, self.num_output_channels)


class RandomGrayscale(_Sometimes):
    """Gray with probability `p`, with as many channels as before."""

    def __init__(self, p=0.1):
        super().__init__(p)

    def apply_to(self, image):
        return F.rgb_to_grayscale(image, F.get_dimensions(image)[0])


class _OfSeveral:
    def __init__(self, transforms):
        self.transforms = transforms

    def __repr__(self):
        body = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({body}\n)"


class RandomApply(lampas.nn.Module):
    """All of the transforms, with probability `p`, or none."""

    def __init__(self, transforms, p=0.5):
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, image):
        if self.p < lampas.rand(1):
            return image
        for transform in self.transforms:
            image = transform(image)
        return image

    def __repr__(self):
        body = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}(\n    p={self.p}{body}\n)"


class RandomOrder(_OfSeveral):
    """All of the transforms, in random order."""

    def __call__(self, image):
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for i in order:
            image = self.transforms[i](image)
        return image


class RandomChoice(_OfSeveral):
    """One of the transforms, with the given weights."""

    def __init__(self, transforms, p=None):
        super().__init__(transforms)
        self.p = p

    def __call__(self, image):
        return random.choices(self.transforms, weights=self.p)[0](image)

    def __repr__(self):
        return f"{super().__repr__()}(p={self.p})"


def _pair(size):
    if isinstance(size, int):
        return (size, size)
    if len(size) == 1:
        return (size[0], size[0])
    if len(size) != 2:
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    return size
