"""MNIST and the datasets in its format."""

import os
import string
import warnings

import lampas
from lampas.vision.datasets.archive import extract_archive
from lampas.vision.datasets.download import DownloadError, download_any, download_url
from lampas.vision.datasets.idx import read_idx
from lampas.vision.datasets.vision import VisionDataset, image_of


class MNIST(VisionDataset):
    """Handwritten digits, 28 x 28, as (PIL image, label): 60,000 to train, 10,000 to test.

    The IDX files, gzipped or not, lie in `root/MNIST/raw`; `download` fetches what is missing.
    RuntimeError tells which files belong where. `data` is (N, 28, 28) uint8, `targets` (N,) int64.
    """

    mirrors = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    )
    resources = (
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
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
        if download:
            self.download()
        if not all(self._path(name) for name in self._names()):
            raise RuntimeError(
                f"Dataset not found. You can use download=True to download it\n{self._hint()}"
            )
        self.data, self.targets = self._load_data()

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

    @property
    def train_labels(self):
        return self._renamed("train_labels", "targets")

    @property
    def test_labels(self):
        return self._renamed("test_labels", "targets")

    @property
    def train_data(self):
        return self._renamed("train_data", "data")

    @property
    def test_data(self):
        return self._renamed("test_data", "data")

    def _renamed(self, old, new):
        warnings.warn(f"{old} has been renamed {new}", stacklevel=3)
        return getattr(self, new)

    def extra_repr(self):
        return f"Split: {'Train' if self.train else 'Test'}"

    def download(self):
        """Fetch and unpack the files that are missing. RuntimeError where that fails."""
        for name, md5 in self.resources:
            if self._path(name.removesuffix(".gz")):
                continue
            try:
                download_any([mirror + name for mirror in self.mirrors], self.raw_folder, name, md5)
            except DownloadError as error:
                raise RuntimeError(f"Error downloading {name}: {error}\n{self._hint()}") from None
            extract_archive(os.path.join(self.raw_folder, name))

    def _names(self):
        """The files (without .gz) of images and labels of this part."""
        names = [name.removesuffix(".gz") for name, _ in self.resources]
        return names[:2] if self.train else names[2:]

    def _load_data(self):
        images, labels = (read_idx(self._path(name)) for name in self._names())
        return images, labels.to(lampas.int64)

    def _path(self, name):
        """Where the file is, plain or gzipped, or None."""
        paths = (os.path.join(self.raw_folder, name + ending) for ending in ("", ".gz"))
        return next((path for path in paths if os.path.isfile(path)), None)

    def _hint(self):
        names = ", ".join(self._names())
        return f"hint: put {names} (or the same with .gz) into {self.raw_folder}"


class FashionMNIST(MNIST):
    """Pictures of clothes in the format of MNIST, in `root/FashionMNIST/raw`."""

    mirrors = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
    resources = (
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    )
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

    mirrors = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",)
    resources = (
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    )
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


# Letters whose capital looks like the small one; some splits count both as the capital.
_ALIKE = set("cijklmopsuvwxyz")
_ALL = sorted(string.digits + string.ascii_letters)
_MERGED = [character for character in _ALL if character not in _ALIKE]


class EMNIST(MNIST):
    """Handwritten letters and digits in the format of MNIST, in `root/EMNIST/raw`.

    The images are transposed, as published. Source: G. Cohen et al. (2017).
    """

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    classes_split_dict = {
        "byclass": _ALL,
        "bymerge": _MERGED,
        "balanced": _MERGED,
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }

    def __init__(self, root, split, **kwargs):
        if split not in self.splits:
            raise ValueError(
                f"Unknown value '{split}' for argument split. Valid values are {self.splits}."
            )
        self.split = split
        self.classes = self.classes_split_dict[split]
        super().__init__(root, **kwargs)

    def download(self):
        """Fetch the one archive of all splits and unpack this part of it."""
        if all(self._path(name) for name in self._names()):
            return
        try:
            download_url(self.url, self.raw_folder, md5=self.md5)
        except DownloadError as error:
            raise RuntimeError(f"{error}\n{self._hint()}") from None
        extract_archive(os.path.join(self.raw_folder, "gzip.zip"))
        folder = os.path.join(self.raw_folder, "gzip")
        for name in os.listdir(folder):
            os.replace(os.path.join(folder, name), os.path.join(self.raw_folder, name))
        os.rmdir(folder)

    def _names(self):
        part = "train" if self.train else "test"
        return [
            f"emnist-{self.split}-{part}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")
        ]
