"""Transforms made of transforms: in a row, by chance, in random order, one of several; any function."""

import random
from collections.abc import Sequence

import lampas
from lampas.vision.transforms.base import indented


class Compose:
    """Applies transforms one after another."""

    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, image):
        for transform in self.transforms:
            image = transform(image)
        return image

    def __repr__(self):
        return f"{type(self).__name__}({indented(self.transforms)}\n)"


class Lambda:
    """Any function as a transform."""

    def __init__(self, lambd):
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, image):
        return self.lambd(image)

    def __repr__(self):
        return f"{type(self).__name__}()"


class RandomTransforms:
    """The base of those that choose among `transforms` with Python's own generator `random`."""

    def __init__(self, transforms):
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence")
        self.transforms = transforms

    def __call__(self, *args, **kwargs):
        raise NotImplementedError

    def __repr__(self):
        return f"{type(self).__name__}({indented(self.transforms)}\n)"


class RandomApply(lampas.nn.Module):
    """All of the transforms, with probability `p`, or none."""

    def __init__(self, transforms, p=0.5):
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, image):
        if self.p < lampas.rand(1).item():
            return image
        for transform in self.transforms:
            image = transform(image)
        return image

    def __repr__(self):
        return f"{type(self).__name__}(\n    p={self.p}{indented(self.transforms)}\n)"


class RandomOrder(RandomTransforms):
    """All of the transforms, in random order."""

    def __call__(self, image):
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for i in order:
            image = self.transforms[i](image)
        return image


class RandomChoice(RandomTransforms):
    """One of the transforms, with the weights `p`."""

    def __init__(self, transforms, p=None):
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise TypeError("Argument p should be a sequence")
        self.p = p

    def __call__(self, *args):
        return random.choices(self.transforms, weights=self.p)[0](*args)

    def __repr__(self):
        return f"{super().__repr__()}(p={self.p})"
