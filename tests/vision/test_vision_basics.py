"""Datasets and transforms: files in the real formats, PIL and tensors alike."""

import gzip
import os
import pickle
import struct

import pytest

import lampas
from lampas.vision import datasets, transforms, utils

Image = pytest.importorskip("PIL.Image", reason="images need Pillow")


@pytest.fixture
def image():
    """A random picture, (32, 48) RGB."""
    lampas.manual_seed(3)
    pixels = lampas.randint(0, 256, (32, 48, 3), dtype=lampas.uint8)
    return Image.frombytes("RGB", (48, 32), bytes(pixels.untyped_storage()))


def test_digits():
    digits = datasets.Digits()
    assert digits.data.shape == (1797, 8, 8) and digits.data.dtype is lampas.uint8
    assert digits.data.min() == 0 and digits.data.max() == 255
    # Facts of the published set: how often each digit occurs, and the first labels.
    counts = lampas.bincount(digits.targets).tolist()
    assert counts == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert digits.targets[:12].tolist() == [*range(10), 0, 1]
    assert (len(datasets.Digits(train=True)), len(datasets.Digits(train=False))) == (1437, 360)
    picture, label = digits[0]
    assert picture.size == (8, 8) and label == 0
    tensor, _ = datasets.Digits(transform=transforms.ToTensor())[5]
    assert tensor.shape == (1, 8, 8) and float(tensor.max()) <= 1
    assert "Number of datapoints: 1797" in repr(digits)


def idx(values, shape):
    header = struct.pack(">BBBB", 0, 0, 8, len(shape)) + struct.pack(f">{len(shape)}I", *shape)
    return header + bytes(values)


def test_mnist_format(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = [i % 256 for i in range(3 * 28 * 28)]
    (raw / "train-images-idx3-ubyte").write_bytes(idx(pixels, (3, 28, 28)))
    (raw / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx([7, 0, 9], (3,))))
    mnist = datasets.MNIST(str(tmp_path))
    assert mnist.data.flatten().tolist() == pixels
    assert mnist.targets.tolist() == [7, 0, 9] and mnist[2][1] == 9
    with pytest.raises(RuntimeError, match="put .* into .*MNIST"):
        datasets.MNIST(str(tmp_path), train=False)
    (raw / "train-images-idx3-ubyte").write_bytes(idx(pixels, (3, 28, 28))[:-1])
    with pytest.raises(ValueError, match="should hold"):
        datasets.MNIST(str(tmp_path))


def test_cifar_format(tmp_path):
    numpy = pytest.importorskip("numpy", reason="writes the arrays of the original format")
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rows = numpy.random.randint(0, 256, (2, 3072), dtype=numpy.uint8)
    for name in [f"data_batch_{i}" for i in range(1, 6)]:
        content = {"data": rows, "labels": [3, 8]}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    names = {"label_names": list("abcdefghij")}
    (folder / "batches.meta").write_bytes(pickle.dumps(names, protocol=2))
    cifar = datasets.CIFAR10(str(tmp_path))
    assert cifar.data.shape == (10, 32, 32, 3) and cifar.targets == [3, 8] * 5
    picture, label = cifar[1]
    assert (
        label == 8 and (numpy.array(picture) == rows[1].reshape(3, 32, 32).transpose(1, 2, 0)).all()
    )
    (folder / "data_batch_1").write_bytes(pickle.dumps({"data": os.system}, protocol=2))
    with pytest.raises(pickle.UnpicklingError):
        datasets.CIFAR10(str(tmp_path))


def test_image_folder(tmp_path, image):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        image.save(tmp_path / name / "a.png")
    (tmp_path / "dog" / "note.txt").write_text("not an image")
    folder = datasets.ImageFolder(str(tmp_path), transforms.ToTensor())
    assert folder.classes == ["cat", "dog"] and folder.targets == [0, 1]
    assert lampas.equal(folder[0][0], transforms.ToTensor()(image))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="for the classes empty"):
        datasets.ImageFolder(str(tmp_path))


BOTH = [
    transforms.Resize((16, 20)),
    transforms.Resize(20),
    transforms.CenterCrop(20),
    transforms.CenterCrop((40, 60)),
    transforms.Pad(3),
    transforms.Pad((1, 2), padding_mode="reflect"),
    transforms.Pad([1, 2, 3, 4], padding_mode="edge"),
    transforms.RandomCrop(28, padding=4),
    transforms.RandomHorizontalFlip(1.0),
    transforms.RandomVerticalFlip(1.0),
    transforms.Grayscale(3),
    transforms.Grayscale(),
]


@pytest.mark.parametrize("transform", BOTH, ids=repr)
def test_pil_and_tensor_agree(transform, image):
    to_tensor = transforms.PILToTensor()
    lampas.manual_seed(0)
    expected = to_tensor(transform(image)).to(lampas.int32)
    lampas.manual_seed(0)
    result = transform(to_tensor(image)).to(lampas.int32)
    assert result.shape == expected.shape
    assert (result - expected).abs().max() <= 1


def test_tensor_and_back(image):
    tensor = transforms.ToTensor()(image)
    assert tensor.shape == (3, 32, 48) and 0 <= tensor.min() and tensor.max() <= 1
    assert transforms.ToPILImage()(tensor).tobytes() == image.tobytes()
    normal = transforms.Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))(tensor)
    assert lampas.allclose(normal, (tensor - 0.5) / 0.25)
    with pytest.raises(TypeError, match="should be PIL Image or ndarray"):
        transforms.ToTensor()(tensor)
    with pytest.raises(ValueError, match="std evaluated to zero"):
        transforms.Normalize((0.5,), (0.0,))(tensor)


def test_compose_prints_its_parts():
    compose = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    expected = "Compose(\n    ToTensor()\n    Normalize(mean=(0.5,), std=(0.5,))\n)"
    assert repr(compose) == expected


def test_grid(tmp_path):
    images = lampas.rand(10, 1, 8, 8)
    grid = utils.make_grid(images, nrow=4, padding=1)
    assert grid.shape == (3, 3 * 9 + 1, 4 * 9 + 1)
    assert lampas.equal(grid[0, 1:9, 10:18], images[1, 0])
    utils.save_image(images, tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size == (8 * 10 + 2, 2 * 10 + 2)
