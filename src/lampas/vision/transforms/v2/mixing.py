"""MixUp and CutMix: pairs of a batch become one example with a mixed label.

Sources: H. Zhang et al. (2017), arXiv 1710.09412; S. Yun et al. (2019), arXiv 1905.04899.
"""

import math

import lampas
import lampas.nn.functional as F
from lampas.vision.transforms.base import Transform, randint


class _Mixing(Transform):
    """The base: each image with its predecessor in the batch, by a share of Beta(alpha, alpha)."""

    shown = ("alpha", "num_classes")

    def __init__(self, *, alpha=1.0, num_classes=None, labels_getter="default"):
        super().__init__()
        if labels_getter != "default":
            raise NotImplementedError(f"labels_getter={labels_getter!r}: (images, labels) only")
        self.alpha = float(alpha)
        self.num_classes = num_classes

    def forward(self, images, labels):
        """(B, C, H, W) and labels (B,) or (B, num_classes) to images and labels (B, num_classes)."""
        if not isinstance(images, lampas.Tensor) or images.dim() != 4:
            shape = tuple(images.shape) if isinstance(images, lampas.Tensor) else type(images)
            raise ValueError(f"Expected a batched input with 4 dims, but got {shape}")
        labels = self._as_shares(labels, len(images))
        share = lampas._sample_dirichlet(lampas.tensor([self.alpha, self.alpha]))[0].item()
        images, share = self.mix(images, share)
        return images, _between(labels, share)

    def _as_shares(self, labels, count):
        if labels.dim() not in (1, 2) or len(labels) != count:
            raise ValueError(
                "labels should be index based with shape (batch_size,) or probability based with "
                f"shape (batch_size, num_classes), but got a tensor of shape {tuple(labels.shape)} "
                "instead."
            )
        if labels.dim() == 2:
            return labels.float()
        if self.num_classes is None:
            raise ValueError("num_classes must be passed if the labels are index-based (1D)")
        return F.one_hot(labels, num_classes=self.num_classes).float()


def _between(values, share):
    """`share` of each entry and the rest of the entry before it; the first is paired with the last."""
    return values.roll(1, 0).mul(1.0 - share).add(values.mul(share))


class MixUp(_Mixing):
    """Both images shine through each other."""

    def mix(self, images, share):
        """The images, and the share that counts for the labels."""
        return _between(images, share), share


class CutMix(_Mixing):
    """A rectangle comes from the other image; labels count by area."""

    def mix(self, images, share):
        """The images, and the share that counts for the labels."""
        height, width = images.shape[-2:]
        x, y = randint(0, width), randint(0, height)
        radius = 0.5 * math.sqrt(1.0 - share)
        half_width, half_height = int(radius * width), int(radius * height)
        left, right = max(x - half_width, 0), min(x + half_width, width)
        top, bottom = max(y - half_height, 0), min(y + half_height, height)
        mixed = images.clone()
        mixed[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
        return mixed, 1.0 - (right - left) * (bottom - top) / (width * height)
