"""Variable: what older scripts wrap tensors in. Tensors have been variables themselves for long."""

import warnings

from lampas import _core

Tensor = _core.Tensor


class _VariableMeta(type):
    def __instancecheck__(cls, other):
        return isinstance(other, Tensor)


class Variable(metaclass=_VariableMeta):
    """`Variable(tensor, requires_grad=False)` is a tensor over the same memory.

    Without a tensor it is an empty one. `volatile` has no effect any more, and a warning says so.
    TypeError for data that is no tensor, RuntimeError for a gradient of whole numbers.
    """

    def __new__(cls, data=None, requires_grad=False, volatile=False):
        import lampas

        if requires_grad is None or volatile is None:
            raise TypeError("'NoneType' object cannot be interpreted as an integer")
        if volatile:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead."
            )
        if data is None:
            data = lampas.tensor([])
        elif not isinstance(data, Tensor):
            kind = type(data)
            name = "torch.Size" if kind is lampas.Size else kind.__name__
            raise TypeError(f"Variable data has to be a tensor, but got {name}")
        if requires_grad and not (data.is_floating_point() or data.is_complex()):
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients"
            )
        tensor = _core._detach(data)
        tensor.requires_grad_(bool(requires_grad))
        return tensor
