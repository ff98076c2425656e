"""RAdam: Adam whose early steps are rectified."""

from lampas import _core
from lampas.optim.optimizer import check_betas, check_learning_rate, check_not_negative
from lampas.optim.parameterwise import (
    ParameterwiseOptimizer,
    add_scaled,
    like,
    mean_square,
    number,
    step_counter,
)

__all__ = ["RAdam"]


class RAdam(ParameterwiseOptimizer):
    """RAdam (Liu et al. 2020): plain momentum until the variance of v is tractable.

    Raises:
        ValueError: a negative `lr`, `eps` or `weight_decay`; betas outside [0, 1).
    """

    _sparse_error = "RAdam does not support sparse gradients"
    _counts_on_device = True
    _late_options = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "capturable": False,
    }

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        decoupled_weight_decay=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _state_names(self, group):
        return ("exp_avg", "exp_avg_sq", "step")

    def _new_state(self, group, param):
        return {
            "step": step_counter(group, param),
            "exp_avg": like(param),
            "exp_avg_sq": like(param),
        }

    def _fused_update(self, group, params, grads, means, squares, steps):
        beta1, beta2 = group["betas"]
        return _core.fused_radam_(
            params,
            grads,
            means,
            squares,
            steps,
            number(group["lr"]),
            number(beta1),
            number(beta2),
            number(group["weight_decay"]),
            number(group["eps"]),
            bool(group["maximize"]),
            bool(group["decoupled_weight_decay"]),
        )

    def _formula(self, group, param, grad, mean, square, step):
        lr, decay = group["lr"], group["weight_decay"]
        beta1, beta2 = group["betas"]
        step = step + 1
        count = step.item()
        if group["maximize"]:
            grad = -grad
        if decay != 0:
            if group["decoupled_weight_decay"]:
                param = param * (1 - lr * decay)
            else:
                grad = grad.add(param, alpha=decay)
        mean = mean.lerp(grad, 1 - beta1)
        square = mean_square(square, grad, beta2)
        direction = mean / (1 - beta1**count)
        rectification = _rectification(beta2, count)
        if rectification is not None:
            scale = (1 - beta2**count) ** 0.5 * rectification
            direction = direction * (scale / (square.sqrt() + group["eps"]))
        return add_scaled(param, direction, -lr), mean, square, step


def _rectification(beta2, count):
    """The factor r_t of the paper, None while the moving average is too short (rho <= 5)."""
    limit = 2 / (1 - beta2) - 1
    length = limit - 2 * count * beta2**count / (1 - beta2**count)
    if length <= 5.0:
        return None
    ratio = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)
    return ratio**0.5
