"""Boxes (N, 4): formats, areas, overlaps, and the choice among overlapping ones.

Unless said otherwise a box is (x1, y1, x2, y2) with x1 <= x2 and y1 <= y2.
"""

import lampas


def box_area(boxes):
    """The areas (N,)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def box_convert(boxes, in_fmt, out_fmt):
    """Between the formats xyxy, xywh (corner and size) and cxcywh (centre and size)."""
    if in_fmt not in _TO_XYXY or out_fmt not in _TO_XYXY:
        raise ValueError(
            f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}"
        )
    if in_fmt == out_fmt:
        return boxes.clone()
    corners = _TO_XYXY[in_fmt](*boxes.unbind(-1))
    return lampas.stack(_FROM_XYXY[out_fmt](*corners), dim=-1)


_TO_XYXY = {
    "xyxy": lambda x1, y1, x2, y2: (x1, y1, x2, y2),
    "xywh": lambda x, y, w, h: (x, y, x + w, y + h),
    "cxcywh": lambda x, y, w, h: (x - 0.5 * w, y - 0.5 * h, x + 0.5 * w, y + 0.5 * h),
}
_FROM_XYXY = {
    "xyxy": lambda x1, y1, x2, y2: (x1, y1, x2, y2),
    "xywh": lambda x1, y1, x2, y2: (x1, y1, x2 - x1, y2 - y1),
    "cxcywh": lambda x1, y1, x2, y2: ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1),
}


def _wide(values):
    """Types in which products and sums of coordinates do not overflow."""
    if values.is_floating_point():
        return values if values.dtype in (lampas.float32, lampas.float64) else values.float()
    return values if values.dtype in (lampas.int32, lampas.int64) else values.int()


def _overlap(boxes1, boxes2):
    """Intersections and unions (N, M) of all pairs."""
    low = lampas.max(boxes1[:, None, :2], boxes2[:, :2])
    high = lampas.min(boxes1[:, None, 2:], boxes2[:, 2:])
    sides = _wide(high - low).clamp(min=0)
    inter = sides[..., 0] * sides[..., 1]
    area1, area2 = box_area(_wide(boxes1)), box_area(_wide(boxes2))
    return inter, area1[:, None] + area2 - inter


def box_iou(boxes1, boxes2):
    """Intersection over union (N, M) of all pairs."""
    inter, union = _overlap(boxes1, boxes2)
    return inter / union


def generalized_box_iou(boxes1, boxes2):
    """`box_iou` less the empty share of the smallest box around both. H. Rezatofighi et al. (2019)."""
    inter, union = _overlap(boxes1, boxes2)
    low = lampas.min(boxes1[:, None, :2], boxes2[:, :2])
    high = lampas.max(boxes1[:, None, 2:], boxes2[:, 2:])
    sides = _wide(high - low).clamp(min=0)
    around = sides[..., 0] * sides[..., 1]
    return inter / union - (around - union) / around


def clip_boxes_to_image(boxes, size):
    """The boxes within an image of `size` (height, width)."""
    height, width = size
    x, y = boxes[..., 0::2].clamp(min=0, max=width), boxes[..., 1::2].clamp(min=0, max=height)
    return lampas.stack((x, y), dim=-1).reshape(boxes.shape)


def remove_small_boxes(boxes, min_size):
    """The numbers of the boxes with both sides at least `min_size`."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return lampas.where((width >= min_size) & (height >= min_size))[0]


def masks_to_boxes(masks):
    """The boxes (N, 4) around the non-zero pixels of masks (N, H, W); 0 for an empty mask."""
    boxes = lampas.zeros((masks.shape[0], 4), dtype=lampas.float32, device=masks.device)
    for i, mask in enumerate(masks):
        y, x = lampas.where(mask != 0)
        if len(x):
            boxes[i] = lampas.stack((x.min(), y.min(), x.max(), y.max())).float()
    return boxes


def nms(boxes, scores, iou_threshold):
    """Non-maximum suppression: the numbers of the kept boxes, by falling score.

    The best box is kept, those that overlap it by more than `iou_threshold` go, and so on.
    """
    if boxes.dim() != 2 or boxes.shape[1] != 4:
        raise RuntimeError(f"boxes should be of shape (N, 4), got {tuple(boxes.shape)}")
    if scores.shape != boxes.shape[:1]:
        raise RuntimeError(
            "boxes and scores should have same number of elements in dimension 0, got "
            f"{boxes.shape[0]} and {scores.shape[0] if scores.dim() else 0}"
        )
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        overlap = box_iou(boxes[best : best + 1], boxes[order])[0]
        order = order[~(overlap > iou_threshold)]
    return lampas.tensor(kept, dtype=lampas.int64, device=boxes.device)


def batched_nms(boxes, scores, idxs, iou_threshold):
    """`nms` within each class: boxes with different `idxs` do not suppress each other."""
    if boxes.numel() == 0:
        return lampas.empty((0,), dtype=lampas.int64, device=boxes.device)
    keep = lampas.zeros_like(scores, dtype=lampas.bool)
    for kind in lampas.unique(idxs):
        members = lampas.where(idxs == kind)[0]
        keep[members[nms(boxes[members], scores[members], iou_threshold)]] = True
    kept = lampas.where(keep)[0]
    return kept[scores[kept].sort(descending=True, stable=True)[1]]
