"""Functional transforms: grad, vjp, jvp, Jacobians, Hessians, vmap, modules as functions."""

from lampas.func.forward import hessian, jacfwd, jvp, linearize
from lampas.func.modules import (
    functional_call,
    replace_all_batch_norm_modules_,
    stack_module_state,
)
from lampas.func.rearrange import rearrange
from lampas.func.transforms import (
    debug_unwrap,
    functionalize,
    grad,
    grad_and_value,
    jacrev,
    value_and_grad,
    vjp,
)
from lampas.func.vmap import vmap

__all__ = [
    "debug_unwrap",
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "rearrange",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "value_and_grad",
    "vjp",
    "vmap",
]
