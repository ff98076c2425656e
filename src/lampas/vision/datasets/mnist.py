"""MNIST and the datasets in its format. Files are read from disk; nothing is downloaded."""

import os

import lampas
from lampas.vision.datasets.idx import read_idx
from lampas.vision.datasets.vision import VisionDataset, image_of


class MNIST(VisionDataset):
    """Handwritten digits, 28 x 28, as (PIL image, label): 60,000 to train, 10,000 to test.

    The IDX files, gzipped or not, lie in `root/MNIST/raw`. RuntimeError tells which are missing.
    `data` is (N, 28, 28) uint8, `targets` (N,) int64.
    """

    files = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    classes = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        images, labels = self.files[:2] if train else self.files[2:]
        self.data = read_idx(self._path(images, download))
        self.targets = read_idx(self._path(labels, download)).to(lampas.int64)

    def __getitem__(self, index):
        return self._transformed(image_of(self.data[index]), int(self.targets[index]))

    def __len__(self):
        return len(self.data)

    @property
    def raw_folder(self):
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self):
        return os.path.join(self.root, type(self).__name__, "processed")

    @property
    def class_to_idx(self):
        return {name: i for i, name in enumerate(self.classes)}

    def extra_repr(self):
        return f"Split: {'Train' if self.train else 'Test'}"

    def _path(self, name, download):
        for candidate in (name, name + ".gz"):
            path = os.path.join(self.raw_folder, candidate)
            if os.path.isfile(path):
                return path
        wish = "Lampas does not download datasets" if download else "Dataset not found"
        raise RuntimeError(
            f"{wish}. Put {', '.join(self.files)} (or the same with .gz) into {self.raw_folder}"
        )


class FashionMNIST(MNIST):
    """Pictures of clothes in the format of MNIST, in `root/FashionMNIST/raw`."""

    classes = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]


class KMNIST(MNIST):
    """Kuzushiji characters in the format of MNIST, in `root/KMNIST/raw`."""

    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
