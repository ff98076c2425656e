"""RMSprop, also centered and with momentum."""

from lampas import _core
from lampas.optim.optimizer import check_learning_rate, check_not_negative
from lampas.optim.parameterwise import (
    ParameterwiseOptimizer,
    add_scaled,
    addcdiv,
    like,
    mean_square,
    number,
    step_counter,
)

__all__ = ["RMSprop"]


class RMSprop(ParameterwiseOptimizer):
    """RMSprop (Hinton's lecture 6e, 2012): divides g by the root of its running mean square.

    `centered` (Graves 2013) subtracts the square of the running mean. The root is taken before
    `eps` is added.

    Raises:
        ValueError: a negative option.
    """

    _sparse_error = "RMSprop does not support sparse gradients"
    _counts_on_device = True
    _late_options = {
        "momentum": 0,
        "centered": False,
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0,
        momentum=0,
        centered=False,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        check_learning_rate(lr)
        check_not_negative("Invalid epsilon value: {}", eps)
        check_not_negative("Invalid momentum value: {}", momentum)
        check_not_negative("Invalid weight_decay value: {}", weight_decay)
        check_not_negative("Invalid alpha value: {}", alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _state_names(self, group):
        names = ("square_avg", "step")
        if group["momentum"] > 0:
            names += ("momentum_buffer",)
        return names + ("grad_avg",) if group["centered"] else names

    def _new_state(self, group, param):
        state = {"step": step_counter(group, param), "square_avg": like(param)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = like(param)
        if group["centered"]:
            state["grad_avg"] = like(param)
        return state

    def _fused_update(self, group, params, grads, squares, steps, *optional):
        optional = list(optional)
        buffers = optional.pop(0) if group["momentum"] > 0 else None
        means = optional.pop(0) if group["centered"] else None
        return _core.fused_rmsprop_(
            params,
            grads,
            squares,
            buffers,
            means,
            steps,
            number(group["lr"]),
            number(group["alpha"]),
            number(group["eps"]),
            number(group["weight_decay"]),
            number(group["momentum"]),
            bool(group["maximize"]),
        )

    def _formula(self, group, param, grad, square, step, *optional):
        lr, alpha = group["lr"], group["alpha"]
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        square = mean_square(square, grad, alpha)
        kept, variance = [square, step + 1], square
        if group["centered"]:
            mean = optional[-1].lerp(grad, 1 - alpha)
            variance = square.addcmul(mean, mean, value=-1)
        root = variance.sqrt() + group["eps"]
        if group["momentum"] > 0:
            buffer = (optional[0] * group["momentum"]).addcdiv(grad, root)
            kept.append(buffer)
            param = add_scaled(param, buffer, -lr)
        else:
            param = addcdiv(param, grad, root, -lr)
        return (param, *kept, mean) if group["centered"] else (param, *kept)
