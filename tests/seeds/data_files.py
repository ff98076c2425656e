"""Small data sets in the formats of the real ones: MNIST's IDX, CIFAR-10's pickles, an image."""

import gzip
import pickle
import struct

import numpy as np

CLASSES = "plane car bird cat deer dog frog horse ship truck".split()


def make(folder):
    """All files under `folder`, the same bytes each time."""
    generator = np.random.default_rng(7)
    _mnist(folder / "MNIST" / "raw", generator)
    _cifar10(folder / "cifar-10-batches-py", generator)
    _image(folder / "Dataset" / "2d_images" / "ID_0000_Z_0142.tif", generator)


def _mnist(folder, generator):
    folder.mkdir(parents=True)
    for prefix, count in (("train", 40), ("t10k", 20)):
        images = generator.integers(0, 256, (count, 28, 28), np.uint8)
        labels = generator.integers(0, 10, count, np.uint8)
        for name, array in ((f"{prefix}-images-idx3", images), (f"{prefix}-labels-idx1", labels)):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            with gzip.GzipFile(folder / f"{name}-ubyte.gz", "wb", mtime=0) as file:
                file.write(header + array.tobytes())


def _cifar10(folder, generator):
    folder.mkdir(parents=True)
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        labels = [i % 10 for i in range(40)]
        # The class shows in the brightness, so that there is something to learn.
        low = np.array(labels)[:, None] * 18
        data = (low + generator.integers(0, 80, (40, 3072))).astype(np.uint8)
        _dump(folder / name, {"data": data, "labels": labels})
    _dump(folder / "batches.meta", {"label_names": CLASSES})


def _dump(path, content):
    with open(path, "wb") as file:
        pickle.dump(content, file, protocol=2)


def _image(path, generator):
    from PIL import Image

    path.parent.mkdir(parents=True)
    Image.fromarray(generator.integers(0, 256, (512, 512), np.uint8)).save(path)
