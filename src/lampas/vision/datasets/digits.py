"""Digits: the 1,797 scanned digits of UCI optdigits, part of the package. No download."""

import os

import lampas
from lampas.vision.datasets.idx import read_idx
from lampas.vision.datasets.vision import VisionDataset, image_of

_FOLDER = os.path.join(os.path.dirname(__file__), "data")
_LEVELS = 16  # a pixel counts the set points of a 4 x 4 block


class Digits(VisionDataset):
    """Handwritten digits, 8 x 8 pixels, as (PIL image, label).

    `train=True` is the first 1,437, `train=False` the last 360, `train=None` (default) all. The
    last ones were written by other people, and are the harder for it. `data` is (N, 8, 8) uint8 in
    0..255, `targets` (N,) int64.

    Source: E. Alpaydin and C. Kaynak (1998), see `data/DIGITS.txt`.
    """

    classes = [str(digit) for digit in range(10)]
    _train_count = 1437

    def __init__(self, root=None, train=None, transform=None, target_transform=None):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        part = {
            None: slice(None),
            True: slice(self._train_count),
            False: slice(self._train_count, None),
        }[train]
        images = read_idx(os.path.join(_FOLDER, "digits-images-idx3-ubyte.gz"))[part]
        labels = read_idx(os.path.join(_FOLDER, "digits-labels-idx1-ubyte.gz"))[part]
        self.data = (images.to(lampas.int32) * 255 // _LEVELS).to(lampas.uint8)
        self.targets = labels.to(lampas.int64)

    def __getitem__(self, index):
        return self._transformed(image_of(self.data[index]), int(self.targets[index]))

    def __len__(self):
        return len(self.data)

    def extra_repr(self):
        return {None: "Split: All", True: "Split: Train", False: "Split: Test"}[self.train]
