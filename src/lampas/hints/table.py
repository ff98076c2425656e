"""The table of hints: which texts have one, and the functions that write it."""

import importlib
import re
from typing import NamedTuple

_FAMILIES = ("shapes", "dtypes", "gradients", "training", "models", "devices")
ENTRIES = []


class Entry(NamedTuple):
    """One kind of error. `write(match, place)` gives the hint as (English, Chinese), or None.

    `place` is None, or the innermost module that the error left (see `place.Place`).
    """

    kinds: tuple
    pattern: re.Pattern
    write: object


def hint(kinds, pattern):
    """Declares a hint for exceptions of these types whose text begins as `pattern` says."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)

    def declare(write):
        ENTRIES.append(Entry(kinds, re.compile(pattern, re.S), write))
        return write

    return declare


def find(error):
    """(entry, match) for an error or a warning, or (None, None)."""
    if not ENTRIES:
        for family in _FAMILIES:
            importlib.import_module(f"lampas.hints.{family}")
    text = error.args[0] if error.args else None
    if isinstance(text, str):
        for entry in ENTRIES:
            if type(error) in entry.kinds or isinstance(error, entry.kinds):
                match = entry.pattern.match(text)
                if match:
                    return entry, match
    return None, None
