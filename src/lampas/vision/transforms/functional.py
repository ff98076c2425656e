"""Image operations: a PIL image or a tensor (..., C, H, W) in, the same kind out.

Pillow is loaded on first need.
"""

import enum

import lampas
import lampas.nn.functional as F


class InterpolationMode(enum.Enum):
    """How resizing computes pixels, by Pillow's names."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_PADDING = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}


def pil():
    """The module `PIL.Image`. ModuleNotFoundError says what to install."""
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "images need Pillow: pip install 'lampas[vision]'", name=error.name
        ) from None
    return Image


def is_pil(image):
    """Whether `image` is a PIL image; Pillow is not loaded to find out."""
    return any(cls.__module__ == "PIL.Image" for cls in type(image).__mro__)


def _check(image):
    if not (is_pil(image) or isinstance(image, lampas.Tensor)):
        raise TypeError(f"Unexpected type {type(image)}")


def get_dimensions(image):
    """[channels, height, width]."""
    _check(image)
    if is_pil(image):
        return [len(image.getbands()), image.height, image.width]
    return [1 if image.dim() == 2 else image.shape[-3], *image.shape[-2:]]


def get_image_size(image):
    """[width, height]."""
    return get_dimensions(image)[:0:-1]


def pil_to_tensor(image):
    """A PIL image as a (C, H, W) tensor of its own pixel values."""
    if not is_pil(image):
        raise TypeError(f"pic should be PIL Image. Got {type(image)}")
    dtypes = {"I": lampas.int32, "I;16": lampas.int16, "F": lampas.float32}
    raw = bytearray(image.convert("L").tobytes() if image.mode == "1" else image.tobytes())
    pixels = lampas.frombuffer(raw, dtype=dtypes.get(image.mode, lampas.uint8))
    pixels = pixels.view(image.height, image.width, len(image.getbands()))
    return pixels.permute(2, 0, 1).contiguous()  # (H, W, C) to (C, H, W)


def to_tensor(image):
    """A PIL image or an array (H, W, C) as a (C, H, W) tensor; bytes become floats in 0..1."""
    if is_pil(image):
        tensor = pil_to_tensor(image)
    elif type(image).__module__ == "numpy" and hasattr(image, "ndim"):
        if image.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {image.ndim} dimensions.")
        array = image[:, :, None] if image.ndim == 2 else image
        tensor = lampas.from_numpy(array.transpose((2, 0, 1)).copy())
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(image)}")
    if tensor.dtype is lampas.uint8:
        return tensor.to(lampas.get_default_dtype()).div(255)
    return tensor


def to_pil_image(image, mode=None):
    """A tensor (C, H, W) or (H, W), or an array (H, W, C), as a PIL image."""
    if type(image).__module__ == "numpy" and hasattr(image, "ndim"):
        image = lampas.from_numpy(image)
        image = image.permute(2, 0, 1) if image.dim() == 3 else image
    if not isinstance(image, lampas.Tensor):
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(image)}.")
    if image.dim() not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {image.dim()} dimensions.")
    image = image.unsqueeze(0) if image.dim() == 2 else image
    channels, height, width = image.shape
    if channels > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
    if image.is_floating_point() and mode != "F":
        image = image.mul(255).to(lampas.uint8)
    modes = {lampas.uint8: {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]}
    modes.update({lampas.int16: "I;16", lampas.int32: "I", lampas.float32: "F"})
    mode = mode or modes.get(image.dtype)
    if mode is None:
        raise TypeError(f"Input type {image.dtype} is not supported")
    from lampas.serialization.storage import storage_bytes

    pixels = image.permute(1, 2, 0).contiguous().clone()
    return pil().frombytes(mode, (width, height), bytes(storage_bytes(pixels.untyped_storage())))


def convert_image_dtype(image, dtype=None):
    """Change the element type and the range with it: integers use their whole range, floats 0..1.

    RuntimeError where the target cannot hold the range.
    """
    dtype = lampas.get_default_dtype() if dtype is None else dtype
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        if dtype.is_floating_point:
            return image.to(dtype)
        wide = (image.dtype is lampas.float32 and dtype in (lampas.int32, lampas.int64)) or (
            image.dtype is lampas.float64 and dtype is lampas.int64
        )
        if wide:
            raise RuntimeError(
                f"The cast from {image.dtype} to {dtype} cannot be performed safely."
            )
        # Just under one more than the maximum: 1.0 must land on the maximum, not beyond it.
        return image.mul(lampas.iinfo(dtype).max + 1 - 1e-3).to(dtype)
    top = lampas.iinfo(image.dtype).max
    if dtype.is_floating_point:
        return image.to(dtype) / top
    target = lampas.iinfo(dtype).max
    if top > target:
        factor = (top + 1) // (target + 1)
        return lampas.div(image, factor, rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((target + 1) // (top + 1))


def normalize(tensor, mean, std, inplace=False):
    """(tensor - mean) / std, per channel."""
    if not isinstance(tensor, lampas.Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.dim() < 3:
        raise ValueError(
            "Expected tensor to be a tensor image of size (..., C, H, W). "
            f"Got tensor.size() = {tensor.size()}"
        )
    tensor = tensor if inplace else tensor.clone()
    mean = lampas.as_tensor(mean, dtype=tensor.dtype, device=tensor.device)
    std = lampas.as_tensor(std, dtype=tensor.dtype, device=tensor.device)
    if (std == 0).any():
        raise ValueError(
            f"std evaluated to zero after conversion to {tensor.dtype}, "
            "leading to division by zero."
        )
    mean = mean.view(-1, 1, 1) if mean.dim() == 1 else mean
    std = std.view(-1, 1, 1) if std.dim() == 1 else std
    return tensor.sub_(mean).div_(std)


def resize(image, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
    """Resize to (height, width), or the shorter side to one number."""
    _check(image)
    if isinstance(interpolation, int):
        by_number = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box"}
        interpolation = InterpolationMode(by_number.get(interpolation, "hamming"))
    height, width = _output_size(get_dimensions(image)[1:], size, max_size)
    if is_pil(image):
        name = interpolation.name.replace("_EXACT", "")
        return image.resize((width, height), getattr(pil().Resampling, name))
    smooth = interpolation in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)
    options = {"align_corners": False, "antialias": bool(antialias)} if smooth else {}
    batch, dtype = _batched(image)
    result = F.interpolate(batch, size=(height, width), mode=interpolation.value, **options)
    return _unbatched(result, image, dtype, clamp=interpolation is InterpolationMode.BICUBIC)


def _output_size(current, size, max_size):
    if not isinstance(size, int) and len(size) == 2:
        if max_size is not None:
            raise ValueError(
                "max_size should only be passed if size specifies the length of the smaller edge"
            )
        return tuple(size)
    short = size if isinstance(size, int) else size[0]
    height, width = current
    low, high = min(height, width), max(height, width)
    long = int(short * high / low)
    if max_size is not None and long > max_size:
        short, long = int(max_size * short / long), max_size
    return (short, long) if height <= width else (long, short)


def _batched(image):
    """(..., C, H, W) of any type as a float batch (N, C, H, W)."""
    batch = image.reshape(-1, *image.shape[-3:])
    return (batch if batch.is_floating_point() else batch.float()), image.dtype


def _unbatched(result, image, dtype, clamp=False):
    result = result.reshape(*image.shape[:-2], *result.shape[-2:])
    if dtype.is_floating_point:
        return result
    return (result.clamp(0, 255) if clamp else result).round().to(dtype)


def crop(image, top, left, height, width):
    """The rectangle from (top, left); what lies outside the image is zero."""
    _check(image)
    if is_pil(image):
        return image.crop((left, top, left + width, top + height))
    _, h, w = get_dimensions(image)
    inside = image[..., max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    right, bottom = max(left + width - max(w, left), 0), max(top + height - max(h, top), 0)
    edges = [min(max(-left, 0), width), right, min(max(-top, 0), height), bottom]
    return F.pad(inside, edges) if any(edges) else inside


def center_crop(image, output_size):
    """The middle; smaller images get a black border first."""
    size = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
    crop_height, crop_width = size * 2 if len(size) == 1 else size
    _, height, width = get_dimensions(image)
    if crop_width > width or crop_height > height:
        missing_w, missing_h = max(crop_width - width, 0), max(crop_height - height, 0)
        border = [missing_w // 2, missing_h // 2, (missing_w + 1) // 2, (missing_h + 1) // 2]
        image = pad(image, border)
        _, height, width = get_dimensions(image)
    top = int(round((height - crop_height) / 2.0))
    left = int(round((width - crop_width) / 2.0))
    return crop(image, top, left, crop_height, crop_width)


def pad(image, padding, fill=0, padding_mode="constant"):
    """A border: one width, (horizontal, vertical), or (left, top, right, bottom)."""
    _check(image)
    left, top, right, bottom = _border(padding)
    if is_pil(image):
        return _pad_pil(image, (left, top, right, bottom), fill, padding_mode)
    if padding_mode not in _PADDING:
        raise NotImplementedError(f"padding_mode={padding_mode!r}")
    edges = [left, right, top, bottom]
    if padding_mode == "constant":
        return F.pad(image, edges, mode="constant", value=fill)
    batch, dtype = _batched(image)
    return _unbatched(F.pad(batch, edges, mode=_PADDING[padding_mode]), image, dtype)


def _pad_pil(image, border, fill, padding_mode):
    if padding_mode == "constant":
        from PIL import ImageOps

        return ImageOps.expand(image, border, fill)
    padded = pad(pil_to_tensor(image), border, padding_mode=padding_mode)
    return to_pil_image(padded, image.mode)


def _border(padding):
    if isinstance(padding, int):
        return (padding,) * 4
    if len(padding) not in (1, 2, 4):
        raise ValueError(
            f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} "
            "element tuple"
        )
    return (tuple(padding) * 4)[:4]


def hflip(image):
    """Left and right exchanged."""
    _check(image)
    if is_pil(image):
        return image.transpose(pil().Transpose.FLIP_LEFT_RIGHT)
    return image.flip(-1)


def vflip(image):
    """Top and bottom exchanged."""
    _check(image)
    if is_pil(image):
        return image.transpose(pil().Transpose.FLIP_TOP_BOTTOM)
    return image.flip(-2)


def rgb_to_grayscale(image, num_output_channels=1):
    """The luminance (ITU-R 601-2), in one channel or three equal ones."""
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    _check(image)
    if is_pil(image):
        gray = image.convert("L")
        return gray if num_output_channels == 1 else pil().merge("RGB", [gray] * 3)
    if image.shape[-3] == 3:
        red, green, blue = image.unbind(-3)
        gray = (0.2989 * red + 0.587 * green + 0.114 * blue).to(image.dtype).unsqueeze(-3)
    else:
        gray = image.clone()
    if num_output_channels == 1:
        return gray
    return gray.expand(*image.shape[:-3], 3, *image.shape[-2:]).clone()


to_grayscale = rgb_to_grayscale
