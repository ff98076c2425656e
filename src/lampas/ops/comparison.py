"""Comparisons of whole tensors, and questions about types."""

from lampas import _core
from lampas.ops.register import composite

Tensor = _core.Tensor


@composite(method=True)
def equal(input, other):
    """Whether both have the same shape and elements (a bool; NaN differs from NaN)."""
    if other.shape != input.shape:
        return False
    if input.dtype != other.dtype:
        raise RuntimeError(
            f"Expected object of data type {input.dtype} but got data type {other.dtype} for argument 'other'"
        )
    return bool((input == other).all())


@composite(method=True)
def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """|input - other| <= atol + rtol * |other|, element by element; infinities are close to themselves."""
    if input.dtype != other.dtype:
        raise RuntimeError(f"{_label(input)} did not match {_label(other)}")
    if rtol < 0:
        raise RuntimeError(f"rtol must be greater than or equal to zero, but got {rtol:g}")
    if atol < 0:
        raise RuntimeError(f"atol must be greater than or equal to zero, but got {atol:g}")
    close = input == other
    inexact = input.is_floating_point() or input.is_complex()
    if equal_nan and inexact:
        close = close | ((input != input) & (other != other))
    if rtol == 0 and atol == 0:
        return close
    if not inexact:
        input, other = input.to(_core.get_default_dtype()), other.to(_core.get_default_dtype())
    gap = (input - other).abs()
    return close | (gap.isfinite() & (gap <= atol + (rtol * other).abs()))


def _label(tensor):
    return tensor.type().rpartition(".")[2].removesuffix("Tensor")


@composite(method=True)
def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether all elements are close: see `isclose`."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


@composite
def typename(obj):
    """The name of an object's type, as PyTorch spells it: "torch.FloatTensor", "torch.nn.modules.linear.Linear"."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(kind, "__module__", "") or ""
    if module in ("", "builtins", "__builtin__"):
        return kind.__qualname__
    if module == "lampas" or module.startswith("lampas."):
        module = "torch" + module[len("lampas") :]
    return f"{module}.{kind.__qualname__}"
