"""Marks for NVIDIA's profilers; without them nothing is marked."""

import contextlib


def range_push(msg):
    """Opens a named range; the depth, here -1."""
    return -1


def range_pop():
    """Closes the innermost range."""
    return -1


def mark(msg):
    """Marks a moment."""


@contextlib.contextmanager
def range(msg, *args, **kwargs):
    """A named range as a context."""
    yield
