"""Compares what two programs printed: the same words, and numbers equal but for rounding."""

import re
from itertools import zip_longest

_ADDRESS = re.compile(r"0x[0-9a-f]+")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|\binf\b|\bnan\b)")


def difference_of_texts(mine, reference, rounding=0.0):
    """The first line that differs, or an empty text. Memory addresses do not count.

    With `rounding`, numbers with a decimal point may differ by that share and one unit of their
    last digit; whole numbers are counts and labels, which may not differ.
    """
    mine, reference = (_ADDRESS.sub("0x", text).splitlines() for text in (mine, reference))
    for line, (a, b) in enumerate(zip_longest(mine, reference), 1):
        if a != b and not (rounding and a and b and _near(a, b, rounding)):
            return f"line {line} printed:\n{a}\nPyTorch:\n{b}"
    return ""


def without_numbers(text):
    """The words and punctuation of a text, without its numbers and spaces."""
    return "".join(_NUMBER.sub("#", text).split())


def _near(mine, reference, rounding):
    if without_numbers(mine) != without_numbers(reference):
        return False
    return all(
        _same_number(a, b, rounding)
        for a, b in zip(_NUMBER.findall(mine), _NUMBER.findall(reference), strict=True)
    )


def _same_number(mine, reference, rounding):
    if mine == reference:
        return True
    if "." not in reference:
        return False
    digits, _, exponent = reference.partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
    return abs(float(mine) - float(reference)) <= 1.01 * unit + rounding * abs(float(reference))
