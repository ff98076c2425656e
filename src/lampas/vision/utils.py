"""Images for people: grids, files, boxes and masks drawn on pictures."""

import os

import lampas
from lampas.vision.transforms import functional as F


@lampas.no_grad()
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
    _check_images(tensor, value_range if normalize else None)
    if isinstance(tensor, (list, tuple)):
        tensor = lampas.stack(tuple(tensor), dim=0)
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


def _check_images(tensor, value_range):
    parts = tensor if isinstance(tensor, (list, tuple)) else [tensor]
    if not all(isinstance(part, lampas.Tensor) for part in parts):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    if value_range is not None and not isinstance(value_range, tuple):
        raise TypeError(
            "value_range has to be a tuple (min, max) if specified. min and max are numbers"
        )


@lampas.no_grad()
def save_image(tensor, fp, format=None, **options):
    """Write a tensor of values in 0..1 as an image file; a batch becomes a grid (`make_grid`).

    A named file is there only when it is complete.
    """
    grid = make_grid(tensor, **options)
    pixels = grid.mul(255).add_(0.5).clamp_(0, 255).to("cpu", lampas.uint8)
    image = F.to_pil_image(pixels)
    if not isinstance(fp, (str, os.PathLike)):
        image.save(fp, format=format)
        return
    stem, ending = os.path.splitext(os.fspath(fp))
    part = f"{stem}.part{ending}"  # Pillow tells the format by the ending
    try:
        image.save(part, format=format)
        os.replace(part, fp)
    finally:
        if os.path.exists(part):
            os.remove(part)


def _batch_of_colour(tensor):
    """Any of (H, W), (C, H, W), (B, C, H, W) as (B, C, H, W), one channel repeated to three."""
    while tensor.dim() < 4:
        tensor = tensor.unsqueeze(0)
    return lampas.cat((tensor, tensor, tensor), 1) if tensor.size(1) == 1 else tensor


def _to_unit_range(image, value_range):
    low, high = value_range or (float(image.min()), float(image.max()))
    image.clamp_(min=low, max=high).sub_(low).div_(max(high - low, 1e-5))


@lampas.no_grad()
def draw_bounding_boxes(
    image, boxes, labels=None, colors=None, fill=False, width=1, font=None, font_size=None
):
    """Boxes (N, 4) as (x1, y1, x2, y2) on an image (C, H, W), uint8 or float in 0..1.

    `colors` is one colour or one per box (a name or three numbers); `labels` are texts. A font is
    a TrueType file. ValueError for wrong boxes or numbers of labels.
    """
    from PIL import ImageDraw

    _check_picture(image)
    if (boxes[:, 0] > boxes[:, 2]).any() or (boxes[:, 1] > boxes[:, 3]).any():
        raise ValueError(
            "Boxes need to be in (xmin, ymin, xmax, ymax) format. Use torchvision.ops.box_convert "
            "to convert them"
        )
    count = boxes.shape[0]
    if labels is not None and len(labels) != count:
        raise ValueError(
            f"The number of boxes ({count}) and labels ({len(labels)}) mismatch. Please specify "
            "labels for each box."
        )
    picture = F.to_pil_image(_bytes_of(_batch_of_colour(image)[0]))
    pen = ImageDraw.Draw(picture, "RGBA" if fill else None)
    labels = [None] * count if labels is None else labels
    letters = _font(font, font_size)
    for box, colour, label in zip(boxes.to(lampas.int64).tolist(), _colours(colors, count), labels):
        pen.rectangle(box, width=width, outline=colour, fill=(*colour, 100) if fill else None)
        if label is not None:
            margin = width + 1
            pen.text((box[0] + margin, box[1] + margin), label, fill=colour, font=letters)
    return _as_given(F.pil_to_tensor(picture), image)


@lampas.no_grad()
def draw_segmentation_masks(image, masks, alpha=0.8, colors=None):
    """Boolean masks (N, H, W) or (H, W) as transparent colours on an image (3, H, W)."""
    _check_picture(image)
    if image.shape[0] != 3:
        raise ValueError("Pass an RGB image. Other Image formats are not supported")
    masks = masks[None] if masks.dim() == 2 else masks
    if masks.dim() != 3:
        raise ValueError("masks must be of shape (H, W) or (batch_size, H, W)")
    if masks.dtype != lampas.bool:
        raise ValueError(f"The masks must be of dtype bool. Got {masks.dtype}")
    if masks.shape[-2:] != image.shape[-2:]:
        raise ValueError("The image and the masks must have the same height and width")
    base = _bytes_of(image)
    painted = base.clone()
    for mask, colour in zip(masks, _colours(colors, len(masks))):
        painted[:, mask] = lampas.tensor(colour, dtype=lampas.uint8)[:, None]
    mixed = base * (1 - alpha) + painted * alpha
    mixed = lampas.where(masks.any(0), mixed, base.to(mixed.dtype))
    return _as_given(mixed.to(lampas.uint8), image)


def _check_picture(image):
    if not isinstance(image, lampas.Tensor):
        raise TypeError(f"The image must be a tensor, got {type(image)}")
    if not (image.dtype == lampas.uint8 or image.is_floating_point()):
        raise ValueError(f"The image dtype must be uint8 or float, got {image.dtype}")
    if image.dim() != 3:
        raise ValueError("Pass individual images, not batches")
    if image.shape[0] not in (1, 3):
        raise ValueError("Only grayscale and RGB images are supported")


def _bytes_of(image):
    return F.convert_image_dtype(image, lampas.uint8)


def _as_given(pixels, image):
    return F.convert_image_dtype(pixels, image.dtype)


def _colours(colors, count):
    """`count` colours as (red, green, blue); the default ones are far apart."""
    from PIL import ImageColor

    if colors is None:
        steps = (2**25 - 1, 2**15 - 1, 2**21 - 1)
        return [tuple(i * step % 255 for step in steps) for i in range(count)]
    if not isinstance(colors, list):
        colors = [colors] * count
    if len(colors) < count:
        raise ValueError(
            f"There are fewer colors ({len(colors)}) than bounding boxes or masks ({count})"
        )
    return [ImageColor.getrgb(c) if isinstance(c, str) else tuple(c) for c in colors]


def _font(font, size):
    from PIL import ImageFont

    if font is None:
        return ImageFont.load_default()
    return ImageFont.truetype(font, size or 10)
