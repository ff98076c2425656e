"""`torch._tensor_str`: the text of tensors, under its older name."""

import contextlib

from lampas import printing
from lampas.printing import get_printoptions, set_printoptions

__all__ = ["get_printoptions", "printoptions", "set_printoptions"]
PRINT_OPTS = printing._options


def _str(self, *, tensor_contents=None):
    return printing.to_text(self, tensor_contents)


_str_intern = _str


@contextlib.contextmanager
def printoptions(**changes):
    """Context: other options of set_printoptions, which are set back at its end."""
    kept = get_printoptions()
    set_printoptions(**changes)
    try:
        yield
    finally:
        set_printoptions(**kept)
