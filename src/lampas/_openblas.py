"""Where OpenBLAS lies: in the wheel scipy-openblas32, found without importing it."""

import glob
import os
import sys


def path():
    """The shared library's path, or "" when the package is not installed."""
    for place in sys.path:
        folder = os.path.join(place, "scipy_openblas32", "lib")
        for pattern in ("libscipy_openblas*.so*", "libscipy_openblas*.dylib"):
            for found in sorted(glob.glob(os.path.join(folder, pattern))):
                return found
    return ""
