"""Adadelta."""

from lampas import _core
from lampas.optim.optimizer import check_learning_rate, check_not_negative
from lampas.optim.parameterwise import (
    ParameterwiseOptimizer,
    add_scaled,
    like,
    mean_square,
    number,
    step_counter,
)

__all__ = ["Adadelta"]


class Adadelta(ParameterwiseOptimizer):
    """Adadelta (Zeiler 2012): g times the ratio of the root mean squares of steps and gradients.

    Raises:
        ValueError: a negative `lr`, `eps` or `weight_decay`; `rho` outside [0, 1].
    """

    _sparse_error = "Adadelta does not support sparse gradients"
    _capturable_devices = ("cuda", "xpu", "hpu", "privateuseone")
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
        lr=1.0,
        rho=0.9,
        eps=1e-6,
        weight_decay=0,
        foreach=None,
        *,
        capturable=False,
        maximize=False,
        differentiable=False,
    ):
        check_learning_rate(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_not_negative("Invalid epsilon value: {}", eps)
        check_not_negative("Invalid weight_decay value: {}", weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _state_names(self, group):
        return ("square_avg", "acc_delta", "step")

    def _new_state(self, group, param):
        return {
            "step": step_counter(group, param),
            "square_avg": like(param),
            "acc_delta": like(param),
        }

    def _fused_update(self, group, params, grads, squares, deltas, steps):
        return _core.fused_adadelta_(
            params,
            grads,
            squares,
            deltas,
            steps,
            number(group["lr"]),
            number(group["rho"]),
            number(group["eps"]),
            number(group["weight_decay"]),
            bool(group["maximize"]),
        )

    def _formula(self, group, param, grad, square, accumulated, step):
        rho, eps = group["rho"], group["eps"]
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        square = mean_square(square, grad, rho)
        delta = (accumulated + eps).sqrt() / (square + eps).sqrt() * grad
        accumulated = mean_square(accumulated, delta, rho)
        return add_scaled(param, delta, -group["lr"]), square, accumulated, step + 1
