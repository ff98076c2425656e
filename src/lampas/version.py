"""The version of this package, under the names of `torch.version`."""

import lampas

__version__ = lampas.__version__
debug = False
cuda = hip = rocm = xpu = None
git_version = "Unknown"
