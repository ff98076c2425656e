"""What the transforms share: how they print, how they draw, how they read their arguments."""

import numbers

import lampas
from lampas.vision.transforms.functional.image import (
    InterpolationMode,
    get_dimensions,
    is_pil,
)


class Transform(lampas.nn.Module):
    """A transform prints as its class and the attributes named in `shown`."""

    shown = ()

    def __repr__(self):
        shown = ", ".join(f"{name}={_printed(getattr(self, name))}" for name in self.shown)
        return f"{type(self).__name__}({shown})"


def _printed(value):
    return value.value if isinstance(value, InterpolationMode) else value


class Sometimes(Transform):
    """Gives `change(image)` with probability `p`, else the image."""

    shown = ("p",)

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p

    def forward(self, image):
        return self.change(image) if lampas.rand(1).item() < self.p else image


def indented(transforms):
    """The lines of the parts of a container."""
    return "".join(f"\n    {transform}" for transform in transforms)


def uniform(low, high):
    """A number from the global generator, uniform in low..high."""
    return lampas.empty(1).uniform_(float(low), float(high)).item()


def randint(low, high):
    """A whole number from the global generator, low <= n < high."""
    return int(lampas.randint(low, high, size=(1,)).item())


def fill_of(fill, image):
    """`fill` as the functions take it: for a tensor one float per channel."""
    if is_pil(image) or fill is None:
        return fill
    if isinstance(fill, (int, float)):
        return [float(fill)] * get_dimensions(image)[0]
    return [float(x) for x in fill]


def check_sequence(value, name, sizes):
    """TypeError or ValueError unless `value` is a sequence of one of the lengths."""
    wanted = " or ".join(str(size) for size in sizes)
    message = f"{name} should be a sequence of length {wanted}."
    if not isinstance(value, (list, tuple)):
        raise TypeError(message)
    if len(value) not in sizes:
        raise ValueError(message)


def angles(value, name, sizes=(2,)):
    """[low, high] of one number x (-x..x) or the given sequence, as floats."""
    if isinstance(value, numbers.Number):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be positive.")
        return [float(-value), float(value)]
    check_sequence(value, name, sizes)
    return [float(x) for x in value]
