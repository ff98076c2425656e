"""CIFAR-10 and CIFAR-100, read from the pickled batches of their Python version.

Those files are pickles of strangers: they are read by the restricted unpickler of
`lampas.serialization`, never by `pickle`.
"""

import os

import lampas
from lampas.vision.datasets.vision import VisionDataset, image_of


class CIFAR10(VisionDataset):
    """Colour pictures of 10 classes, 32 x 32, as (PIL image, label).

    The folder `cifar-10-batches-py` lies in `root`. `data` is (N, 32, 32, 3) uint8, `targets` a
    list of labels.
    """

    base_folder = "cifar-10-batches-py"
    train_files = tuple(f"data_batch_{i}" for i in range(1, 6))
    test_files = ("test_batch",)
    meta_file, meta_key, label_key = "batches.meta", "label_names", "labels"

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        batches = [
            self._read(f, download) for f in (self.train_files if train else self.test_files)
        ]
        rows = lampas.cat([lampas.as_tensor(batch["data"]) for batch in batches])
        self.data = rows.view(-1, 3, 32, 32).permute(0, 2, 3, 1).contiguous()
        self.targets = [int(label) for batch in batches for label in batch[self.label_key]]
        self.classes = list(self._read(self.meta_file, download)[self.meta_key])
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def __getitem__(self, index):
        return self._transformed(image_of(self.data[index]), self.targets[index])

    def __len__(self):
        return len(self.data)

    def extra_repr(self):
        return f"Split: {'Train' if self.train else 'Test'}"

    def _read(self, name, download):
        from lampas.serialization.arrays import load_numpy_pickle

        folder = os.path.join(self.root, self.base_folder)
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            wish = "Lampas does not download datasets" if download else "Dataset not found"
            raise RuntimeError(f"{wish}. Unpack the Python version of the dataset to {folder}")
        return load_numpy_pickle(path)


class CIFAR100(CIFAR10):
    """Colour pictures of 100 classes, in `root/cifar-100-python`."""

    base_folder = "cifar-100-python"
    train_files = ("train",)
    test_files = ("test",)
    meta_file, meta_key, label_key = "meta", "fine_label_names", "fine_labels"
