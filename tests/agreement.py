"""Runs a function with Lampas and with PyTorch and compares values, errors and warnings."""

import math
import re
import warnings

import torch

import lampas


def agree(function, rtol=1e-5, atol=1e-6):
    """Assert that `function(module)` does the same for both modules; gives Lampas' result."""
    got, expected = (outcome(function, module) for module in (lampas, torch))
    problem = difference(got[:3], expected[:3], rtol, atol)
    assert problem is None, f"{problem}\ngot      {got[:3]}\nexpected {expected[:3]}"
    return got[3]


def outcome(function, module):
    """(kind, plain value or message, warnings, the result itself)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(module)
            kind, value = "value", plain(result)
        except Exception as error:
            result, kind, value = None, type(error).__name__, neutral(str(error))
    texts = [(type(entry.message).__name__, neutral(str(entry.message))) for entry in caught]
    return kind, value, texts, result


def neutral(text):
    """Text without the module's name and addresses; a hint after PyTorch's text may follow."""
    text = text.split("\nhint:")[0].replace("lampas", "torch")
    return re.sub(r"0x[0-9a-f]+", "", text)


def plain(value):
    """Tensors as (dtype, shape, list), containers entry by entry, other objects as text."""
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        tensor = value.detach()
        return (neutral(str(tensor.dtype)), tuple(tensor.shape), tensor.tolist())
    if isinstance(value, dict):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if value is None or isinstance(value, (bool, int, float, complex)):
        return value
    return neutral(str(value))


def difference(got, expected, rtol, atol):
    """The first difference as text, None when there is none; floats within tolerance are equal."""
    if isinstance(got, (float, complex)) and isinstance(expected, (float, complex)):
        if got == expected or (got != got and expected != expected):
            return None
        close = abs(got - expected) <= atol + rtol * abs(expected)
        return None if close and math.isfinite(abs(got)) else f"{got} is not {expected}"
    if type(got) is not type(expected):
        return f"{type(got).__name__} is not {type(expected).__name__}"
    if isinstance(got, dict):
        if list(got) != list(expected):
            return f"keys {list(got)} are not {list(expected)}"
        got, expected = list(got.values()), list(expected.values())
    if isinstance(got, (list, tuple)):
        if len(got) != len(expected):
            return f"{len(got)} entries, not {len(expected)}"
        for index, pair in enumerate(zip(got, expected)):
            problem = difference(*pair, rtol, atol)
            if problem is not None:
                return f"[{index}] {problem}"
        return None
    return None if got == expected else f"{got!r} is not {expected!r}"
