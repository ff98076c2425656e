"""Image operations: a PIL image or a tensor (..., C, H, W) in, the same kind out.

The names of `torchvision.transforms.functional`; the families stand in the files beside this one.
"""

from lampas.vision.transforms.functional.color import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    autocontrast,
    equalize,
    invert,
    posterize,
    rgb_to_grayscale,
    solarize,
    to_grayscale,
)
from lampas.vision.transforms.functional.conversion import (
    convert_image_dtype,
    normalize,
    pil_to_tensor,
    to_pil_image,
    to_tensor,
)
from lampas.vision.transforms.functional.filter import adjust_sharpness, erase, gaussian_blur
from lampas.vision.transforms.functional.geometry import (
    center_crop,
    crop,
    five_crop,
    hflip,
    pad,
    resize,
    resized_crop,
    ten_crop,
    vflip,
)
from lampas.vision.transforms.functional.image import (
    InterpolationMode,
    get_dimensions,
    get_image_num_channels,
    get_image_size,
)
from lampas.vision.transforms.functional.warp import affine, elastic_transform, perspective, rotate

__all__ = sorted(
    name
    for name, value in list(globals().items())
    if getattr(value, "__module__", "").startswith(__name__)
)

# A pickled mode must be found under the name that torchvision gives it.
InterpolationMode.__module__ = __name__
