"""Images for people: `make_grid`, `save_image`."""

import lampas
from lampas.vision.transforms import functional as F


def make_grid(
    tensor,
    nrow=8,
    padding=2,
    normalize=False,
    value_range=None,
    scale_each=False,
    pad_value=0.0,
):
    """Images (B, C, H, W), or a list of (C, H, W), as one image (3, H', W') with `nrow` a row.

    `normalize` shifts values to 0..1 from `value_range` (default: their minimum and maximum), for
    each image alone with `scale_each`.
    """
    if isinstance(tensor, (list, tuple)):
        tensor = lampas.stack(tuple(tensor), dim=0)
    if not isinstance(tensor, lampas.Tensor):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    images = _batch_of_colour(tensor)
    if normalize:
        images = images.clone()
        for part in images if scale_each else [images]:
            _to_unit_range(part, value_range)
    if images.size(0) == 1:
        return images.squeeze(0)
    count, channels = images.shape[:2]
    columns = min(nrow, count)
    rows = -(-count // columns)
    height, width = images.size(2) + padding, images.size(3) + padding
    grid = images.new_full(
        (channels, height * rows + padding, width * columns + padding), pad_value
    )
    for i, image in enumerate(images):
        top, left = i // columns * height + padding, i % columns * width + padding
        grid[:, top : top + height - padding, left : left + width - padding].copy_(image)
    return grid


def save_image(tensor, fp, format=None, **options):
    """Write a tensor of values in 0..1 as an image file; a batch becomes a grid (`make_grid`)."""
    with lampas.no_grad():
        grid = make_grid(tensor, **options)
        pixels = grid.mul(255).add_(0.5).clamp_(0, 255).to("cpu", lampas.uint8)
    F.to_pil_image(pixels).save(fp, format=format)


def _batch_of_colour(tensor):
    """Any of (H, W), (C, H, W), (B, C, H, W) as (B, C, H, W), one channel repeated to three."""
    while tensor.dim() < 4:
        tensor = tensor.unsqueeze(0)
    return lampas.cat((tensor, tensor, tensor), 1) if tensor.size(1) == 1 else tensor


def _to_unit_range(image, value_range):
    low, high = value_range or (float(image.min()), float(image.max()))
    image.clamp_(min=low, max=high).sub_(low).div_(max(high - low, 1e-5))
