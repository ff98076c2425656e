"""Images sorted into one folder per class."""

import os

from lampas.vision.datasets.vision import VisionDataset

IMG_EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".ppm",
    ".bmp",
    ".pgm",
    ".tif",
    ".tiff",
    ".webp",
)


def default_loader(path):
    """The image at `path`, in RGB."""
    from lampas.vision.transforms.functional.image import pil

    with open(path, "rb") as file:
        return pil().open(file).convert("RGB")


def find_classes(directory):
    """The sub-folders, sorted, and the number of each. FileNotFoundError where there is none."""
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
    return classes, {name: i for i, name in enumerate(classes)}


class DatasetFolder(VisionDataset):
    """Files `root/class/.../name.ext` as (loader(path), class number), sorted by path.

    Give `extensions`, or `is_valid_file(path)`. FileNotFoundError names classes without a file,
    unless `allow_empty`.
    """

    def __init__(
        self,
        root,
        loader,
        extensions=None,
        transform=None,
        target_transform=None,
        is_valid_file=None,
        allow_empty=False,
    ):
        super().__init__(root, transform=transform, target_transform=target_transform)
        if (extensions is None) == (is_valid_file is None):
            raise ValueError(
                "Both extensions and is_valid_file cannot be None or not None at the same time"
            )
        self.loader = loader
        self.extensions = extensions
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self._scan(is_valid_file, allow_empty)
        self.targets = [target for _, target in self.samples]

    def find_classes(self, directory):
        """Override for another layout of folders."""
        return find_classes(directory)

    def __getitem__(self, index):
        path, target = self.samples[index]
        return self._transformed(self.loader(path), target)

    def __len__(self):
        return len(self.samples)

    def _scan(self, is_valid_file, allow_empty):
        if is_valid_file is None:
            endings = self.extensions
            endings = (endings,) if isinstance(endings, str) else tuple(endings)

            def is_valid_file(path):
                return path.lower().endswith(endings)

        samples, empty = [], []
        for name in sorted(self.class_to_idx):
            found = [path for path in _files(os.path.join(self.root, name)) if is_valid_file(path)]
            samples += [(path, self.class_to_idx[name]) for path in found]
            if not found:
                empty.append(name)
        if empty and not allow_empty:
            message = f"Found no valid file for the classes {', '.join(empty)}. "
            if self.extensions is not None:
                listed = self.extensions
                listed = listed if isinstance(listed, str) else ", ".join(listed)
                message += f"Supported extensions are: {listed}"
            raise FileNotFoundError(message)
        return samples


class ImageFolder(DatasetFolder):
    """Images `root/class/.../name.png` as (PIL image, class number)."""

    def __init__(
        self,
        root,
        transform=None,
        target_transform=None,
        loader=default_loader,
        is_valid_file=None,
        allow_empty=False,
    ):
        super().__init__(
            root,
            loader,
            IMG_EXTENSIONS if is_valid_file is None else None,
            transform=transform,
            target_transform=target_transform,
            is_valid_file=is_valid_file,
            allow_empty=allow_empty,
        )
        self.imgs = self.samples


def _files(folder):
    for base, _, names in sorted(os.walk(folder, followlinks=True)):
        for name in sorted(names):
            yield os.path.join(base, name)
