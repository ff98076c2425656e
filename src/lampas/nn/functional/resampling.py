"""Resizing, sampling on grids, and sliding blocks."""

import math
import warnings

import lampas
from lampas import _core

GRID_SAMPLE_INTERPOLATION_MODES = {"bilinear": 0, "nearest": 1, "bicubic": 2}
GRID_SAMPLE_PADDING_MODES = {"zeros": 0, "border": 1, "reflection": 2}

_NEAREST = {3: "upsample_nearest1d", 4: "upsample_nearest2d", 5: "upsample_nearest3d"}
_LINEAR = {
    ("linear", 3): "upsample_linear1d",
    ("bilinear", 4): "upsample_bilinear2d",
    ("trilinear", 5): "upsample_trilinear3d",
    ("bicubic", 4): "upsample_bicubic2d",
}
_MODE_DIMS = {"linear": 3, "bilinear": 4, "trilinear": 5}


def _interpolation_size(input, size, scale_factor, recompute):
    """(output size, scales to hand to the kernel or None)."""
    dims = input.dim() - 2
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        if isinstance(size, (list, tuple)):
            if len(size) != dims:
                raise ValueError(
                    "Input and output must have the same number of spatial dimensions, but got "
                    f"input with spatial dimensions of {list(input.shape[2:])} and output size of "
                    f"{size}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and "
                    "output size in (o1, o2, ...,oK) format."
                )
            for extent in size:
                if not isinstance(extent, int) and not hasattr(extent, "__index__"):
                    raise TypeError(
                        "expected size to be one of int or Tuple[int] or Tuple[int, int] or "
                        f"Tuple[int, int, int], but got size with types {[type(s) for s in size]}"
                    )
            return list(size), None
        return [size] * dims, None
    if scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if isinstance(scale_factor, (list, tuple)):
        if len(scale_factor) != dims:
            raise ValueError(
                "Input and scale_factor must have the same number of spatial dimensions, but got "
                f"input with spatial dimensions of {list(input.shape[2:])} and scale_factor of "
                f"shape {scale_factor}. Please provide input tensor in (N, C, d1, d2, ...,dK) "
                "format and scale_factor in (s1, s2, ...,sK) format."
            )
        factors = list(scale_factor)
    else:
        factors = [scale_factor] * dims
    size = [math.floor(float(extent) * factor) for extent, factor in zip(input.shape[2:], factors)]
    return size, (None if recompute else [float(factor) for factor in factors])


def interpolate(
    input, size=None, scale_factor=None, mode="nearest", align_corners=None,
    recompute_scale_factor=None, antialias=False,
):  # fmt: skip
    """Resizes (N, C, *) to `size` or by `scale_factor`.

    Modes: nearest, nearest-exact, linear, bilinear, bicubic, trilinear, lanczos, area.
    `antialias` widens the filter when shrinking (bilinear, bicubic; lanczos needs it).
    """
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | "
                "bilinear | bicubic | trilinear"
            )
    elif align_corners is None:
        align_corners = False
    size, scales = _interpolation_size(input, size, scale_factor, recompute_scale_factor)
    if recompute_scale_factor is not None and recompute_scale_factor and scale_factor is None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if mode == "area":
        return _area(input, size)
    dims = input.dim()
    if antialias:
        if not (mode in _FILTERS and dims == 4):
            raise ValueError(
                "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and "
                "requires a 4-D tensor as input"
            )
        if mode == "lanczos" and align_corners:
            raise ValueError("Lanczos mode does not support align_corners=True")
        return _antialiased(input, size, mode, align_corners, scales)
    each = tuple(scales) if scales is not None else (None,) * (dims - 2)
    if mode in ("nearest", "nearest-exact") and dims in _NEAREST:
        kernel = _NEAREST[dims]
        if mode == "nearest-exact":
            kernel = "_" + kernel.replace("nearest", "nearest_exact")
        return getattr(_core, kernel)(input, size, *each)
    if (mode, dims) in _LINEAR:
        return getattr(_core, _LINEAR[mode, dims])(input, size, align_corners, *each)
    if mode == "lanczos" and dims == 4:
        raise ValueError("Lanczos mode requires antialias=True")
    if dims in (3, 4, 5) and mode in _MODE_DIMS:
        raise NotImplementedError(
            f"Got {dims}D input, but {mode} mode needs {_MODE_DIMS[mode]}D input"
        )
    raise NotImplementedError(
        "Input Error: Only 3D, 4D and 5D input Tensors supported "
        f"(got {dims}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | "
        f"lanczos | area | nearest-exact (got {mode})"
    )


def _area(input, size):
    if input.dim() == 3:
        return _core.adaptive_avg_pool1d(input, size)
    if input.dim() == 4:
        return _core.adaptive_avg_pool2d(input, size)
    if input.dim() == 5:
        return _core.adaptive_avg_pool3d(input, size)
    raise NotImplementedError(
        "Input Error: Only 3D, 4D and 5D input Tensors supported "
        f"(got {input.dim()}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | "
        "lanczos | area | nearest-exact (got area)"
    )


def _cubic(x):
    """Keys' cubic convolution kernel with a = -0.5, as image libraries use when antialiasing."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return lampas.where(x < 1, near, lampas.where(x < 2, far, lampas.zeros_like(x)))


def _triangle(x):
    return (1 - x.abs()).clamp_min(0)


def _lanczos(x):
    return (lampas.sinc(x) * lampas.sinc(x / 3)).masked_fill(x.abs() >= 3, 0.0)


_FILTERS = {"bilinear": (_triangle, 1.0), "bicubic": (_cubic, 2.0), "lanczos": (_lanczos, 3.0)}


def _antialias_weights(input, extent, size, mode, align_corners, scale):
    """The (size, extent) matrix that resizes one dimension."""
    if align_corners:
        step = (extent - 1) / (size - 1) if size > 1 else 0.0
    else:
        step = 1.0 / scale if scale else extent / size
    kernel, reach = _FILTERS[mode]
    stretch = max(step, 1.0)
    support = reach * stretch
    options = {"dtype": lampas.float64, "device": input.device}
    center = step * (lampas.arange(size, **options) + 0.5)
    first = (center - support + 0.5).floor().clamp_min(0)
    last = (center + support + 0.5).floor().clamp_max(extent)
    position = lampas.arange(extent, **options)
    distance = (position + 0.5 - center.unsqueeze(1)) / stretch
    inside = (position >= first.unsqueeze(1)) & (position < last.unsqueeze(1))
    weights = kernel(distance).masked_fill(~inside, 0.0)
    weights = weights / weights.sum(1, keepdim=True)
    return weights.to(input.dtype)


def _antialiased(input, size, mode, align_corners, scales):
    scales = scales or [None, None]
    h, w = input.shape[2:]
    if input.dtype == lampas.uint8:
        result = _antialiased(input.to(lampas.float32), size, mode, align_corners, scales)
        return result.round().clamp(0, 255).to(lampas.uint8)
    columns = _antialias_weights(input, w, size[1], mode, align_corners, scales[1])
    rows = _antialias_weights(input, h, size[0], mode, align_corners, scales[0])
    return rows @ (input @ columns.t())


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """Older name of `interpolate`."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """Older name of `interpolate(mode="nearest")`."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input, size=None, scale_factor=None):
    """Older name of `interpolate(mode="bilinear", align_corners=True)`."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


# grids


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """Values of (N, C, *) at the places `grid` (N, *, dims), coordinates in [-1, 1]."""
    if mode not in GRID_SAMPLE_INTERPOLATION_MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or "
            f"'bicubic', but got: '{mode}'"
        )
    if padding_mode not in GRID_SAMPLE_PADDING_MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False "
            "since 1.3.0. Please specify align_corners=True if the old behavior is desired. "
            "See the documentation of grid_sample for details.",
            stacklevel=2,
        )
        align_corners = False
    return _core.grid_sampler(
        input, grid, GRID_SAMPLE_INTERPOLATION_MODES[mode],
        GRID_SAMPLE_PADDING_MODES[padding_mode], align_corners,
    )  # fmt: skip


def affine_grid(theta, size, align_corners=None):
    """The sampling grid of affine maps: (N, 2, 3) -> (N, H, W, 2), (N, 3, 4) -> (N, D, H, W, 3)."""
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False "
            "since 1.3.0. Please specify align_corners=True if the old behavior is desired. "
            "See the documentation of grid_sample for details.",
            stacklevel=2,
        )
        align_corners = False
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    _check_affine(theta, size)
    return _core.affine_grid_generator(theta, size, align_corners)


def _check_affine(theta, size):
    for count, rows, spatial in ((4, 2, "2D"), (5, 3, "3D")):
        if len(size) == count:
            if theta.dim() != 3 or theta.shape[-2] != rows or theta.shape[-1] != rows + 1:
                raise ValueError(
                    f"Expected a batch of {spatial} affine matrices of shape Nx{rows}x{rows + 1} "
                    f"for size {size}. Got {theta.shape}."
                )
            extents = size[2:]
            break
    else:
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}."
        )
    if min(extents) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when "
            "align_corners=True. This is not an intended use case of affine_grid. See the "
            "documentation of affine_grid for details.",
            stacklevel=3,
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")


# sliding blocks


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """The sliding blocks of (N, C, H, W) as columns: (N, C * kernel volume, L)."""
    return _core.im2col(input, _two(kernel_size), _two(dilation), _two(padding), _two(stride))


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Sums columns of blocks into (N, C, *output_size)."""
    return _core.col2im(
        input, _two(output_size), _two(kernel_size), _two(dilation), _two(padding), _two(stride)
    )


def _two(value):
    return (value, value) if isinstance(value, int) else value


def assert_int_or_pair(arg, arg_name, message):
    """Raises AssertionError unless `arg` is an int or has two entries."""
    if not isinstance(arg, int) and len(arg) != 2:
        raise AssertionError(message.format(arg_name))
