"""Recording operators on sparse tensors: one node each, first derivatives only."""

from lampas import _core
from lampas.autograd.grad_mode import no_grad
from lampas.ops.one_node import one_node


def node(name, value, gradient):
    """`one_node` for values and gradients that are computed on contents, which are not recorded.

    gradient(g, args, outputs) gives the gradients of the tensors among `args`, in order. With
    create_graph=True it raises NotImplementedError: the result would not know what it depends on.
    """

    def first_order(grads, args, outputs):
        if _core.is_grad_enabled():
            raise NotImplementedError(f"{name}: second derivatives of sparse operators")
        with no_grad():
            return gradient(grads[0], args, outputs)

    return one_node(name, value, first_order)


def refuse_gradient(name, *tensors):
    """Raises NotImplementedError where a gradient would have to flow through this operator."""
    if _core.is_grad_enabled() and any(t.requires_grad for t in tensors):
        raise NotImplementedError(f"{name}: gradients of sparse tensors")
