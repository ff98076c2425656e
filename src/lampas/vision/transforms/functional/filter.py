"""Blurring, sharpening and erasing."""

import lampas
import lampas.nn.functional as F
from lampas.vision.transforms.functional.color import blend
from lampas.vision.transforms.functional.conversion import pil_to_tensor, to_pil_image
from lampas.vision.transforms.functional.image import (
    as_batch,
    check,
    check_channels,
    from_batch,
    get_dimensions,
    is_pil,
)


def gaussian_blur(image, kernel_size, sigma=None):
    """Convolution with a Gaussian of `kernel_size` (x, y) pixels and width `sigma` (x, y).

    The image is mirrored at its borders. Default `sigma`: 0.15 * kernel_size + 0.35.
    """
    kernel_size = _two("kernel_size", kernel_size, int)
    if any(size % 2 == 0 or size < 0 for size in kernel_size):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {kernel_size}")
    if sigma is None:
        sigma = [size * 0.15 + 0.35 for size in kernel_size]
    sigma = _two("sigma", sigma, float)
    if any(width <= 0.0 for width in sigma):
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    if check(image):
        blurred = gaussian_blur(pil_to_tensor(image), kernel_size, sigma)
        return to_pil_image(blurred, image.mode)
    batch = as_batch(image)
    across, down = (_gaussian(k, s, batch.dtype) for k, s in zip(kernel_size, sigma))
    kernel = down[:, None].mm(across[None, :])
    channels = batch.shape[1]
    kernel = kernel.to(batch.device).expand(channels, 1, *kernel.shape)
    half_x, half_y = (size // 2 for size in kernel_size)
    padded = F.pad(batch, [half_x, half_x, half_y, half_y], mode="reflect")
    return from_batch(F.conv2d(padded, kernel, groups=channels), image)


def _gaussian(size, sigma, dtype):
    """Weights (size,) of sum 1."""
    half = (size - 1) * 0.5
    x = lampas.linspace(-half, half, steps=size, dtype=dtype)
    weights = lampas.exp(-0.5 * (x / sigma).pow(2))
    return weights / weights.sum()


def _two(name, value, number):
    """[for x, for y] of one number or a sequence of one or two."""
    kinds = (int,) if number is int else (int, float)
    if not isinstance(value, (*kinds, list, tuple)):
        described = (
            "int or a sequence of integers"
            if number is int
            else "either float or sequence of floats"
        )
        raise TypeError(f"{name} should be {described}. Got {type(value)}")
    value = [value] if isinstance(value, kinds) else list(value)
    value = value * 2 if len(value) == 1 else value
    if len(value) != 2:
        raise ValueError(
            f"If {name} is a sequence, its length should be {'' if number is int else '1 or '}2. "
            f"Got {len(value)}"
        )
    return [number(entry) for entry in value]


def adjust_sharpness(image, sharpness_factor):
    """0 gives a smoothed image, 1 the image, 2 twice its sharpness."""
    if check(image):
        from PIL import ImageEnhance

        return ImageEnhance.Sharpness(image).enhance(sharpness_factor)
    if sharpness_factor < 0:
        raise ValueError(f"sharpness_factor ({sharpness_factor}) is not non-negative.")
    check_channels(image)
    _, height, width = get_dimensions(image)
    if height <= 2 or width <= 2:
        return image
    return blend(image, _smoothed(image), sharpness_factor)


def _smoothed(image):
    """Pillow's SMOOTH filter, (1 1 1, 1 5 1, 1 1 1) / 13; the outermost pixels stay."""
    batch = as_batch(image)
    channels = batch.shape[1]
    kernel = batch.new_ones(3, 3)
    kernel[1, 1] = 5.0
    kernel = (kernel / kernel.sum()).expand(channels, 1, 3, 3)
    inner = F.conv2d(batch, kernel, groups=channels)
    if not image.is_floating_point():
        inner = inner.round()
    result = image.clone()
    result[..., 1:-1, 1:-1] = inner.to(image.dtype).reshape(result[..., 1:-1, 1:-1].shape)
    return result


def erase(image, i, j, h, w, v, inplace=False):
    """The values `v` at the rectangle of height `h` and width `w` from row `i` and column `j`."""
    if is_pil(image):
        erased = erase(pil_to_tensor(image), i, j, h, w, v, inplace=True)
        return to_pil_image(erased, image.mode)
    if not isinstance(image, lampas.Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(image)}")
    image = image if inplace else image.clone()
    image[..., i : i + h, j : j + w] = v
    return image
