"""Variable: what older scripts wrap tensors in. Tensors have been variables themselves for long."""

from lampas import _core

Tensor = _core.Tensor


class _VariableMeta(type):
    def __instancecheck__(cls, other):
        return isinstance(other, Tensor)


class Variable(metaclass=_VariableMeta):
    """`Variable(tensor, requires_grad=False)` is a tensor over the same memory."""

    def __new__(cls, data=None, requires_grad=None, volatile=None):
        import lampas

        tensor = lampas.tensor([]) if data is None else _core._detach(data)
        if requires_grad:
            tensor.requires_grad_()
        return tensor
