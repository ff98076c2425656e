"""Adamax: Adam with the infinity norm."""

import lampas
from lampas import _core
from lampas.optim.optimizer import check_betas, check_learning_rate, check_not_negative
from lampas.optim.parameterwise import (
    ParameterwiseOptimizer,
    addcdiv,
    like,
    number,
    step_counter,
)

__all__ = ["Adamax"]


class Adamax(ParameterwiseOptimizer):
    """Adamax (Kingma and Ba 2015, section 7.1): divides by u = max(beta2 * u, |g| + eps).

    Raises:
        ValueError: a negative `lr`, `eps` or `weight_decay`; betas outside [0, 1).
    """

    _sparse_error = "Adamax does not support sparse gradients"
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
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        capturable=False,
    ):
        check_learning_rate(lr)
        check_not_negative("Invalid epsilon value: {}", eps)
        check_betas(betas)
        check_not_negative("Invalid weight_decay value: {}", weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _state_names(self, group):
        return ("exp_avg", "exp_inf", "step")

    def _new_state(self, group, param):
        return {
            "step": step_counter(group, param),
            "exp_avg": like(param),
            "exp_inf": like(param),
        }

    def _fused_update(self, group, params, grads, means, norms, steps):
        beta1, beta2 = group["betas"]
        return _core.fused_adamax_(
            params,
            grads,
            means,
            norms,
            steps,
            number(group["lr"]),
            number(beta1),
            number(beta2),
            number(group["eps"]),
            number(group["weight_decay"]),
            bool(group["maximize"]),
        )

    def _formula(self, group, param, grad, mean, norm, step):
        beta1, beta2 = group["betas"]
        step = step + 1
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        mean = mean.lerp(grad, 1 - beta1)
        norm = lampas.maximum(norm * beta2, grad.abs() + group["eps"])
        rate = group["lr"] / (1 - beta1 ** step.item())
        return addcdiv(param, mean, norm, -rate), mean, norm, step
