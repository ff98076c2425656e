"""Random rotation, affine maps, perspective and elastic deformation."""

import lampas
from lampas.vision.transforms import functional as F
from lampas.vision.transforms.base import (
    Sometimes,
    Transform,
    angles,
    check_sequence,
    fill_of,
    randint,
    uniform,
)
from lampas.vision.transforms.functional.image import InterpolationMode, interpolation_mode


def _checked_fill(fill):
    if fill is None:
        return 0
    if not isinstance(fill, (int, float, list, tuple)):
        raise TypeError("Fill should be either a sequence or a number.")
    return fill


class RandomRotation(Transform):
    """Turned by a random angle of `degrees` (low, high), or -degrees..degrees."""

    def __init__(
        self,
        degrees,
        interpolation=InterpolationMode.NEAREST,
        expand=False,
        center=None,
        fill=0,
    ):
        super().__init__()
        self.interpolation = interpolation_mode(interpolation)
        self.degrees = angles(degrees, "degrees")
        if center is not None:
            check_sequence(center, "center", (2,))
        self.center = center
        self.expand = expand
        self.fill = _checked_fill(fill)

    @staticmethod
    def get_params(degrees):
        """A random angle."""
        return uniform(*degrees)

    def forward(self, image):
        fill = fill_of(self.fill, image)
        angle = self.get_params(self.degrees)
        return F.rotate(image, angle, self.interpolation, self.expand, self.center, fill)

    def __repr__(self):
        center = "" if self.center is None else f", center={self.center}"
        return (
            f"{type(self).__name__}(degrees={self.degrees}"
            f", interpolation={self.interpolation.value}, expand={self.expand}{center}"
            f", fill={self.fill})"
        )


class RandomAffine(Transform):
    """Random rotation, translation (shares of the size), scale and shear (degrees)."""

    def __init__(
        self,
        degrees,
        translate=None,
        scale=None,
        shear=None,
        interpolation=InterpolationMode.NEAREST,
        fill=0,
        center=None,
    ):
        super().__init__()
        self.interpolation = interpolation_mode(interpolation)
        self.degrees = angles(degrees, "degrees")
        self.translate = translate
        self.scale = scale
        self.shear = None if shear is None else angles(shear, "shear", sizes=(2, 4))
        self._check()
        self.fill = _checked_fill(fill)
        if center is not None:
            check_sequence(center, "center", (2,))
        self.center = center

    def _check(self):
        if self.translate is not None:
            check_sequence(self.translate, "translate", (2,))
            if any(not 0.0 <= share <= 1.0 for share in self.translate):
                raise ValueError("translation values should be between 0 and 1")
        if self.scale is not None:
            check_sequence(self.scale, "scale", (2,))
            if any(factor <= 0 for factor in self.scale):
                raise ValueError("scale values should be positive")

    @staticmethod
    def get_params(degrees, translate, scale_ranges, shears, img_size):
        """angle, (x, y) of the translation, scale, (x, y) of the shear; `img_size` is (W, H)."""
        angle = uniform(*degrees)
        move = (0, 0)
        if translate is not None:
            reach = [float(share * side) for share, side in zip(translate, img_size)]
            move = tuple(int(round(uniform(-r, r))) for r in reach)
        scale = 1.0 if scale_ranges is None else uniform(*scale_ranges)
        shear_x = shear_y = 0.0
        if shears is not None:
            shear_x = uniform(shears[0], shears[1])
            if len(shears) == 4:
                shear_y = uniform(shears[2], shears[3])
        return angle, move, scale, (shear_x, shear_y)

    def forward(self, image):
        fill = fill_of(self.fill, image)
        size = F.get_image_size(image)
        params = self.get_params(self.degrees, self.translate, self.scale, self.shear, size)
        return F.affine(
            image, *params, interpolation=self.interpolation, fill=fill, center=self.center
        )

    def __repr__(self):
        text = f"{type(self).__name__}(degrees={self.degrees}"
        for name in ("translate", "scale", "shear"):
            if getattr(self, name) is not None:
                text += f", {name}={getattr(self, name)}"
        if self.interpolation is not InterpolationMode.NEAREST:
            text += f", interpolation={self.interpolation.value}"
        if self.fill != 0:
            text += f", fill={self.fill}"
        if self.center is not None:
            text += f", center={self.center}"
        return text + ")"


class RandomPerspective(Sometimes):
    """The corners moved inwards by up to half the size times `distortion_scale`."""

    def __init__(
        self,
        distortion_scale=0.5,
        p=0.5,
        interpolation=InterpolationMode.BILINEAR,
        fill=0,
    ):
        super().__init__(p)
        self.interpolation = interpolation_mode(interpolation)
        self.distortion_scale = distortion_scale
        self.fill = _checked_fill(fill)

    @staticmethod
    def get_params(width, height, distortion_scale):
        """The corners of the image and where they go, clockwise from the upper left, each [x, y]."""
        reach_x = int(distortion_scale * (width // 2)) + 1
        reach_y = int(distortion_scale * (height // 2)) + 1
        left, top = (0, reach_x), (0, reach_y)
        right, bottom = (width - reach_x, width), (height - reach_y, height)
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        endpoints = [[randint(*x), randint(*y)] for x, y in corners]
        startpoints = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        return startpoints, endpoints

    def change(self, image):
        fill = fill_of(self.fill, image)
        width, height = F.get_image_size(image)
        startpoints, endpoints = self.get_params(width, height, self.distortion_scale)
        return F.perspective(image, startpoints, endpoints, self.interpolation, fill)


class ElasticTransform(Transform):
    """A random smooth deformation: strength `alpha`, smoothness `sigma`, each for x and y.

    Source: P. Simard et al. (2003), "Best practices for convolutional neural networks".
    """

    def __init__(self, alpha=50.0, sigma=5.0, interpolation=InterpolationMode.BILINEAR, fill=0):
        super().__init__()
        self.alpha = _two_floats("alpha", alpha)
        self.sigma = _two_floats("sigma", sigma)
        self.interpolation = interpolation_mode(interpolation)
        fill = [float(fill)] if isinstance(fill, (int, float)) else fill
        if not isinstance(fill, (list, tuple)):
            raise TypeError(
                f"fill should be int or float or a list or tuple of them. Got {type(fill)}"
            )
        self.fill = [float(x) for x in fill]

    @staticmethod
    def get_params(alpha, sigma, size):
        """A displacement (1, H, W, 2) for an image of `size` [height, width]."""
        parts = []
        for strength, smoothness, side in zip(alpha, sigma, size):
            noise = lampas.rand([1, 1, *size]) * 2 - 1
            if smoothness > 0.0:
                kernel = int(8 * smoothness + 1)
                kernel += 1 - kernel % 2
                noise = F.gaussian_blur(noise, [kernel, kernel], sigma)
            parts.append(noise * strength / side)
        return lampas.cat(parts, 1).permute([0, 2, 3, 1])

    def forward(self, image):
        _, height, width = F.get_dimensions(image)
        displacement = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(image, displacement, self.interpolation, self.fill)

    def __repr__(self):
        return (
            f"{type(self).__name__}(alpha={self.alpha}, sigma={self.sigma}"
            f", interpolation={self.interpolation}, fill={self.fill})"
        )


def _two_floats(name, value):
    if isinstance(value, (int, float)):
        return [float(value)] * 2
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name} should be float or a sequence of floats. Got {type(value)}")
    if len(value) not in (1, 2):
        raise ValueError(f"{name} is a sequence its length should be one of 2. Got {len(value)}")
    return [float(x) for x in (list(value) * 2)[:2]]
