"""Numbers and choices that PyTorch's tracers know about; here numbers are plain and choices are made at once."""

import math

import lampas
from lampas import unavailable
from lampas.ops.register import composite

SymInt, SymFloat, SymBool = (
    unavailable.type_(f"torch.{name}", "numbers that are not known yet exist only in a tracer")
    for name in ("SymInt", "SymFloat", "SymBool")
)


@composite
def sym_int(a):
    """The number without its fraction."""
    return math.trunc(a)


@composite
def sym_float(a):
    """The number as a float."""
    return float(a)


@composite
def sym_not(a):
    """not a."""
    return not a


def _same_kind(a, b, chosen):
    return float(chosen) if isinstance(a, float) or isinstance(b, float) else chosen


@composite
def sym_max(a, b):
    """The larger number; a float if one of them is."""
    return _same_kind(a, b, max(a, b))


@composite
def sym_min(a, b):
    """The smaller number; a float if one of them is."""
    return _same_kind(a, b, min(a, b))


@composite
def sym_ite(b, t, f):
    """t if b else f, of one type."""
    if not isinstance(b, bool):
        raise AssertionError(f"expected SymBool or bool, got {type(b)}")
    if type(t) is not type(f):
        raise AssertionError(f"type mismatch: {type(t)} vs {type(f)}")
    return t if b else f


@composite
def sym_sqrt(a):
    """The square root."""
    return math.sqrt(a)


@composite
def sym_sum(args):
    """The sum of the numbers."""
    return sum(args)


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
