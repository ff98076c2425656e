"""Where NVIDIA's wheels (`pip install lampas[cuda]`) have put their libraries; nothing is imported."""

import glob
import os
import sys


def folders():
    """The folders `nvidia/*/lib` of every place that Python imports from, joined by colons."""
    found = []
    for place in sys.path:
        found += sorted(glob.glob(os.path.join(glob.escape(place or "."), "nvidia", "*", "lib")))
    return ":".join(found)
