"""Forward-mode differentiation by dual numbers is not offered.

`torch.func.jvp`, `jacfwd` and `autograd.functional.jvp` give its results by two backward passes.
"""

from collections import namedtuple


def _missing(name):
    def raise_error(*args, **kwargs):
        raise NotImplementedError(
            f"torch.autograd.forward_ad.{name}: use torch.func.jvp or torch.autograd.functional.jvp"
        )

    raise_error.__name__ = name
    return raise_error


dual_level, make_dual, enter_dual_level, exit_dual_level = map(
    _missing, ("dual_level", "make_dual", "enter_dual_level", "exit_dual_level")
)
UnpackedDualTensor = namedtuple("UnpackedDualTensor", ("primal", "tangent"))


def unpack_dual(tensor, *, level=None):
    """(the tensor, None): no tensor carries a tangent."""
    return UnpackedDualTensor(tensor, None)
