"""Image datasets under the names of `torchvision.datasets`, and Digits, which needs no download."""

from lampas.vision.datasets.cifar import CIFAR10, CIFAR100
from lampas.vision.datasets.digits import Digits
from lampas.vision.datasets.fakedata import FakeData
from lampas.vision.datasets.folder import DatasetFolder, ImageFolder
from lampas.vision.datasets.mnist import KMNIST, MNIST, FashionMNIST
from lampas.vision.datasets.vision import VisionDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "DatasetFolder",
    "Digits",
    "FakeData",
    "FashionMNIST",
    "ImageFolder",
    "KMNIST",
    "MNIST",
    "VisionDataset",
]
