"""SVHN: house numbers of Street View, 32 x 32. Source: Y. Netzer et al. (2011)."""

import os

from lampas.vision.datasets.download import DownloadError, check_integrity, download_url
from lampas.vision.datasets.vision import VisionDataset, image_of

_SITE = "http://ufldl.stanford.edu/housenumbers/"


class SVHN(VisionDataset):
    """(PIL image, digit) of `split` train, test or extra, from `root/<split>_32x32.mat`.

    Reading MATLAB files needs SciPy. `data` is (N, 3, 32, 32) bytes, `labels` (N,), NumPy arrays.
    """

    split_list = {
        "train": [_SITE + "train_32x32.mat", "train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"],
        "test": [_SITE + "test_32x32.mat", "test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"],
        "extra": [_SITE + "extra_32x32.mat", "extra_32x32.mat", "a93ce644f1a588dc4d68dda5feec44a7"],
    }

    def __init__(self, root, split="train", transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        if split not in self.split_list:
            raise ValueError(
                f"Unknown value '{split}' for argument split. "
                f"Valid values are {tuple(self.split_list)}."
            )
        self.split = split
        self.url, self.filename, self.file_md5 = self.split_list[split]
        if download:
            self.download()
        path = os.path.join(self.root, self.filename)
        if not os.path.isfile(path):
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it\n"
                + self._hint()
            )
        self.data, self.labels = _read(path)

    def __getitem__(self, index):
        image = image_of(self.data[index].transpose(1, 2, 0))
        return self._transformed(image, int(self.labels[index]))

    def __len__(self):
        return len(self.data)

    def extra_repr(self):
        return f"Split: {self.split.capitalize()}"

    def download(self):
        """Fetch the file unless it is there."""
        if check_integrity(os.path.join(self.root, self.filename), self.file_md5):
            return
        try:
            download_url(self.url, self.root, self.filename, self.file_md5)
        except DownloadError as error:
            raise RuntimeError(f"{error}\n{self._hint()}") from None

    def _hint(self):
        return f"hint: put {self.filename} into {self.root}"


def _read(path):
    """Images (N, 3, 32, 32) and digits (N,): the file counts the digit 0 as 10."""
    try:
        from scipy import io
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "SVHN is a MATLAB file, which needs SciPy: pip install scipy", name=error.name
        ) from None
    content = io.loadmat(path)
    labels = content["y"].astype("int64").squeeze(-1) % 10
    return content["X"].transpose(3, 2, 0, 1), labels
