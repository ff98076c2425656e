"""Rotation, affine maps, perspective and elastic deformation.

Each output pixel looks up where it came from. PIL images are resampled by Pillow, tensors by
`grid_sample` over a grid of source places in -1..1 (x right, y down, edges of the image at +-1).
"""

import math
import numbers

import lampas
import lampas.nn.functional as F
from lampas.vision.transforms.functional.conversion import pil_to_tensor, to_pil_image
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


def rotate(
    image, angle, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=None
):
    """Turn by `angle` degrees, counter-clockwise, about `center` (x, y; default the middle).

    `expand` makes the result large enough for all of the image; it supposes the default centre.
    """
    interpolation = interpolation_mode(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    if check(image):
        return image.rotate(
            angle, pil_resampling(interpolation), expand, center, fillcolor=pil_fill(fill, image)
        )
    _, height, width = get_dimensions(image)
    origin = _from_middle(center, height, width)
    matrix = inverse_affine(origin, -angle, (0.0, 0.0), 1.0, (0.0, 0.0))
    size = _expanded_size(matrix, height, width) if expand else (height, width)
    return _sample(image, _affine_grid(matrix, height, width, size), interpolation, fill)


def affine(
    image,
    angle,
    translate,
    scale,
    shear,
    interpolation=InterpolationMode.NEAREST,
    fill=None,
    center=None,
):
    """Rotate (degrees, clockwise), move (pixels right and down), scale and shear (degrees)."""
    interpolation = interpolation_mode(interpolation)
    shear = _check_affine(angle, translate, scale, shear, center)
    translate = [float(t) for t in translate]
    is_pil_image = check(image)
    _, height, width = get_dimensions(image)
    if is_pil_image:
        middle = [width * 0.5, height * 0.5] if center is None else center
        matrix = inverse_affine(middle, angle, translate, scale, shear)
        return image.transform(
            (width, height),
            pil().Transform.AFFINE,
            matrix,
            pil_resampling(interpolation),
            fillcolor=pil_fill(fill, image),
        )
    origin = _from_middle(center, height, width)
    matrix = inverse_affine(origin, angle, translate, scale, shear)
    grid = _affine_grid(matrix, height, width, (height, width))
    return _sample(image, grid, interpolation, fill)


def _check_affine(angle, translate, scale, shear, center):
    """The shear as [x, y]; TypeError or ValueError name a wrong argument."""
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    if not isinstance(shear, (numbers.Number, list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    shear = [shear, 0.0] if isinstance(shear, numbers.Number) else list(shear)
    shear = [shear[0], shear[0]] if len(shear) == 1 else shear
    if len(shear) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    return [float(s) for s in shear]


def _from_middle(center, height, width):
    """`center`, given from the upper left corner, from the middle of the image."""
    if center is None:
        return (0.0, 0.0)
    return (center[0] - width * 0.5, center[1] - height * 0.5)


def inverse_affine(center, angle, translate, scale, shear):
    """The six numbers (a, b, c, d, e, f) that take an output place (x, y) to its source.

    The map itself is p -> center + translate + L (p - center) with the linear part
    L = scale * rotation(angle) * shear_y * shear_x, where shear_x adds -tan(shear[0]) y to x and
    shear_y adds -tan(shear[1]) x to y. So the source is center + inverse(L) (p - center - translate).
    """
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    tan_x, tan_y = (math.tan(math.radians(s)) for s in shear)
    # Rows of L / scale; its determinant is 1.
    xx, yx = cos + sin * tan_y, sin - cos * tan_y
    xy, yy = -xx * tan_x - sin, -yx * tan_x + cos
    a, b, d, e = yy / scale, -xy / scale, -yx / scale, xx / scale
    x, y = -center[0] - translate[0], -center[1] - translate[1]
    return [a, b, a * x + b * y + center[0], d, e, d * x + e * y + center[1]]


def _affine_grid(matrix, height, width, size):
    """Source places (1, H', W', 2) of an output of `size` centred on the image's middle."""
    out_height, out_width = size
    theta = lampas.tensor(matrix, dtype=lampas.float32).view(2, 3)
    x = lampas.linspace(-out_width * 0.5 + 0.5, out_width * 0.5 - 0.5, out_width)
    y = lampas.linspace(-out_height * 0.5 + 0.5, out_height * 0.5 - 0.5, out_height)
    places = lampas.ones(out_height, out_width, 3)
    places[..., 0] = x
    places[..., 1] = y[:, None]
    half = lampas.tensor([0.5 * width, 0.5 * height])
    return places.view(1, -1, 3).matmul(theta.t() / half).view(1, out_height, out_width, 2)


def _expanded_size(matrix, height, width):
    """(height, width) of the smallest whole-pixel frame around the turned image."""
    theta = lampas.tensor(matrix, dtype=lampas.float32).view(2, 3)
    half_w, half_h = 0.5 * width, 0.5 * height
    corners = [(-half_w, -half_h), (-half_w, half_h), (half_w, half_h), (half_w, -half_h)]
    moved = lampas.tensor([(x, y, 1.0) for x, y in corners]) @ theta.t()
    moved = moved + lampas.tensor([half_w, half_h])
    # A corner that rounding pushed past a pixel's edge must not cost a whole further pixel.
    tolerance = 1e-4
    last = lampas.ceil((moved.amax(0) / tolerance).trunc() * tolerance)
    first = lampas.floor((moved.amin(0) / tolerance).trunc() * tolerance)
    out_width, out_height = (last - first).tolist()
    return int(out_height), int(out_width)


def perspective(image, startpoints, endpoints, interpolation=InterpolationMode.BILINEAR, fill=None):
    """Move the four corners `startpoints` to `endpoints`, each [x, y] in pixels."""
    interpolation = interpolation_mode(interpolation)
    coefficients = perspective_coefficients(startpoints, endpoints)
    is_pil_image = check(image)
    _, height, width = get_dimensions(image)
    if is_pil_image:
        return image.transform(
            (width, height),
            pil().Transform.PERSPECTIVE,
            coefficients,
            pil_resampling(interpolation),
            fillcolor=pil_fill(fill, image),
        )
    return _sample(image, _perspective_grid(coefficients, height, width), interpolation, fill)


def perspective_coefficients(startpoints, endpoints):
    """The eight numbers a..h with source x = (ax + by + c) / (gx + hy + 1), y = (dx + ey + f) / (...).

    ValueError unless both have four points.
    """
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(
            "Please provide exactly four corners, "
            f"got {len(startpoints)} startpoints and {len(endpoints)} endpoints."
        )
    rows = []
    for (x, y), (u, v) in zip(endpoints, startpoints):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    system = lampas.tensor(rows, dtype=lampas.float64)
    wanted = lampas.tensor(startpoints, dtype=lampas.float64).view(8)
    return lampas.linalg.lstsq(system, wanted, driver="gels").solution.to(lampas.float32).tolist()


def _perspective_grid(coefficients, height, width):
    a, b, c, d, e, f, g, h = coefficients
    places = lampas.ones(1, height, width, 3)
    places[..., 0] = lampas.linspace(0.5, width - 0.5, width)
    places[..., 1] = lampas.linspace(0.5, height - 0.5, height)[:, None]
    flat = places.view(1, -1, 3)
    half = lampas.tensor([0.5 * width, 0.5 * height])
    above = flat.matmul(lampas.tensor([[a, b, c], [d, e, f]]).t() / half)
    below = flat.matmul(lampas.tensor([[g, h, 1.0], [g, h, 1.0]]).t())
    return (above / below - 1.0).view(1, height, width, 2)


def elastic_transform(image, displacement, interpolation=InterpolationMode.BILINEAR, fill=None):
    """Look each pixel up at its place plus `displacement` (1, H, W, 2), in units of half the image."""
    interpolation = interpolation_mode(interpolation)
    if not isinstance(displacement, lampas.Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    if check(image):
        tensor = pil_to_tensor(image)
        moved = elastic_transform(tensor, displacement, interpolation, fill)
        return to_pil_image(moved, image.mode)
    _, height, width = get_dimensions(image)
    if tuple(displacement.shape) != (1, height, width, 2):
        raise ValueError(f"Argument displacement shape should be {(1, height, width, 2)}")
    grid = lampas.empty(1, height, width, 2)
    grid[..., 0] = lampas.linspace((-width + 1) / width, (width - 1) / width, width)
    grid[..., 1] = lampas.linspace((-height + 1) / height, (height - 1) / height, height)[:, None]
    grid = grid + displacement.to(grid.dtype)
    return _sample(image, grid, interpolation, fill)


def _sample(image, grid, interpolation, fill):
    """The image at the grid's places; outside it `fill`, a number or one per channel."""
    if interpolation not in (InterpolationMode.NEAREST, InterpolationMode.BILINEAR):
        raise ValueError(
            f"Resampling mode '{interpolation.value}' is unsupported with Tensor input"
        )
    batch = as_batch(image)
    channels = batch.shape[1]
    colour = _colour(fill, channels, batch)
    if colour is not None:
        batch = lampas.cat([batch, batch.new_ones(batch.shape[0], 1, *batch.shape[2:])], dim=1)
    grid = grid.to(device=batch.device, dtype=batch.dtype)
    grid = grid.expand(batch.shape[0], *grid.shape[1:])
    result = F.grid_sample(
        batch, grid, mode=interpolation.value, padding_mode="zeros", align_corners=False
    )
    if colour is not None:
        # The last channel says how much of a pixel came from inside the image.
        result, inside = result[:, :-1], result[:, -1:]
        if interpolation is InterpolationMode.NEAREST:
            result = lampas.where(inside < 0.5, colour, result)
        else:
            result = result * inside + (1.0 - inside) * colour
    return from_batch(result, image)


def _colour(fill, channels, batch):
    if fill is None:
        return None
    fill = [float(fill)] if isinstance(fill, numbers.Number) else [float(x) for x in fill]
    if len(fill) not in (1, channels):
        raise ValueError(
            "The number of elements in 'fill' cannot broadcast to match the number of channels of "
            f"the image ({len(fill)} != {channels})"
        )
    return lampas.tensor(fill, dtype=batch.dtype, device=batch.device).view(1, -1, 1, 1)
