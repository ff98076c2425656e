"""Between PIL images, arrays and tensors, between element types, and normalization."""

import lampas
from lampas.serialization.storage import storage_bytes
from lampas.vision.transforms.functional.image import is_array, is_pil, pil


def pil_to_tensor(image):
    """A PIL image as a (C, H, W) tensor of its own pixel values."""
    if not is_pil(image):
        raise TypeError(f"pic should be PIL Image. Got {type(image)}")
    dtypes = {"I": lampas.int32, "I;16": lampas.int16, "F": lampas.float32}
    raw = bytearray(image.convert("L").tobytes() if image.mode == "1" else image.tobytes())
    if not raw:
        return lampas.empty(len(image.getbands()), image.height, image.width, dtype=lampas.uint8)
    pixels = lampas.frombuffer(raw, dtype=dtypes.get(image.mode, lampas.uint8))
    pixels = pixels.view(image.height, image.width, len(image.getbands()))
    return pixels.permute(2, 0, 1).contiguous()  # (H, W, C) to (C, H, W)


def to_tensor(image):
    """A PIL image or an array (H, W, C) as a (C, H, W) tensor; bytes become floats in 0..1."""
    if is_pil(image):
        tensor = pil_to_tensor(image)
    elif is_array(image):
        if image.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {image.ndim} dimensions.")
        array = image[:, :, None] if image.ndim == 2 else image
        tensor = lampas.from_numpy(array.transpose((2, 0, 1)).copy())
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(image)}")
    if tensor.dtype == lampas.uint8:
        return tensor.to(lampas.get_default_dtype()).div(255)
    return tensor


def to_pil_image(image, mode=None):
    """A tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W), as a PIL image.

    Floats in 0..1 become bytes. `mode` is Pillow's; the default follows from type and channels.
    ValueError for a mode that does not fit, or more than 4 channels.
    """
    if is_array(image):
        pixels = _pixels_of_array(image)
    elif isinstance(image, lampas.Tensor):
        pixels = _pixels_of_tensor(image, mode)
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(image)}.")
    mode = _mode(pixels, mode)
    size = (pixels.shape[1], pixels.shape[0])
    pixels = pixels.contiguous().clone()
    return pil().frombytes(mode, size, bytes(storage_bytes(pixels.untyped_storage())))


def _pixels_of_tensor(image, mode):
    if image.dim() not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {image.dim()} dimensions.")
    image = image.unsqueeze(0) if image.dim() == 2 else image
    if image.shape[-3] > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {image.shape[-3]} channels.")
    if image.is_floating_point() and mode != "F":
        image = image.mul(255).to(lampas.uint8)
    return image.detach().cpu().permute(1, 2, 0)


def _pixels_of_array(image):
    if image.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {image.ndim} dimensions.")
    array = image[:, :, None] if image.ndim == 2 else image
    if array.shape[-1] > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {array.shape[-1]} channels.")
    return lampas.from_numpy(array.copy())


_MODES = {
    1: {"uint8": "L", "int16": "I;16", "int32": "I", "float32": "F"},
    2: {"uint8": "LA"},
    3: {"uint8": "RGB"},
    4: {"uint8": "RGBA"},
}
_FITTING = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}


def _mode(pixels, mode):
    """Pillow's mode of (H, W, C) pixels; a wish that does not fit raises."""
    channels, dtype = pixels.shape[-1], str(pixels.dtype).rpartition(".")[2]
    default = _MODES[channels].get(dtype)
    if default is None:
        raise TypeError(f"Input type {dtype} is not supported")
    if mode is None:
        return default
    if channels == 1 and mode != default:
        raise ValueError(
            f"Incorrect mode ({mode}) supplied for input type {dtype}. Should be {default}"
        )
    if channels > 1 and mode not in _FITTING[channels]:
        raise ValueError(
            f"Only modes {list(_FITTING[channels])} are supported for {channels}D inputs"
        )
    return mode


def convert_image_dtype(image, dtype=None):
    """Change the element type and the range with it: integers use their whole range, floats 0..1.

    RuntimeError where the target cannot hold the range.
    """
    if not isinstance(image, lampas.Tensor):
        raise TypeError("Input img should be Tensor Image")
    dtype = lampas.float32 if dtype is None else dtype
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        return _from_float(image, dtype)
    top = lampas.iinfo(image.dtype).max
    if dtype.is_floating_point:
        return image.to(dtype) / top
    target = lampas.iinfo(dtype).max
    if top > target:
        factor = (top + 1) // (target + 1)
        return lampas.div(image, factor, rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((target + 1) // (top + 1))


def _from_float(image, dtype):
    if dtype.is_floating_point:
        return image.to(dtype)
    wide = (image.dtype == lampas.float32 and dtype in (lampas.int32, lampas.int64)) or (
        image.dtype == lampas.float64 and dtype == lampas.int64
    )
    if wide:
        raise RuntimeError(f"The cast from {image.dtype} to {dtype} cannot be performed safely.")
    # Just under one more than the maximum: 1.0 must land on the maximum, not beyond it.
    return image.mul(lampas.iinfo(dtype).max + 1 - 1e-3).to(dtype)


def normalize(tensor, mean, std, inplace=False):
    """(tensor - mean) / std, per channel, of a float tensor (..., C, H, W)."""
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
