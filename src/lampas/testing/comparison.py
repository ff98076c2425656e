"""assert_close: are two tensors, numbers or containers of them equal within a tolerance?"""

import cmath
from collections.abc import Mapping, Sequence

import lampas

__all__ = ["assert_close"]

_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex32": (1e-3, 1e-5),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


def assert_close(
    actual,
    expected,
    *,
    allow_subclasses=True,
    rtol=None,
    atol=None,
    equal_nan=False,
    check_device=True,
    check_dtype=True,
    check_layout=True,
    check_stride=False,
    msg=None,
):
    """Raises AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere.

    rtol, atol: both or neither; the defaults depend on the dtype (float32: 1.3e-6, 1e-5).
    Sequences and mappings are compared entry by entry.
    msg: replaces the message, or is a function of it.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {'atol' if atol is None else 'rtol'}."
        )
    comparison = _Comparison(
        allow_subclasses,
        rtol,
        atol,
        equal_nan,
        check_device,
        check_dtype,
        check_layout,
        check_stride,
    )
    try:
        comparison.compare(actual, expected, ())
    except _Mismatch as mismatch:
        text = mismatch.text
    else:
        return
    if msg is not None:
        text = msg(text) if callable(msg) else msg
    raise AssertionError(text)


class _Mismatch(Exception):
    def __init__(self, text, path):
        if path:
            text += f"\n\nThe failure occurred for item {''.join(f'[{key!r}]' for key in path)}"
        self.text = text


def _is_container(kind, *values):
    return all(isinstance(value, kind) and not isinstance(value, str) for value in values)


def _is_array(value):
    return type(value).__module__ == "numpy" and hasattr(value, "dtype")


class _Comparison:
    """The options of one call; `compare` descends into containers, `path` being the keys so far."""

    def __init__(self, subclasses, rtol, atol, equal_nan, device, dtype, layout, stride):
        self.subclasses, self.rtol, self.atol, self.equal_nan = subclasses, rtol, atol, equal_nan
        self.device, self.dtype, self.layout, self.stride = device, dtype, layout, stride

    def compare(self, actual, expected, path):
        if _is_container(Sequence, actual, expected):
            return self._sequences(actual, expected, path)
        if _is_container(Mapping, actual, expected):
            return self._mappings(actual, expected, path)
        if actual is None and expected is None:
            return None
        if isinstance(actual, bool) and isinstance(expected, bool):
            if actual is not expected:
                raise _Mismatch(f"Booleans mismatch: {actual} is not {expected}", path)
            return None
        numbers = (int, float, complex)
        if isinstance(actual, numbers) and isinstance(expected, numbers):
            return self._numbers(actual, expected, path)
        if _is_array(actual) and _is_array(expected):
            actual, expected = lampas.as_tensor(actual), lampas.as_tensor(expected)
        both = isinstance(actual, lampas.Tensor) and isinstance(expected, lampas.Tensor)
        related = both and (
            isinstance(actual, type(expected)) or isinstance(expected, type(actual))
        )
        if related and (self.subclasses or type(actual) is type(expected)):
            return self._tensors(actual, expected, path)
        if actual is not None and expected is not None or not both:
            place = (
                f"\n\nThe failure occurred for item {''.join(f'[{key!r}]' for key in path)}"
                if path
                else ""
            )
            raise TypeError(
                f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.{place}"
            )

    def _sequences(self, actual, expected, path):
        if len(actual) != len(expected):
            raise _Mismatch(
                f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", path
            )
        for index, (a, e) in enumerate(zip(actual, expected)):
            self.compare(a, e, (*path, index))

    def _mappings(self, actual, expected, path):
        missing, additional = expected.keys() - actual.keys(), actual.keys() - expected.keys()
        if missing or additional:
            raise _Mismatch(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {sorted(missing)}\n"
                f"Additional keys in the actual mapping: {sorted(additional)}",
                path,
            )
        keys = list(expected)
        try:
            keys.sort()
        except TypeError:
            pass
        for key in keys:
            self.compare(actual[key], expected[key], (*path, key))

    def _tolerances(self, *dtypes):
        """(rtol, atol): the loosest of the dtypes' defaults."""
        if self.rtol is not None:
            return self.rtol, self.atol
        known = [_TOLERANCES.get(str(d).rpartition(".")[2], (0.0, 0.0)) for d in dtypes]
        return max(r for r, _ in known), max(a for _, a in known)

    def _numbers(self, actual, expected, path):
        if self.dtype and type(actual) is not type(expected):
            raise _Mismatch(f"The (d)types do not match: {type(actual)} != {type(expected)}.", path)
        kinds = {
            int: lampas.int64,
            bool: lampas.bool,
            float: lampas.float64,
            complex: lampas.complex128,
        }
        rtol, atol = self._tolerances(
            *(kinds.get(type(x), lampas.float64) for x in (actual, expected))
        )
        if actual == expected or (self.equal_nan and cmath.isnan(actual) and cmath.isnan(expected)):
            return
        difference = abs(actual - expected)
        if cmath.isfinite(difference) and difference <= atol + rtol * abs(expected):
            return
        relative = difference / abs(expected) if expected else float("inf")
        exact = not rtol and not atol
        raise _Mismatch(
            f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {expected} but got {actual}.\n"
            + _line("Absolute difference: ", difference, atol, exact)
            + "\n"
            + _line("Relative difference: ", relative, rtol, exact),
            path,
        )

    def _tensors(self, actual, expected, path):
        self._attributes(actual, expected, path)
        actual, expected = actual.detach(), expected.detach()
        rtol, atol = self._tolerances(actual.dtype, expected.dtype)
        if actual.device != expected.device:
            actual, expected = actual.cpu(), expected.cpu()
        if actual.dtype != expected.dtype:
            common = lampas.promote_types(actual.dtype, expected.dtype)
            actual, expected = actual.to(common), expected.to(common)
        if actual.is_meta or expected.is_meta:
            return
        matches = lampas.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=self.equal_nan)
        if bool(matches.all()):
            return
        if not (actual.is_floating_point() or actual.is_complex()):
            actual, expected = actual.to(lampas.int64), expected.to(lampas.int64)
        raise _Mismatch(_tensor_report(actual, expected, matches, rtol, atol), path)

    def _attributes(self, actual, expected, path):
        checks = [("shape", True, actual.shape, expected.shape)]
        checks.append(("layout", self.layout, actual.layout, expected.layout))
        checks.append(("device", self.device, actual.device, expected.device))
        checks.append(("dtype", self.dtype, actual.dtype, expected.dtype))
        checks.append(("stride()", self.stride, actual.stride(), expected.stride()))
        for name, wanted, a, e in checks:
            if wanted and a != e:
                raise _Mismatch(
                    f"The values for attribute '{name}' do not match: {a} != {e}.", path
                )


def _line(label, value, tolerance, exact):
    return f"{label}{value}" + ("" if exact else f" (up to {tolerance} allowed)")


def _tensor_report(actual, expected, matches, rtol, atol):
    """How many entries differ, and where most."""
    exact = not rtol and not atol
    total, wrong = matches.numel(), matches.numel() - int(matches.sum())
    difference = (actual - expected).abs()
    relative = difference / expected.abs()
    text = f"Tensor-likes are not {'equal' if exact else 'close'}!\n\n"
    if actual.dim() == 0:
        return (
            f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {expected.item()} but got {actual.item()}.\n"
            + _line("Absolute difference: ", difference.item(), atol, exact)
            + "\n"
            + _line("Relative difference: ", relative.item(), rtol, exact)
        )
    text += f"Mismatched elements: {wrong} / {total} ({wrong / total:.1%})\n"
    lines = []
    for label, values, tolerance in (("absolute", difference, atol), ("relative", relative, rtol)):
        values = lampas.where(matches, lampas.zeros_like(values), values).flatten()
        flat = int(values.argmax())
        index = _index(flat, actual.shape)
        suffix = "" if exact else f" (up to {tolerance} allowed)"
        lines.append(f"Greatest {label} difference: {values[flat].item()} at index {index}{suffix}")
    return text + "\n".join(lines)


def _index(flat, shape):
    index = []
    for size in reversed(shape):
        index.append(flat % size)
        flat //= size
    return tuple(reversed(index))
