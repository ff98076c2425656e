"""The version of this package, under the names of `torch.version`."""

debug = False
cuda = hip = rocm = xpu = None
git_version = "Unknown"


def __getattr__(name):
    if name == "__version__":  # may be set: `torch.__version__ = ...`
        import lampas

        return lampas.__version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
