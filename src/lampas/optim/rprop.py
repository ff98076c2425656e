"""Rprop, resilient backpropagation."""

import lampas
from lampas import _core
from lampas.optim.optimizer import check_learning_rate
from lampas.optim.parameterwise import ParameterwiseOptimizer, like, number, step_counter

__all__ = ["Rprop"]


class Rprop(ParameterwiseOptimizer):
    """Rprop (Riedmiller and Braun 1993): every weight has its own step size.

    The size grows by etas[1] while the gradient keeps its sign and shrinks by etas[0] when it
    turns, within `step_sizes`; only the sign of the gradient counts.

    Raises:
        ValueError: a negative `lr`, or not 0 < etas[0] < 1 < etas[1].
    """

    _sparse_error = "Rprop does not support sparse gradients"
    _counts_on_device = True
    _late_options = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params,
        lr=1e-2,
        etas=(0.5, 1.2),
        step_sizes=(1e-6, 50),
        *,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        check_learning_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _state_names(self, group):
        return ("prev", "step_size", "step")

    def _new_state(self, group, param):
        lr = number(group["lr"])
        value = complex(lr, lr) if lampas.is_complex(param) else lr
        return {
            "step": step_counter(group, param),
            "prev": like(param),
            "step_size": lampas.full_like(param, value, memory_format=lampas.preserve_format),
        }

    def _fused_update(self, group, params, grads, previous, sizes, steps):
        shrink, grow = group["etas"]
        smallest, largest = group["step_sizes"]
        return _core.fused_rprop_(
            params,
            grads,
            previous,
            sizes,
            steps,
            number(shrink),
            number(grow),
            number(smallest),
            number(largest),
            bool(group["maximize"]),
        )

    def _formula(self, group, param, grad, previous, size, step):
        shrink, grow = group["etas"]
        if group["maximize"]:
            grad = -grad
        agreement = (grad * previous).sign()
        factor = lampas.ones_like(grad)
        factor = factor.masked_fill(agreement > 0, grow).masked_fill(agreement < 0, shrink)
        size = (size * factor).clamp(*group["step_sizes"])
        # A weight whose gradient turned stays where it is, and starts afresh in the next step.
        grad = grad.masked_fill(agreement < 0, 0)
        return param.addcmul(grad.sign(), size, value=-1), grad, size, step + 1
