"""The names of `torchvision.transforms.v2.functional`, for images."""

import lampas
from lampas.vision.transforms import functional as _first
from lampas.vision.transforms.functional.image import is_array, is_pil

globals().update({name: getattr(_first, name) for name in _first.__all__})
horizontal_flip = _first.hflip
vertical_flip = _first.vflip


def get_size(image):
    """[height, width]."""
    return _first.get_dimensions(image)[1:]


def get_num_channels(image):
    """How many channels the image has."""
    return _first.get_image_num_channels(image)


def to_image(image):
    """PIL image, array (H, W, C) or tensor as a tensor (C, H, W), values unchanged."""
    if is_pil(image):
        return _first.pil_to_tensor(image)
    if is_array(image):
        array = image[:, :, None] if image.ndim == 2 else image
        return lampas.from_numpy(array.transpose((2, 0, 1)).copy())
    if isinstance(image, lampas.Tensor):
        return image
    raise TypeError(
        "Input can either be a pure Tensor, a numpy array, or a PIL image, "
        f"but got {type(image)} instead."
    )


def to_dtype(image, dtype=lampas.float32, scale=False):
    """`convert_image_dtype` with `scale`, else only the element type changes."""
    return _first.convert_image_dtype(image, dtype) if scale else image.to(dtype)
