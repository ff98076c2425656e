"""NAdam: Adam with Nesterov momentum."""

import lampas
from lampas import _core
from lampas.optim.optimizer import (
    _scalar_dtype,
    check_betas,
    check_learning_rate,
    check_not_negative,
)
from lampas.optim.parameterwise import (
    ParameterwiseOptimizer,
    addcdiv,
    like,
    mean_square,
    number,
    step_counter,
)

__all__ = ["NAdam"]


class NAdam(ParameterwiseOptimizer):
    """NAdam (Dozat 2016): Adam that looks one step ahead.

    The momentum of step t is mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2).

    Raises:
        ValueError: a negative `lr`, `eps`, `weight_decay` or `momentum_decay`; betas outside
            [0, 1).
    """

    _sparse_error = "NAdam does not support sparse gradients"
    _capturable_states = "params, mu_products and state_steps"
    _tensor_scalars = ("step", "mu_product")
    _late_options = {
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
    }

    def __init__(
        self,
        params,
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        momentum_decay=4e-3,
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
        check_not_negative("Invalid momentum_decay value: {}", momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _state_names(self, group):
        return ("exp_avg", "exp_avg_sq", "mu_product", "step")

    def _new_state(self, group, param):
        return {
            "step": step_counter(group, param),
            "mu_product": lampas.ones((), dtype=_scalar_dtype()),
            "exp_avg": like(param),
            "exp_avg_sq": like(param),
        }

    def _fused_update(self, group, params, grads, means, squares, products, steps):
        beta1, beta2 = group["betas"]
        return _core.fused_nadam_(
            params,
            grads,
            means,
            squares,
            products,
            steps,
            number(group["lr"]),
            number(beta1),
            number(beta2),
            number(group["weight_decay"]),
            number(group["momentum_decay"]),
            number(group["eps"]),
            bool(group["maximize"]),
            bool(group["decoupled_weight_decay"]),
        )

    def _formula(self, group, param, grad, mean, square, product, step):
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
        momentum, next_momentum = (
            beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (count, count + 1)
        )
        product = product * momentum
        passed = product.item()
        mean = mean.lerp(grad, 1 - beta1)
        square = mean_square(square, grad, beta2)
        root = (square / (1 - beta2**count)).sqrt() + group["eps"]
        param = addcdiv(param, grad, root, -lr * (1 - momentum) / (1 - passed))
        param = addcdiv(param, mean, root, -lr * next_momentum / (1 - passed * next_momentum))
        return param, mean, square, product, step
