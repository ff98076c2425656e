"""Composites recorded as one node, as in PyTorch: values from a kernel, derivatives from a formula.

Most composites need nothing of this: their gradient is that of the operators they are made of. Here go
those whose formula is not the derivative of how the value is found.
"""

from lampas import _core
from lampas.autograd.engine import grad as _grad
from lampas.autograd.function import Function
from lampas.autograd.grad_mode import enable_grad

Tensor = _core.Tensor


def one_node(name, value, gradient, differentiable=None):
    """A function that computes `value(*args)` and records one node called `name`.

    gradient(grads, args, outputs) gives the gradients of the tensors among `args`, in order.
    differentiable: how many of the first outputs have a derivative; all by default.
    """

    class Node(Function):
        node_name = name

        @staticmethod
        def forward(ctx, *args):
            result = value(*args)
            several = isinstance(result, tuple)
            # What is saved must be what is returned, and views are returned as other tensors.
            outputs = tuple(y.detach() for y in (result if several else (result,)))
            ctx.args = [None if isinstance(a, Tensor) else a for a in args]
            ctx.places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
            ctx.save_for_backward(*(args[i] for i in ctx.places), *outputs)
            if differentiable is not None:
                ctx.mark_non_differentiable(*outputs[differentiable:])
            return outputs if several else outputs[0]

        @staticmethod
        def backward(ctx, *grads):
            saved, args = ctx.saved_tensors, list(ctx.args)
            for place, tensor in zip(ctx.places, saved):
                args[place] = tensor
            found = gradient(grads, args, saved[len(ctx.places) :])
            result = [None] * len(args)
            for place, g in zip(ctx.places, found):
                if ctx.needs_input_grad[place]:
                    result[place] = g
            return tuple(result)

    return Node.apply


def pulled_back(formula, inputs, grads):
    """Gradients of formula(*inputs), a tuple, with respect to the inputs; None where they play no part.

    The inputs go in under other names: one may have been made from another, and what flows between them
    is the business of the pass that asks.
    """
    again = _core.is_grad_enabled()
    with enable_grad():
        own = [_renamed(x, again) for x in inputs]
        outputs = formula(*own)
    pairs = [(y, g) for y, g in zip(outputs, grads) if y.requires_grad]
    wanted = [x for x in own if x.requires_grad]
    if not pairs or not wanted:
        return [None] * len(inputs)
    found = iter(
        _grad([y for y, _ in pairs], wanted, [g for _, g in pairs], create_graph=again,
              allow_unused=True)
    )  # fmt: skip
    return [next(found) if x.requires_grad else None for x in own]


def _renamed(x, linked):
    """x as another tensor, which is linked to it where derivatives of derivatives are wanted."""
    if linked and x.requires_grad:
        return x.view_as(x)
    return x.detach().requires_grad_(x.requires_grad)
