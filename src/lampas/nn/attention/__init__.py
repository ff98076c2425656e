"""Choosing the kernel of scaled_dot_product_attention: accepted; there is one kernel."""

import enum
from contextlib import contextmanager


class SDPBackend(enum.IntEnum):
    """The kernels that PyTorch knows."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4

    def __repr__(self):
        return f"<SDPBackend.{self.name}: {self.value}>"

    def __str__(self):
        return f"SDPBackend.{self.name}"


_BACKENDS = (
    SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH,
    SDPBackend.CUDNN_ATTENTION,
)  # fmt: skip
_current = [list(_BACKENDS)]


def _cur_sdpa_kernel_backends(with_priority=False):
    return list(_current[0])


@contextmanager
def sdpa_kernel(backends, set_priority=False):
    """Names the kernels allowed inside the context; results do not depend on it."""
    if isinstance(backends, SDPBackend):
        backends = [backends]
    if not isinstance(backends, (list, tuple, set)) or not all(
        isinstance(backend, SDPBackend) for backend in backends
    ):
        raise AssertionError(
            "Backend must be an instance of SDPBackend or a list of SDPBackend instances"
        )
    previous = _current[0]
    _current[0] = list(dict.fromkeys(backends))
    try:
        yield {}
    finally:
        _current[0] = previous


def can_use_flash_attention(params, debug=False):
    """Whether PyTorch's flash kernel would run: there is none here."""
    return False


def can_use_efficient_attention(params, debug=False):
    """Whether PyTorch's memory-efficient kernel would run: there is none here."""
    return False
