"""Averaged stochastic gradient descent."""

import lampas
from lampas import _core
from lampas.optim.optimizer import _scalar_dtype, check_learning_rate, check_not_negative
from lampas.optim.parameterwise import ParameterwiseOptimizer, like, number, step_counter

__all__ = ["ASGD"]


class ASGD(ParameterwiseOptimizer):
    """Averaged SGD (Polyak and Juditsky 1992): keeps the mean of the parameters in state "ax".

    The rate is eta_t = lr / (1 + lambd * lr * t)^alpha; averaging starts after step `t0`.

    Raises:
        ValueError: a negative `lr` or `weight_decay`.
    """

    _sparse_error = "ASGD does not support sparse gradients"
    _capturable_states = "params, mus, etas, and state_steps"
    _tensor_scalars = ("step", "eta", "mu")
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
        lambd=1e-4,
        alpha=0.75,
        t0=1e6,
        weight_decay=0,
        foreach=None,
        maximize=False,
        differentiable=False,
        capturable=False,
    ):
        check_learning_rate(lr)
        check_not_negative("Invalid weight_decay value: {}", weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _state_names(self, group):
        return ("ax", "eta", "mu", "step")

    def _new_state(self, group, param):
        return {
            "step": step_counter(group, param),
            "eta": lampas.tensor(number(group["lr"]), dtype=_scalar_dtype()),
            "mu": lampas.ones((), dtype=_scalar_dtype()),
            "ax": like(param),
        }

    def _fused_update(self, group, params, grads, averages, etas, mus, steps):
        return _core.fused_asgd_(
            params,
            grads,
            averages,
            etas,
            mus,
            steps,
            number(group["lr"]),
            number(group["lambd"]),
            number(group["alpha"]),
            number(group["t0"]),
            number(group["weight_decay"]),
            bool(group["maximize"]),
        )

    def _formula(self, group, param, grad, average, eta, mu, step):
        lr, lambd = group["lr"], group["lambd"]
        step = step + 1
        count = step.item()
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        rate, weight = eta.item(), mu.item()
        param = (param * (1 - lambd * rate)).add(grad, alpha=-rate)
        average = param if weight == 1 else average + (param - average) * weight
        eta = lampas.full_like(eta, number(lr / (1 + lambd * lr * count) ** group["alpha"]))
        mu = lampas.full_like(mu, 1 / max(1, count - group["t0"]))
        return param, average, eta, mu, step
