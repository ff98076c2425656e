"""`torch._tensor_str`: the text of tensors, under its older name."""

from lampas import printing
from lampas.printing import get_printoptions, printoptions, set_printoptions

__all__ = ["get_printoptions", "printoptions", "set_printoptions"]
PRINT_OPTS = printing._options


def _str(self, *, tensor_contents=None):
    return printing.to_text(self, tensor_contents)


_str_intern = _str
