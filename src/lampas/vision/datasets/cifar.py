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
    list of labels. Of a download the archive is checked; the sums of the single files are there for
    those who want them, since batches made by others are read as well.
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = (
        ("data_batch_1", "c99cafc152244af753f735de768cd75f"),
        ("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
        ("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
        ("data_batch_4", "634d18415352ddfa80567beed471001a"),
        ("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
    )
    test_list = (("test_batch", "40351d587109b95175f43aff81a1287e"),)
    meta = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": "5ff9c542aee3614f3951f8cda6e48888",
    }

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        self._files = [name for name, _ in (self.train_list if train else self.test_list)]
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
        self.targets = [int(label) for batch in batches for label in _labels(batch)]
        self.classes = list(self._read(self.meta["filename"])[self.meta["key"]])
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
        return all(
            os.path.isfile(self._path(name)) for name in (*self._files, self.meta["filename"])
        )

    def _hint(self):
        folder = os.path.join(self.root, self.base_folder)
        names = ", ".join((*self._files, self.meta["filename"]))
        return f"hint: unpack {self.filename} in {self.root}; put {names} into {folder}"

    def _read(self, name):
        from lampas.serialization.arrays import load_numpy_pickle

        return load_numpy_pickle(self._path(name))


def _labels(batch):
    return batch["labels"] if "labels" in batch else batch["fine_labels"]


class CIFAR100(CIFAR10):
    """Colour pictures of 100 classes, in `root/cifar-100-python`."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = (("train", "16019d7e3df5f24257cddd939b257f8d"),)
    test_list = (("test", "f0ef6b0ae62326f3e7ffdfab6717acfc"),)
    meta = {
        "filename": "meta",
        "key": "fine_label_names",
        "md5": "7973b15100ade9c7d40fb424638fde48",
    }
