"""`torch._tensor_str`: the text of tensors, under its older name."""

import contextlib

from lampas import printing
from lampas.printing import get_printoptions, set_printoptions

__all__ = ["get_printoptions", "printoptions", "set_printoptions"]
PRINT_OPTS = printing._options


def _str(self, *, tensor_contents=None):
    return printing.to_text(self, tensor_contents)


_str_intern = _str


def _tensor_str(self, indent):
    """The values alone, as they stand `indent` characters from the left."""
    return printing._values(self, indent)


def _add_suffixes(tensor_str, suffixes, indent, force_newline):
    """`tensor_str` and what follows the values, with the closing bracket."""
    if force_newline:
        return f"{tensor_str},\n{' ' * indent}{', '.join(suffixes)})"
    return printing._with_suffixes(tensor_str, suffixes, indent)


@contextlib.contextmanager
def printoptions(**changes):
    """Context: other options of set_printoptions, which are set back at its end."""
    kept = get_printoptions()
    set_printoptions(**changes)
    try:
        yield
    finally:
        set_printoptions(**kept)
