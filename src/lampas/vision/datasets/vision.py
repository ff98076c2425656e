"""The base of the image datasets: where the files are, and the transforms of image and target."""

import os

import lampas
from lampas.utils.data import Dataset


class StandardTransform:
    """Applies one transform to the image and one to the target."""

    def __init__(self, transform=None, target_transform=None):
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, image, target):
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __repr__(self):
        lines = [type(self).__name__]
        for label, transform in (
            ("Transform: ", self.transform),
            ("Target transform: ", self.target_transform),
        ):
            if transform is not None:
                lines.append(indented(label, transform))
        return "\n".join(lines)


class VisionDataset(Dataset):
    """A dataset under the folder `root`.

    Either `transforms`, which takes image and target, or `transform` and `target_transform`.
    """

    _repr_indent = 4

    def __init__(self, root=None, transforms=None, transform=None, target_transform=None):
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        separate = transform is not None or target_transform is not None
        if transforms is not None and separate:
            raise ValueError(
                "Only transforms or transform/target_transform can be passed as argument"
            )
        self.transform = transform
        self.target_transform = target_transform
        if separate:
            transforms = StandardTransform(transform, target_transform)
        self.transforms = transforms

    def __getitem__(self, index):
        raise NotImplementedError

    def __len__(self):
        raise NotImplementedError

    def extra_repr(self):
        """Further lines of the representation."""
        return ""

    def __repr__(self):
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transforms is not None:
            body.append(repr(self.transforms))
        return "\n".join(
            [f"Dataset {type(self).__name__}"] + [" " * self._repr_indent + line for line in body]
        )

    def _transformed(self, image, target):
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target


def indented(label, value):
    """`value` after `label`, with its further lines under its first."""
    first, *rest = repr(value).splitlines()
    return "\n".join([label + first] + [" " * len(label) + line for line in rest])


def image_of(pixels):
    """A PIL image of (H, W) or (H, W, 3) bytes, a tensor or a NumPy array."""
    from lampas.vision.transforms.functional import to_pil_image

    if isinstance(pixels, lampas.Tensor) and pixels.dim() == 3:
        pixels = pixels.permute(2, 0, 1)
    return to_pil_image(pixels)


def array_of(tensor):
    """The tensor as the NumPy array that torchvision has there; itself where NumPy is missing."""
    try:
        return tensor.numpy()
    except ImportError:
        return tensor
