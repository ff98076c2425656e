"""The pictures of the vision tests."""

import numpy
import pytest

Image = pytest.importorskip("PIL.Image", reason="images need Pillow")


def pixels(height=32, width=48, seed=3):
    """A smooth coloured picture with some noise, (3, H, W) uint8."""
    generator = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[:height, :width]
    waves = [numpy.sin(x / a + y / b + c) for a, b, c in ((7, 11, 0), (5, 9, 1), (13, 4, 2))]
    noise = generator.integers(-20, 20, (3, height, width))
    return (120 + 90 * numpy.stack(waves) + noise).clip(0, 255).astype("uint8")


def picture(**options):
    return Image.fromarray(pixels(**options).transpose(1, 2, 0).copy())
