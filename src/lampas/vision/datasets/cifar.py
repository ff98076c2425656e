"""CIFAR-10 and CIFAR-100, read from the pickled batches of their Python version.

Those files are pickles of strangers: they are read by the restricted unpickler of
`lampas.serialization`, never by `pickle`.
"""

import os

import lampas
from lampas.vision.datasets.download import DownloadError, download_and_extract_archive
from lampas.vision.datasets.vision import VisionDataset, array_of, image_of


class CIFAR10(VisionDataset):
    """Colour pictures of 10 classes, 32 x 32, as (PIL image, label).

    The folder `cifar-10-batches-py` lies in `root`; `download` fetches and unpacks the archive.
    `data` is a NumPy array (N, 32, 32, 3) of bytes (a tensor where NumPy is missing), `targets` a
    list of labels. The checksum is that of the archive: batches made by others are read as well.
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_files = tuple(f"data_batch_{i}" for i in range(1, 6))
    test_files = ("test_batch",)
    meta_file, meta_key, label_key = "batches.meta", "label_names", "labels"

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        self._files = self.train_files if train else self.test_files
        if download:
            self.download()
        if not self._complete():
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it\n"
                + self._hint()
            )
        batches = [self._read(name) for name in self._files]
        rows = lampas.cat([lampas.as_tensor(batch["data"]) for batch in batches])
        self.data = array_of(rows.view(-1, 3, 32, 32).permute(0, 2, 3, 1).contiguous())
        self.targets = [int(label) for batch in batches for label in batch[self.label_key]]
        self.classes = list(self._read(self.meta_file)[self.meta_key])
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def __getitem__(self, index):
        return self._transformed(image_of(self.data[index]), self.targets[index])

    def __len__(self):
        return len(self.data)

    def extra_repr(self):
        return f"Split: {'Train' if self.train else 'Test'}"

    def download(self):
        """Fetch and unpack the archive unless the files are there."""
        if self._complete():
            return
        try:
            download_and_extract_archive(
                self.url, self.root, filename=self.filename, md5=self.tgz_md5
            )
        except DownloadError as error:
            raise RuntimeError(f"{error}\n{self._hint()}") from None

    def _path(self, name):
        return os.path.join(self.root, self.base_folder, name)

    def _complete(self):
        return all(os.path.isfile(self._path(name)) for name in (*self._files, self.meta_file))

    def _hint(self):
        folder = os.path.join(self.root, self.base_folder)
        names = ", ".join((*self._files, self.meta_file))
        return f"hint: unpack {self.filename} in {self.root}; put {names} into {folder}"

    def _read(self, name):
        from lampas.serialization.arrays import load_numpy_pickle

        return load_numpy_pickle(self._path(name))


class CIFAR100(CIFAR10):
    """Colour pictures of 100 classes, in `root/cifar-100-python`."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_files = ("train",)
    test_files = ("test",)
    meta_file, meta_key, label_key = "meta", "fine_label_names", "fine_labels"
