"""Image datasets under the names of `torchvision.datasets`, and Digits, which needs no download."""

from lampas.vision.datasets.cifar import CIFAR10, CIFAR100
from lampas.vision.datasets.digits import Digits
from lampas.vision.datasets.fakedata import FakeData
from lampas.vision.datasets.folder import DatasetFolder, ImageFolder
from lampas.vision.datasets.mnist import EMNIST, KMNIST, MNIST, FashionMNIST
from lampas.vision.datasets.stl10 import STL10
from lampas.vision.datasets.svhn import SVHN
from lampas.vision.datasets.vision import VisionDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "DatasetFolder",
    "Digits",
    "EMNIST",
    "FakeData",
    "FashionMNIST",
    "ImageFolder",
    "KMNIST",
    "MNIST",
    "STL10",
    "SVHN",
    "VisionDataset",
]
