"""What the documents use of torchvision, for the side of PyTorch, written apart from Lampas' own.

No torchvision is installed beside the oracle; these few lines follow its documentation.
"""

import gzip
import pickle
import sys
import types
from pathlib import Path

import numpy as np


class Compose:
    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, image):
        for transform in self.transforms:
            image = transform(image)
        return image


class Grayscale:
    def __call__(self, image):
        return image.convert("L")


class ToTensor:
    """(H, W) or (H, W, C) uint8, PIL or NumPy, to (C, H, W) float32 in 0..1."""

    def __call__(self, image):
        import torch

        array = np.asarray(image)
        array = array[:, :, None] if array.ndim == 2 else array
        return torch.tensor(array.transpose(2, 0, 1).copy()).to(torch.float32) / 255


class _Images:
    def __init__(self, images, targets, transform):
        self.images, self.targets, self.transform = images, targets, transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        from PIL import Image

        return self.transform(Image.fromarray(self.images[index])), int(self.targets[index])


class MNIST(_Images):
    def __init__(self, root, train=True, transform=None):
        prefix = Path(root, "MNIST", "raw", "train" if train else "t10k")
        images = np.frombuffer(gzip.open(f"{prefix}-images-idx3-ubyte.gz").read(), np.uint8, -1, 16)
        labels = np.frombuffer(gzip.open(f"{prefix}-labels-idx1-ubyte.gz").read(), np.uint8, -1, 8)
        super().__init__(images.reshape(-1, 28, 28), labels, transform)


class CIFAR10(_Images):
    def __init__(self, root, train=True, transform=None):
        folder = Path(root, "cifar-10-batches-py")
        names = [f"data_batch_{i}" for i in range(1, 6)] if train else ["test_batch"]
        batches = [pickle.loads((folder / name).read_bytes()) for name in names]
        rows = np.concatenate([batch["data"] for batch in batches])
        labels = [label for batch in batches for label in batch["labels"]]
        self.classes = pickle.loads((folder / "batches.meta").read_bytes())["label_names"]
        super().__init__(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels, transform)


def install():
    """As `torchvision`, for this process."""
    package = types.ModuleType("torchvision")
    package.__path__ = []
    sys.modules["torchvision"] = package
    parts = {"transforms": (Compose, Grayscale, ToTensor), "datasets": (MNIST, CIFAR10)}
    for name, members in parts.items():
        module = types.ModuleType(f"torchvision.{name}")
        vars(module).update({member.__name__: member for member in members})
        setattr(package, name, module)
        sys.modules[f"torchvision.{name}"] = module
