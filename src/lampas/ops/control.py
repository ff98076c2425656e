"""Choices and loops that PyTorch's tracers know about, made at once here. Arithmetic for them is in `checks`."""

import lampas
from lampas import unavailable
from lampas.ops.register import composite

SymInt, SymFloat, SymBool = (
    unavailable.type_(f"torch.{name}", "numbers that are not known yet exist only in a tracer")
    for name in ("SymInt", "SymFloat", "SymBool")
)


@composite
def cond(pred, true_fn, false_fn, operands=()):
    """true_fn(*operands) if pred else false_fn(*operands); pred is a bool or has one element."""
    if isinstance(pred, lampas.Tensor) and pred.numel() != 1:
        raise RuntimeError(f"Expected pred to be bool or single-element tensor, but got {pred}.")
    if not isinstance(operands, (tuple, list)):
        raise RuntimeError(
            "Expect operands to be a tuple of possibly nested dict/list/tuple that only consists of tensor "
            f"leaves, but got {operands}."
        )
    return (true_fn if pred else false_fn)(*operands)


@composite
def while_loop(cond_fn, body_fn, carried_inputs):
    """carried = body_fn(*carried) while cond_fn(*carried)."""
    carried = tuple(carried_inputs)
    while cond_fn(*carried):
        carried = body_fn(*carried)
        carried = tuple(carried) if isinstance(carried, (tuple, list)) else (carried,)
    return carried
