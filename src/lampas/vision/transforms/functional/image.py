"""What an image is (a PIL image or a tensor (..., C, H, W)), its size, and resampling modes.

Pillow is loaded on first need. The operations themselves stand in the files beside this one.
"""

import enum
import math
import numbers

import lampas


class InterpolationMode(enum.Enum):
    """How resampling computes pixels, by Pillow's names."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


# Pillow's numbers of the same modes.
_BY_NUMBER = {
    0: InterpolationMode.NEAREST,
    1: InterpolationMode.LANCZOS,
    2: InterpolationMode.BILINEAR,
    3: InterpolationMode.BICUBIC,
    4: InterpolationMode.BOX,
    5: InterpolationMode.HAMMING,
}


def interpolation_mode(value):
    """The mode that `value`, a mode or a number of Pillow, stands for. TypeError for others."""
    if isinstance(value, InterpolationMode):
        return value
    if isinstance(value, int) and value in _BY_NUMBER:
        return _BY_NUMBER[value]
    raise TypeError(
        "Argument interpolation should be a InterpolationMode or a corresponding Pillow integer "
        "constant"
    )


def pil():
    """The module `PIL.Image`. ModuleNotFoundError says what to install."""
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "images need Pillow: pip install 'lampas[vision]'", name=error.name
        ) from None
    return Image


def pil_resampling(mode):
    """Pillow's constant of an `InterpolationMode`."""
    return getattr(pil().Resampling, mode.name.replace("_EXACT", ""))


def is_pil(image):
    """Whether `image` is a PIL image; Pillow is not loaded to find out."""
    return any(cls.__module__ == "PIL.Image" for cls in type(image).__mro__)


def is_array(image):
    """Whether `image` is a NumPy array; NumPy is not loaded to find out."""
    return type(image).__module__ == "numpy" and hasattr(image, "ndim")


def check(image):
    """Whether `image` is a PIL image (else a tensor). TypeError for anything else."""
    if is_pil(image):
        return True
    if not isinstance(image, lampas.Tensor):
        raise TypeError(f"Unexpected type {type(image)}")
    if image.dim() < 2:
        raise TypeError("Tensor is not a torch image.")
    return False


def get_dimensions(image):
    """[channels, height, width]."""
    if check(image):
        return [len(image.getbands()), image.height, image.width]
    return [1 if image.dim() == 2 else image.shape[-3], *image.shape[-2:]]


def get_image_size(image):
    """[width, height]."""
    return get_dimensions(image)[:0:-1]


def get_image_num_channels(image):
    """How many channels the image has."""
    return get_dimensions(image)[0]


def check_channels(image, permitted=(1, 3)):
    """TypeError unless the tensor has one of the permitted numbers of channels."""
    channels = get_dimensions(image)[0]
    if channels not in permitted:
        raise TypeError(
            f"Input image tensor permitted channel values are {list(permitted)}, but found {channels}"
        )


def max_value(dtype):
    """The value that stands for full brightness: 1 for floats, the largest for integers."""
    if dtype.is_floating_point:
        return 1
    return 1 if dtype == lampas.bool else lampas.iinfo(dtype).max


def as_batch(image, accepted=(lampas.float32, lampas.float64)):
    """(..., C, H, W) as (N, C, H, W) of a type the convolutions and samplers take."""
    if image.dim() < 3:
        batch = image[None, None]
    else:
        batch = image.reshape(math.prod(image.shape[:-3]), *image.shape[-3:])
    return batch if batch.dtype in accepted else batch.to(lampas.float32)


def from_batch(result, image):
    """The batch that came from `as_batch(image)` in the shape and type of `image`; integers round."""
    result = result.reshape(*image.shape[:-2], *result.shape[-2:])
    if result.dtype == image.dtype:
        return result
    return (result if image.is_floating_point() else result.round()).to(image.dtype)


def pil_fill(fill, image):
    """`fill` as the colour of every band of a PIL image. ValueError where their numbers differ."""
    bands = len(image.getbands())
    if fill is None:
        fill = 0
    if isinstance(fill, (list, tuple)):
        if len(fill) == 1:
            fill = tuple(fill) * bands
        if len(fill) != bands:
            raise ValueError(
                "The number of elements in 'fill' does not match the number of channels of the "
                f"image ({len(fill)} != {bands})"
            )
    elif isinstance(fill, numbers.Number) and bands > 1:
        fill = (fill,) * bands
    if image.mode == "F":
        return tuple(float(x) for x in fill) if isinstance(fill, (list, tuple)) else float(fill)
    if isinstance(fill, (list, tuple)):
        fill = tuple(int(x) for x in fill)
        return fill if bands > 1 else fill[0]
    return int(fill)
