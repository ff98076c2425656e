"""Forward-mode differentiation by dual numbers: a tensor and, beside it, a tangent that operators push forward.

    with dual_level():
        y = f(make_dual(x, t))
        jvp = unpack_dual(y).tangent

How operators push tangents is in `lampas.func.dual`.
"""

from typing import NamedTuple

from lampas import _core

__all__ = [
    "UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual",
]  # fmt: skip

_open = []  # the level that is open, if any


class UnpackedDualTensor(NamedTuple):
    """A tensor without its tangent, and the tangent (None where there is none)."""

    primal: _core.Tensor
    tangent: _core.Tensor | None


def enter_dual_level():
    """Opens the level, whose number is returned. Raises RuntimeError when one is open."""
    if _open:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    from lampas.func.dual import Dual

    _open.append(Dual().__enter__())
    return 0


def exit_dual_level(*, level=None):
    """Closes the level: tangents made in it are gone."""
    if not _open:
        raise RuntimeError("Dual level must be a positive number.")
    if level not in (None, 0):
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not supported."
        )
    _open.pop().__exit__()


class dual_level:
    """Context in which tensors can have tangents."""

    def __enter__(self):
        return enter_dual_level()

    def __exit__(self, *_):
        exit_dual_level()


def make_dual(tensor, tangent, *, level=None):
    """A view of `tensor` that carries `tangent`, of the same shape.

    Raises RuntimeError outside a level, for another shape, and for tensors that have a tangent already;
    ValueError unless both are floating point or complex.
    """
    if not _open:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    for what, x in (("primal", tensor), ("tangent", tangent)):
        if not (x.is_floating_point() or x.is_complex()):
            raise ValueError(f"Expected {what} to be floating point or complex, but got: {x.dtype}")
    if level not in (None, 0):
        raise RuntimeError("Invalid level given to _make_dual")
    from lampas.func.dual import make_dual

    return make_dual(_open[-1], tensor, tangent)


def unpack_dual(tensor, *, level=None):
    """(tensor without its tangent, tangent); the tangent is None where there is none."""
    if not _open:
        return UnpackedDualTensor(tensor, None)
    if not isinstance(tensor, _core.Tensor):
        raise TypeError(
            f"_unpack_dual(): argument 'dual' (position 1) must be Tensor, not {type(tensor).__name__}"
        )
    from lampas.func import levels

    mine = _open[-1]
    if mine not in levels.stack():
        return UnpackedDualTensor(tensor, None)
    t = mine.tangent(tensor)
    with levels.outside(mine):
        primal = mine.cut(tensor.view_as(tensor))
    return UnpackedDualTensor(primal, t)
