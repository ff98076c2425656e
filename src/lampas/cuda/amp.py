"""The older names of mixed precision on CUDA."""

from lampas.amp.older_names import names

__all__ = ["GradScaler", "amp_definitely_not_available", "autocast", "custom_bwd", "custom_fwd"]  # noqa: F822
globals().update(names("cuda"))


def amp_definitely_not_available():
    """Whether CUDA is certainly not there."""
    from lampas import cuda

    return not cuda.is_available()
