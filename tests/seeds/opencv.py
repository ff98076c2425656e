"""Stands in for the two functions of OpenCV that the documents call, which is not a test need."""

import sys
import types

import numpy as np
from PIL import Image


def imread(path, flags=1):
    """A (H, W) array for flags 0, else (H, W, 3) with blue first; uint8."""
    with Image.open(path) as image:
        if flags == 0:
            return np.array(image.convert("L"))
        return np.array(image.convert("RGB"))[:, :, ::-1].copy()


def resize(image, size):
    """Bilinear; `size` is (width, height)."""
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def install():
    module = types.ModuleType("cv2")
    module.imread, module.resize = imread, resize
    sys.modules["cv2"] = module
