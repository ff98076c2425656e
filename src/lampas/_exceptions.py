"""Exceptions on their way from one process or thread to another."""

import pickle
import sys
import traceback

from lampas import hints


class KeyErrorMessage(str):
    """A text that stays readable in a KeyError, which shows the repr of its argument."""

    __slots__ = ()

    def __repr__(self):
        return str(self)


class ExceptionWrapper:
    """The exception being handled, with its traceback as text, to `reraise` elsewhere.

    where: a phrase for the message, such as "in DataLoader worker process 0".
    """

    def __init__(self, exc_info=None, where="in background"):
        exc_info = sys.exc_info() if exc_info is None else exc_info
        self.exc_type = exc_info[0]
        self.hint = hints.take_off(exc_info[1])  # the text is PyTorch's
        self.exc_msg = "".join(traceback.format_exception(*exc_info))
        self.where = where

    def portable(self):
        """This one, or one with a RuntimeError where the type cannot be pickled."""
        try:
            pickle.dumps(self)
        except Exception:
            self.exc_type = _Named(self.exc_type.__name__)
        return self

    def reraise(self):
        """Raises the exception, or a RuntimeError where its type takes more than a message."""
        text = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        if self.exc_type is KeyError:
            text = KeyErrorMessage(text)
        elif getattr(self.exc_type, "message", None):
            raise self.exc_type(message=text)
        try:
            error = self.exc_type(text)
        except Exception:
            error = RuntimeError(text)
        hints.put_on(error, self.hint)
        raise error


class _Named:
    """Stands for an exception type of which only the name could travel."""

    def __init__(self, name):
        self.__name__ = name

    def __call__(self, text):
        return RuntimeError(text)
