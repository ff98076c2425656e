"""Operations on boxes, pooling of regions, blocks of models: names of `torchvision.ops`."""

from lampas.vision.ops.blocks import (
    MLP,
    Conv2dNormActivation,
    FrozenBatchNorm2d,
    SqueezeExcitation,
)
from lampas.vision.ops.boxes import (
    batched_nms,
    box_area,
    box_convert,
    box_iou,
    clip_boxes_to_image,
    generalized_box_iou,
    masks_to_boxes,
    nms,
    remove_small_boxes,
)
from lampas.vision.ops.losses import sigmoid_focal_loss
from lampas.vision.ops.regions import RoIAlign, RoIPool, roi_align, roi_pool
from lampas.vision.ops.stochastic_depth import StochasticDepth, stochastic_depth
