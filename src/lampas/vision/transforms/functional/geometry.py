"""Resizing, cropping, borders and mirrors: what needs no coordinates (those are in `warp.py`)."""

import numbers

import lampas
import lampas.nn.functional as F
from lampas.vision.transforms.functional.image import (
    InterpolationMode,
    as_batch,
    check,
    from_batch,
    get_dimensions,
    interpolation_mode,
    pil,
    pil_fill,
    pil_resampling,
)

_PAD_MODES = {"edge": "replicate", "reflect": "reflect"}
_TENSOR_MODES = ("nearest", "nearest-exact", "bilinear", "bicubic")


def resize(image, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
    """Resize to (height, width), or the shorter side to one number.

    `max_size` bounds the longer side; with `size=None` it is the longer side. `antialias` concerns
    tensors (bilinear and bicubic); Pillow always smooths. An image of the wanted size comes back
    as it is.
    """
    interpolation = interpolation_mode(interpolation)
    if isinstance(size, (list, tuple)):
        if len(size) not in (1, 2):
            raise ValueError(
                f"Size must be an int or a 1 or 2 element tuple/list, not a {len(size)} element "
                "tuple/list"
            )
        if max_size is not None and len(size) != 1:
            raise ValueError(
                "max_size should only be passed if size specifies the length of the smaller edge, "
                "i.e. size should be an int or a sequence of length 1 in torchscript mode."
            )
    is_pil_image = check(image)
    current = tuple(get_dimensions(image)[1:])
    height, width = output_size(current, size, max_size)
    if (height, width) == current:
        return image
    if is_pil_image:
        return image.resize((width, height), pil_resampling(interpolation))
    return _resize_tensor(image, (height, width), interpolation, antialias)


def _resize_tensor(image, size, interpolation, antialias):
    if interpolation.value not in _TENSOR_MODES:
        raise ValueError(
            f"This interpolation mode is unsupported with Tensor input: {interpolation.value}"
        )
    smooth = interpolation in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)
    options = {"align_corners": False, "antialias": bool(antialias)} if smooth else {}
    result = F.interpolate(as_batch(image), size=size, mode=interpolation.value, **options)
    if interpolation is InterpolationMode.BICUBIC and image.dtype == lampas.uint8:
        result = result.clamp(min=0, max=255)  # the cubic overshoots at edges
    return from_batch(result, image)


def output_size(current, size, max_size=None):
    """(height, width) that `resize` gives an image of `current` (height, width)."""
    if isinstance(size, (list, tuple)) and len(size) == 2:
        return tuple(int(side) for side in size)
    low, high = sorted(current)
    if size is None:
        if max_size is None:
            raise ValueError("max_size must be an integer when size is None")
        short, long = int(max_size * low / high), max_size
    else:
        wanted = size if isinstance(size, int) else size[0]
        short, long = wanted, int(wanted * high / low)
        if max_size is not None and max_size <= wanted:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the "
                f"smaller edge size = {size}"
            )
        if max_size is not None and long > max_size:
            short, long = int(max_size * short / long), max_size
    return (short, long) if current[0] <= current[1] else (long, short)


def crop(image, top, left, height, width):
    """The rectangle from (top, left); what lies outside the image is zero."""
    if check(image):
        return image.crop((left, top, left + width, top + height))
    _, h, w = get_dimensions(image)
    inside = image[..., max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    right, bottom = max(left + width - max(w, left), 0), max(top + height - max(h, top), 0)
    edges = [min(max(-left, 0), width), right, min(max(-top, 0), height), bottom]
    return F.pad(inside, edges) if any(edges) else inside


def center_crop(image, output_size):
    """The middle; smaller images get a black border first."""
    crop_height, crop_width = pair(output_size)
    _, height, width = get_dimensions(image)
    if crop_width > width or crop_height > height:
        missing_w, missing_h = max(crop_width - width, 0), max(crop_height - height, 0)
        border = [missing_w // 2, missing_h // 2, (missing_w + 1) // 2, (missing_h + 1) // 2]
        image = pad(image, border)
        _, height, width = get_dimensions(image)
        if (crop_height, crop_width) == (height, width):
            return image
    top = int(round((height - crop_height) / 2.0))
    left = int(round((width - crop_width) / 2.0))
    return crop(image, top, left, crop_height, crop_width)


def resized_crop(
    image,
    top,
    left,
    height,
    width,
    size,
    interpolation=InterpolationMode.BILINEAR,
    antialias=True,
):
    """`crop`, then `resize`."""
    cropped = crop(image, top, left, height, width)
    return resize(cropped, size, interpolation, antialias=antialias)


def five_crop(image, size):
    """Top left, top right, bottom left, bottom right and centre crops of `size`."""
    crop_height, crop_width = pair(size, "Please provide only two dimensions (h, w) for size.")
    _, height, width = get_dimensions(image)
    if crop_width > width or crop_height > height:
        raise ValueError(
            f"Requested crop size {(crop_height, crop_width)} is bigger than input size "
            f"{(height, width)}"
        )
    down, right = height - crop_height, width - crop_width
    corners = [(0, 0), (0, right), (down, 0), (down, right)]
    crops = [crop(image, top, left, crop_height, crop_width) for top, left in corners]
    return (*crops, center_crop(image, [crop_height, crop_width]))


def ten_crop(image, size, vertical_flip=False):
    """`five_crop` of the image and of its mirror image."""
    mirrored = vflip(image) if vertical_flip else hflip(image)
    return five_crop(image, size) + five_crop(mirrored, size)


def pad(image, padding, fill=0, padding_mode="constant"):
    """A border: one width, (horizontal, vertical), or (left, top, right, bottom).

    `padding_mode` is constant (of colour `fill`), edge, reflect (edge not repeated) or symmetric
    (edge repeated). A negative width cuts off.
    """
    check_padding(padding, fill, padding_mode)
    border = _border(padding)
    if check(image):
        return _pad_pil(image, border, fill, padding_mode)
    if padding_mode == "symmetric":
        return _pad_symmetric(image, border)
    left, top, right, bottom = border
    edges = [left, right, top, bottom]
    if padding_mode == "constant":
        fill = fill[0] if isinstance(fill, (list, tuple)) else fill
        return F.pad(image, edges, mode="constant", value=float(fill))
    result = F.pad(as_batch(image), edges, mode=_PAD_MODES[padding_mode])
    return from_batch(result, image)


def check_padding(padding, fill, padding_mode):
    """TypeError or ValueError where the arguments of `pad` are none."""
    if not isinstance(padding, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if not isinstance(fill, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate fill arg")
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    if isinstance(padding, (tuple, list)) and len(padding) not in (1, 2, 4):
        raise ValueError(
            f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} "
            "element tuple"
        )
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")


def _border(padding):
    """[left, top, right, bottom]."""
    if isinstance(padding, numbers.Number):
        return [int(padding)] * 4
    return (list(padding) * 4)[:4]


def _pad_pil(image, border, fill, padding_mode):
    if padding_mode == "constant":
        left, top, right, bottom = border
        size = (image.width + left + right, image.height + top + bottom)
        padded = pil().new(image.mode, size, pil_fill(fill, image))
        if image.mode == "P":
            padded.putpalette(image.getpalette())
        padded.paste(image, (left, top))
        return padded
    from lampas.vision.transforms.functional.conversion import pil_to_tensor, to_pil_image

    padded = pad(pil_to_tensor(image), border, padding_mode=padding_mode)
    if image.mode == "P":
        indices = to_pil_image(padded)
        indices.putpalette(image.getpalette())
        return indices
    return to_pil_image(padded, None if image.mode == "1" else image.mode).convert(image.mode)


def _pad_symmetric(image, border):
    """The pixel at -1 is the pixel at 0, at -2 that at 1, and so on, on all sides."""
    left, top, right, bottom = border
    _, height, width = get_dimensions(image)
    rows = _mirrored(height, top, bottom)
    columns = _mirrored(width, left, right)
    return image[..., rows, :][..., columns]


def _mirrored(count, before, after):
    """Where the pixels -before..count+after of a line come from, mirrored at its ends."""
    if max(before, after) > count:
        raise ValueError("padding of mode symmetric should not be wider than the image")
    inside = list(range(max(-before, 0), count - max(-after, 0)))
    first = list(range(max(before, 0) - 1, -1, -1))
    last = list(range(count - 1, count - 1 - max(after, 0), -1))
    return first + inside + last


def hflip(image):
    """Left and right exchanged."""
    if check(image):
        return image.transpose(pil().Transpose.FLIP_LEFT_RIGHT)
    return image.flip(-1)


def vflip(image):
    """Top and bottom exchanged."""
    if check(image):
        return image.transpose(pil().Transpose.FLIP_TOP_BOTTOM)
    return image.flip(-2)


def pair(size, message="Please provide only two dimensions (h, w) for size."):
    """(height, width) from one number or a sequence of one or two. ValueError for more."""
    if isinstance(size, numbers.Number):
        return (int(size), int(size))
    if len(size) == 1:
        return (size[0], size[0])
    if len(size) != 2:
        raise ValueError(message)
    return tuple(size)
