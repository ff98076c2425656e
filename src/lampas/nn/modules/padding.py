"""Padding layers: constant, reflecting, replicating and circular."""

from lampas._signing import signed_by_children
from lampas.nn import functional as F
from lampas.nn.modules.module import Module
from lampas.nn.modules.utils import _ntuple, _pair, _quadruple

_sextuple = _ntuple(6)

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d",
    "ConstantPad3d", "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d",
    "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip


@signed_by_children
class _Pad(Module):
    """Padding given once or as (left, right, top, bottom, front, back)."""

    __constants__ = ["padding"]
    _tuple = None
    _mode = None
    _dims = 0

    def __init__(self, padding):
        super().__init__()
        self.padding = self._tuple(padding)

    def forward(self, input):
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self):
        return f"{self.padding}"


class _CircularPadNd(_Pad):
    _mode = "circular"

    def _check_input_dim(self, input):
        if input.dim() not in (self._dims + 1, self._dims + 2):
            raise ValueError(
                f"expected {self._dims + 1}D or {self._dims + 2}D input (got {input.dim()}D input)"
            )

    def forward(self, input):
        self._check_input_dim(input)
        return F.pad(input, self.padding, "circular")


class CircularPad1d(_CircularPadNd):
    """Continues the input as if it were periodic."""

    _tuple = staticmethod(_pair)
    _dims = 1


class CircularPad2d(_CircularPadNd):
    """Continues the input as if it were periodic."""

    _tuple = staticmethod(_quadruple)
    _dims = 2


class CircularPad3d(_CircularPadNd):
    """Continues the input as if it were periodic."""

    _tuple = staticmethod(_sextuple)
    _dims = 3


@signed_by_children
class _ConstantPadNd(Module):
    __constants__ = ["padding", "value"]
    _tuple = None

    def __init__(self, padding, value):
        super().__init__()
        self.padding = self._tuple(padding)
        self.value = value

    def forward(self, input):
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Surrounds the last dimension with a value."""

    _tuple = staticmethod(_pair)


class ConstantPad2d(_ConstantPadNd):
    """Surrounds the last two dimensions with a value."""

    _tuple = staticmethod(_quadruple)


class ConstantPad3d(_ConstantPadNd):
    """Surrounds the last three dimensions with a value."""

    _tuple = staticmethod(_sextuple)


class _ReflectionPadNd(_Pad):
    _mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """Mirrors the input at its borders."""

    _tuple = staticmethod(_pair)


class ReflectionPad2d(_ReflectionPadNd):
    """Mirrors the input at its borders."""

    _tuple = staticmethod(_quadruple)


class ReflectionPad3d(_ReflectionPadNd):
    """Mirrors the input at its borders."""

    _tuple = staticmethod(_sextuple)


class _ReplicationPadNd(_Pad):
    _mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """Repeats the border values."""

    _tuple = staticmethod(_pair)


class ReplicationPad2d(_ReplicationPadNd):
    """Repeats the border values."""

    _tuple = staticmethod(_quadruple)


class ReplicationPad3d(_ReplicationPadNd):
    """Repeats the border values."""

    _tuple = staticmethod(_sextuple)


class ZeroPad1d(ConstantPad1d):
    """Surrounds the last dimension with zeros."""

    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        return f"{self.padding}"


class ZeroPad2d(ConstantPad2d):
    """Surrounds the last two dimensions with zeros."""

    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        return f"{self.padding}"


class ZeroPad3d(ConstantPad3d):
    """Surrounds the last three dimensions with zeros."""

    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        return f"{self.padding}"
