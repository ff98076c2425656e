"""Regions of a feature map as maps of one size: RoIAlign and RoIPool.

A region is (image number, x1, y1, x2, y2); a list has one (L, 4) tensor per image instead.
"""

import math

import lampas
from lampas import nn


def _regions(boxes):
    """(K, 5) from either form. ValueError for other shapes."""
    if isinstance(boxes, (list, tuple)):
        if any(part.dim() != 2 or part.shape[1] != 4 for part in boxes):
            raise ValueError(
                "The shape of the tensor in the boxes list is not correct as List[Tensor[L, 4]]"
            )
        numbered = [
            lampas.cat([lampas.full_like(part[:, :1], i), part], dim=1)
            for i, part in enumerate(boxes)
        ]
        return lampas.cat(numbered, dim=0)
    if boxes.dim() != 2 or boxes.shape[1] != 5:
        raise ValueError("The boxes tensor shape is not correct as Tensor[K, 5]")
    return boxes


def _size(output_size):
    return (output_size,) * 2 if isinstance(output_size, int) else tuple(output_size)


def roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    """Means of bilinear samples of `input` (N, C, H, W): (K, C, *output_size).

    A cell has `sampling_ratio` samples a side (<= 0: as many as pixels, rounded up). `aligned`
    shifts coordinates by half a pixel, so that they are pixel centres. Source: K. He et al. (2017).
    """
    rows, columns = _size(output_size)
    height, width = input.shape[-2:]
    results = []
    for region in _regions(boxes).tolist():
        shift = 0.5 if aligned else 0.0
        x1, y1, x2, y2 = (side * spatial_scale - shift for side in region[1:])
        least = -math.inf if aligned else 1.0  # older form: no region below one pixel
        down = _sampling(y1, max(y2 - y1, least), rows, height, sampling_ratio)
        across = _sampling(x1, max(x2 - x1, least), columns, width, sampling_ratio)
        down, across = (part.to(input.device, input.dtype) for part in (down, across))
        results.append(down @ input[int(region[0])] @ across.t())
    if not results:
        return input.new_empty((0, input.shape[1], rows, columns))
    return lampas.stack(results)


def _sampling(start, length, cells, size, ratio):
    """Weights (cells, size) with which the pixels of a line count in the cells of a region.

    A bilinear sample is a product of one weight down and one across, so the two directions are
    two matrices.
    """
    count = ratio if ratio > 0 else math.ceil(length / cells)
    weights = lampas.zeros(cells, size, dtype=lampas.float64)
    for cell in range(cells):
        for i in range(count):
            place = start + (cell + (i + 0.5) / count) * length / cells
            if place < -1.0 or place > size:
                continue  # nothing is there
            place = min(max(place, 0.0), size - 1.0)
            low = int(place)
            high = min(low + 1, size - 1)
            weights[cell, low] += (1.0 - (place - low)) / count
            weights[cell, high] += (place - low) / count
    return weights


def roi_pool(input, boxes, output_size, spatial_scale=1.0):
    """Maxima of `input` (N, C, H, W) over the cells of each region: (K, C, *output_size).

    Corners are rounded to pixels; an empty cell is 0. Source: R. Girshick (2015), Fast R-CNN.
    """
    rows, columns = _size(output_size)
    height, width = input.shape[-2:]
    results = []
    for region in _regions(boxes).tolist():
        image = input[int(region[0])]
        x1, y1, x2, y2 = (math.floor(side * spatial_scale + 0.5) for side in region[1:])
        down = _cells(y1, max(y2 - y1 + 1, 1), rows, height)
        across = _cells(x1, max(x2 - x1 + 1, 1), columns, width)
        results.append(
            lampas.stack(
                [lampas.stack([_maximum(image, y, x) for x in across], -1) for y in down], -2
            )
        )
    if not results:
        return input.new_empty((0, input.shape[1], rows, columns))
    return lampas.stack(results)


def _cells(start, length, count, size):
    """The range of pixels of each cell."""
    bounds = []
    for i in range(count):
        first = start + math.floor(i * length / count)
        last = start + math.ceil((i + 1) * length / count)
        bounds.append((min(max(first, 0), size), min(max(last, 0), size)))
    return bounds


def _maximum(image, y, x):
    part = image[:, y[0] : y[1], x[0] : x[1]]
    return part.amax(dim=(1, 2)) if part.numel() else image.new_zeros(image.shape[0])


class RoIAlign(nn.Module):
    """See `roi_align`."""

    def __init__(self, output_size, spatial_scale, sampling_ratio, aligned=False):
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned

    def forward(self, input, rois):
        return roi_align(
            input, rois, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned
        )

    def __repr__(self):
        return (
            f"{type(self).__name__}(output_size={self.output_size}"
            f", spatial_scale={self.spatial_scale}, sampling_ratio={self.sampling_ratio}"
            f", aligned={self.aligned})"
        )


class RoIPool(nn.Module):
    """See `roi_pool`."""

    def __init__(self, output_size, spatial_scale):
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale

    def forward(self, input, rois):
        return roi_pool(input, rois, self.output_size, self.spatial_scale)

    def __repr__(self):
        return (
            f"{type(self).__name__}(output_size={self.output_size}"
            f", spatial_scale={self.spatial_scale})"
        )
