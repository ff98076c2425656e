"""STL-10: colour pictures 96 x 96, few of them labelled. Source: A. Coates et al. (2011)."""

import os

import lampas
from lampas.vision.datasets.download import DownloadError, download_and_extract_archive
from lampas.vision.datasets.vision import VisionDataset, array_of, image_of

_PARTS = {
    "train": ("train_X.bin", "train_y.bin"),
    "test": ("test_X.bin", "test_y.bin"),
    "unlabeled": ("unlabeled_X.bin", None),
}


class STL10(VisionDataset):
    """(PIL image, label) of `split` train, test, unlabeled (label -1) or train+unlabeled.

    The folder `stl10_binary` lies in `root`. `folds` (0..9) takes one of the ten published
    subsets of train. `data` is (N, 3, 96, 96) bytes and `labels` (N,), NumPy arrays (tensors where
    NumPy is missing).
    """

    base_folder = "stl10_binary"
    url = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
    filename = "stl10_binary.tar.gz"
    tgz_md5 = "91f7769df0f17e558f3565bffb0c7dfb"
    splits = ("train", "train+unlabeled", "unlabeled", "test")

    def __init__(
        self,
        root,
        split="train",
        folds=None,
        transform=None,
        target_transform=None,
        download=False,
    ):
        if split not in self.splits:
            raise ValueError(
                f"Unknown value '{split}' for argument split. Valid values are {self.splits}."
            )
        if folds is not None and folds not in range(10):
            raise ValueError(
                f"Value for argument folds should be in the range [0, 10), but got {folds}."
            )
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = split
        self.folds = folds
        if download:
            self.download()
        if not self._complete():
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it\n"
                + self._hint()
            )
        data, labels = zip(*(self._load(part) for part in split.split("+")))
        self.data, self.labels = array_of(lampas.cat(data)), array_of(lampas.cat(labels))
        names = os.path.join(self.root, self.base_folder, "class_names.txt")
        with open(names, encoding="utf-8") as file:
            self.classes = file.read().splitlines()

    def __getitem__(self, index):
        image = lampas.as_tensor(self.data[index]).permute(1, 2, 0)
        return self._transformed(image_of(image), int(self.labels[index]))

    def __len__(self):
        return len(self.data)

    def extra_repr(self):
        return f"Split: {self.split}"

    def download(self):
        """Fetch and unpack the archive unless the files are there."""
        if self._complete():
            return
        try:
            download_and_extract_archive(
                self.url, self.root, self.root, self.filename, self.tgz_md5
            )
        except DownloadError as error:
            raise RuntimeError(f"{error}\n{self._hint()}") from None

    def _names(self):
        names = [name for part in self.split.split("+") for name in _PARTS[part] if name]
        folds = ["fold_indices.txt"] if self.folds is not None else []
        return [*names, "class_names.txt", *folds]

    def _complete(self):
        folder = os.path.join(self.root, self.base_folder)
        return all(os.path.isfile(os.path.join(folder, name)) for name in self._names())

    def _hint(self):
        folder = os.path.join(self.root, self.base_folder)
        return f"hint: unpack {self.filename} in {self.root}; put {', '.join(self._names())} into {folder}"

    def _load(self, part):
        """Images (N, 3, 96, 96) and labels 0..9 (-1: none) of one part."""
        images, labels = _PARTS[part]
        # Columns come before rows in the file.
        data = self._bytes(images).view(-1, 3, 96, 96).transpose(2, 3).contiguous()
        if labels is None:
            return data, lampas.full((len(data),), -1, dtype=lampas.int64)
        targets = self._bytes(labels).to(lampas.int64) - 1
        if part == "train" and self.folds is not None:
            chosen = self._fold()
            data, targets = data[chosen], targets[chosen]
        return data, targets

    def _fold(self):
        path = os.path.join(self.root, self.base_folder, "fold_indices.txt")
        with open(path, encoding="utf-8") as file:
            line = file.read().splitlines()[self.folds]
        return lampas.tensor([int(number) for number in line.split()])

    def _bytes(self, name):
        with open(os.path.join(self.root, self.base_folder, name), "rb") as file:
            return lampas.frombuffer(bytearray(file.read()), dtype=lampas.uint8)
