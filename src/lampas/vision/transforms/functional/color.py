"""Brightness, contrast, colour and tone. PIL images go through Pillow, tensors through arithmetic."""

import lampas
from lampas.vision.transforms.functional.conversion import convert_image_dtype
from lampas.vision.transforms.functional.image import (
    check,
    check_channels,
    get_dimensions,
    is_pil,
    max_value,
    pil,
)


def _enhance(image, name, factor):
    from PIL import ImageEnhance

    return getattr(ImageEnhance, name)(image).enhance(factor)


def blend(image, other, ratio):
    """ratio * image + (1 - ratio) * other, within the range of the type."""
    ratio = float(ratio)
    top = max_value(image.dtype)
    return (ratio * image + (1.0 - ratio) * other).clamp(0, top).to(image.dtype)


def _not_negative(name, factor):
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def rgb_to_grayscale(image, num_output_channels=1):
    """The luminance (ITU-R 601-2), in one channel or three equal ones."""
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    if check(image):
        gray = image.convert("L")
        return gray if num_output_channels == 1 else pil().merge("RGB", [gray] * 3)
    if image.dim() < 3:
        raise TypeError(
            f"Input image tensor should have at least 3 dimensions, but found {image.dim()}"
        )
    check_channels(image)
    if image.shape[-3] == 3:
        red, green, blue = image.unbind(-3)
        gray = (0.2989 * red + 0.587 * green + 0.114 * blue).to(image.dtype).unsqueeze(-3)
    else:
        gray = image.clone()
    return (
        gray if num_output_channels == 1 else gray.expand(*image.shape[:-3], 3, *image.shape[-2:])
    )


def to_grayscale(image, num_output_channels=1):
    """`rgb_to_grayscale` of a PIL image. TypeError for a tensor."""
    if not is_pil(image):
        raise TypeError("Input should be PIL Image")
    return rgb_to_grayscale(image, num_output_channels)


def adjust_brightness(image, brightness_factor):
    """0 gives black, 1 the image, 2 twice its brightness."""
    if check(image):
        return _enhance(image, "Brightness", brightness_factor)
    _not_negative("brightness_factor", brightness_factor)
    check_channels(image)
    return blend(image, lampas.zeros_like(image), brightness_factor)


def adjust_contrast(image, contrast_factor):
    """0 gives the mean gray, 1 the image, 2 twice its contrast."""
    if check(image):
        return _enhance(image, "Contrast", contrast_factor)
    _not_negative("contrast_factor", contrast_factor)
    check_channels(image, (3, 1))
    dtype = image.dtype if image.is_floating_point() else lampas.float32
    gray = rgb_to_grayscale(image) if image.shape[-3] == 3 else image
    mean = gray.to(dtype).mean(dim=(-3, -2, -1), keepdim=True)
    return blend(image, mean, contrast_factor)


def adjust_saturation(image, saturation_factor):
    """0 gives gray, 1 the image, 2 twice its saturation."""
    if check(image):
        return _enhance(image, "Color", saturation_factor)
    _not_negative("saturation_factor", saturation_factor)
    check_channels(image)
    if get_dimensions(image)[0] == 1:
        return image
    return blend(image, rgb_to_grayscale(image), saturation_factor)


def adjust_hue(image, hue_factor):
    """Turn the hues by `hue_factor` of the colour circle, -0.5..0.5."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    if check(image):
        return _turn_hue_pil(image, hue_factor)
    check_channels(image)
    if get_dimensions(image)[0] == 1:
        return image
    floats = image if image.is_floating_point() else convert_image_dtype(image, lampas.float32)
    hue, saturation, value = rgb_to_hsv(floats)
    turned = hsv_to_rgb((hue + hue_factor) % 1.0, saturation, value)
    return convert_image_dtype(turned, image.dtype)


def _turn_hue_pil(image, hue_factor):
    if image.mode in ("L", "1", "I", "F"):
        return image
    hue, saturation, value = image.convert("HSV").split()
    shift = int(hue_factor * 255)
    hue = hue.point([(level + shift) % 256 for level in range(256)])
    return pil().merge("HSV", (hue, saturation, value)).convert(image.mode)


def rgb_to_hsv(image):
    """Hue, saturation and value in 0..1, each (..., H, W), of (..., 3, H, W) in 0..1.

    Source: A. R. Smith (1978), "Color gamut transform pairs".
    """
    red, green, blue = image.unbind(-3)
    value, low = image.amax(-3), image.amin(-3)
    spread = value - low
    gray = spread == 0
    ones = lampas.ones_like(value)
    saturation = spread / lampas.where(gray, ones, value)
    divisor = lampas.where(gray, ones, spread)
    to_red, to_green, to_blue = ((value - part) / divisor for part in (red, green, blue))
    # Which part is the largest tells the third of the circle; red comes before green.
    is_red = value == red
    is_green = (value == green) & ~is_red
    hue = lampas.where(
        is_red,
        to_blue - to_green,
        lampas.where(is_green, 2.0 + to_red - to_blue, 4.0 + to_green - to_red),
    )
    return (hue / 6.0 + 1.0) % 1.0, saturation, value


def hsv_to_rgb(hue, saturation, value):
    """(..., 3, H, W) of hue, saturation and value, each (..., H, W) in 0..1."""
    sector = lampas.floor(hue * 6.0)
    within = hue * 6.0 - sector
    p = (value * (1.0 - saturation)).clamp(0.0, 1.0)
    q = (value * (1.0 - saturation * within)).clamp(0.0, 1.0)
    t = (value * (1.0 - saturation * (1.0 - within))).clamp(0.0, 1.0)
    sector = sector.to(lampas.int64) % 6
    red = lampas.stack((value, q, p, p, t, value), dim=-3)
    green = lampas.stack((t, value, value, q, p, p), dim=-3)
    blue = lampas.stack((p, p, t, value, value, q), dim=-3)
    chosen = sector.unsqueeze(-3)  # (..., 1, H, W), an index into the six sectors
    return lampas.cat([part.gather(-3, chosen) for part in (red, green, blue)], dim=-3)


def adjust_gamma(image, gamma, gain=1):
    """gain * image ** gamma, for an image scaled to 0..1."""
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    if check(image):
        table = [int((255 + 1 - 1e-3) * gain * pow(level / 255.0, gamma)) for level in range(256)]
        return image.convert("RGB").point(table * 3).convert(image.mode)
    check_channels(image)
    floats = image if image.is_floating_point() else convert_image_dtype(image, lampas.float32)
    return convert_image_dtype((gain * floats**gamma).clamp(0, 1), image.dtype)


def invert(image):
    """The negative."""
    if check(image):
        from PIL import ImageOps

        return ImageOps.invert(image)
    _check_colour(image)
    return max_value(image.dtype) - image


def posterize(image, bits):
    """Only the upper `bits` bits of every value."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    if check(image):
        from PIL import ImageOps

        return ImageOps.posterize(image, bits)
    _check_colour(image)
    _check_bytes(image)
    return image & -int(2 ** (8 - bits))


def solarize(image, threshold):
    """Values at or above `threshold` inverted."""
    if check(image):
        from PIL import ImageOps

        return ImageOps.solarize(image, threshold)
    _check_colour(image)
    if threshold > max_value(image.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return lampas.where(image >= threshold, invert(image), image)


def autocontrast(image):
    """Each channel stretched to the whole range; an even channel stays as it is."""
    if check(image):
        from PIL import ImageOps

        return ImageOps.autocontrast(image)
    _check_colour(image)
    top = max_value(image.dtype)
    dtype = image.dtype if image.is_floating_point() else lampas.float32
    low = image.amin(dim=(-2, -1), keepdim=True).to(dtype)
    high = image.amax(dim=(-2, -1), keepdim=True).to(dtype)
    even = high == low
    scale = lampas.where(even, 1.0, top / (high - low))
    low = lampas.where(even, 0.0, low)
    return ((image - low) * scale).clamp(0, top).to(image.dtype)


def equalize(image):
    """Each channel's values spread evenly over the range, as Pillow's `ImageOps.equalize` does."""
    if check(image):
        from PIL import ImageOps

        return ImageOps.equalize(image)
    check_channels(image)
    _check_bytes(image)
    flat = image.reshape(-1, *image.shape[-2:])
    return lampas.stack([_equalize_channel(channel) for channel in flat]).view(image.shape)


def _equalize_channel(channel):
    counts = lampas.bincount(channel.reshape(-1).to(lampas.int64), minlength=256)
    present = counts[counts != 0]
    step = int(present[:-1].sum()) // 255
    if step == 0:
        return channel
    below = counts.cumsum(0) - counts  # how many values are smaller
    table = lampas.div(below + step // 2, step, rounding_mode="floor").clamp(0, 255)
    return table[channel.to(lampas.int64)].to(lampas.uint8)


def _check_colour(image):
    if image.dim() < 3:
        raise TypeError(
            f"Input image tensor should have at least 3 dimensions, but found {image.dim()}"
        )
    check_channels(image)


def _check_bytes(image):
    if image.dtype != lampas.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {image.dtype}")
