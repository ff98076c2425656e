"""Random blur, sharpness and erasing."""

import math
import numbers
import warnings

import lampas
from lampas.vision.transforms import functional as F
from lampas.vision.transforms.base import Sometimes, Transform, check_sequence, randint, uniform
from lampas.vision.transforms.functional.geometry import pair


class GaussianBlur(Transform):
    """Blurred by a Gaussian of random width `sigma` (low, high)."""

    shown = ("kernel_size", "sigma")

    def __init__(self, kernel_size, sigma=(0.1, 2.0)):
        super().__init__()
        self.kernel_size = pair(kernel_size, "Kernel size should be a tuple/list of two integers")
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, numbers.Number):
            if sigma <= 0:
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif isinstance(sigma, (list, tuple)) and len(sigma) == 2:
            if not 0.0 < sigma[0] <= sigma[1]:
                raise ValueError("sigma values should be positive and of the form (min, max).")
        else:
            check_sequence(sigma, "sigma", (2,))
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min, sigma_max):
        """A random width."""
        return uniform(sigma_min, sigma_max)

    def forward(self, image):
        sigma = self.get_params(*self.sigma)
        return F.gaussian_blur(image, self.kernel_size, [sigma, sigma])


class RandomAdjustSharpness(Sometimes):
    """Sharpness changed by a factor, with probability `p`."""

    shown = ("sharpness_factor", "p")

    def __init__(self, sharpness_factor, p=0.5):
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def change(self, image):
        return F.adjust_sharpness(image, self.sharpness_factor)

    def __repr__(self):
        return f"{type(self).__name__}(sharpness_factor={self.sharpness_factor},p={self.p})"


class RandomErasing(Sometimes):
    """A random rectangle of a tensor (..., C, H, W) set to `value`, with probability `p`.

    `value` is a number, one per channel, or "random" for normal noise; `scale` is the range of the
    share of the area, `ratio` of the side ratio. Source: Z. Zhong et al. (2017).
    """

    _tries = 10

    def __init__(self, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False):
        super().__init__(p)
        _check_erasing(p, scale, ratio, value)
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(img, scale, ratio, value=None):
        """Row, column, height, width and values; the image itself when ten draws do not fit."""
        channels, height, width = img.shape[-3:]
        log_ratio = lampas.log(lampas.tensor(ratio)).tolist()
        for _ in range(RandomErasing._tries):
            area = height * width * uniform(*scale)
            aspect = lampas.exp(lampas.empty(1).uniform_(*log_ratio)).item()
            h, w = int(round(math.sqrt(area * aspect))), int(round(math.sqrt(area / aspect)))
            if not (h < height and w < width):
                continue
            if value is None:
                values = lampas.empty([channels, h, w], dtype=lampas.float32).normal_()
            else:
                values = lampas.tensor(value)[:, None, None]
            row = randint(0, height - h + 1)
            return row, randint(0, width - w + 1), h, w, values
        return 0, 0, height, width, img

    def change(self, image):
        value = self.value
        if isinstance(value, (int, float)):
            value = [float(value)]
        elif isinstance(value, str):
            value = None
        else:
            value = [float(entry) for entry in value]
        if value is not None and len(value) not in (1, image.shape[-3]):
            raise ValueError(
                "If value is a sequence, it should have either a single value or "
                f"{image.shape[-3]} (number of input channels)"
            )
        *place, values = self.get_params(image, self.scale, self.ratio, value)
        return F.erase(image, *place, values, self.inplace)

    def __repr__(self):
        return (
            f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}"
            f", value={self.value}, inplace={self.inplace})"
        )


def _check_erasing(p, scale, ratio, value):
    if not isinstance(value, (numbers.Number, str, tuple, list)):
        raise TypeError("Argument value should be either a number or str or a sequence")
    if isinstance(value, str) and value != "random":
        raise ValueError("If value is str, it should be 'random'")
    if not isinstance(scale, (tuple, list)):
        raise TypeError("Scale should be a sequence")
    if not isinstance(ratio, (tuple, list)):
        raise TypeError("Ratio should be a sequence")
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=3)
    if scale[0] < 0 or scale[1] > 1:
        raise ValueError("Scale should be between 0 and 1")
    if p < 0 or p > 1:
        raise ValueError("Random erasing probability should be between 0 and 1")
