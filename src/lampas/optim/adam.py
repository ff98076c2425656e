"""Adam, also with AMSGrad and with decoupled weight decay (AdamW is in adamw.py)."""

import lampas
from lampas import _core
from lampas.optim.optimizer import check_betas, check_not_negative
from lampas.optim.parameterwise import (
    ParameterwiseOptimizer,
    addcdiv,
    device_rate,
    like,
    mean_square,
    number,
    scaling_of,
    step_counter,
    supports_scaling,
)
from lampas.optim.sgd import check_fused

__all__ = ["Adam"]

_STATES = ("exp_avg", "exp_avg_sq", "step")
_STATES_AMSGRAD = ("exp_avg", "exp_avg_sq", "step", "max_exp_avg_sq")


class Adam(ParameterwiseOptimizer):
    """Adam (Kingma and Ba 2015): steps along m / sqrt(v), running means of g and g^2.

    `amsgrad` (Reddi et al. 2018) divides by the largest v so far. `weight_decay` is added to the
    gradient, or with `decoupled_weight_decay` shrinks the parameter directly.

    Raises:
        ValueError: a negative `lr`, `eps` or `weight_decay`; betas outside [0, 1).
    """

    _sparse_error = "Adam does not support sparse gradients, please consider SparseAdam instead"
    _counts_on_device = True
    _late_options = {
        "amsgrad": False,
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "fused": None,
    }

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        amsgrad=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
        fused=None,
        decoupled_weight_decay=False,
    ):
        _check_tensor_options(lr, betas, foreach and not capturable)
        check_not_negative("Invalid learning rate: {}", lr)
        check_not_negative("Invalid epsilon value: {}", eps)
        check_betas(betas)
        check_not_negative("Invalid weight_decay value: {}", weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        if fused:
            check_fused(differentiable, foreach)
            self._step_supports_amp_scaling = supports_scaling(self)

    def _state_names(self, group):
        return _STATES_AMSGRAD if group["amsgrad"] else _STATES

    def _new_state(self, group, param):
        state = {
            "step": step_counter(group, param),
            "exp_avg": like(param),
            "exp_avg_sq": like(param),
        }
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = like(param)
        return state

    def _fused_update(self, group, params, grads, means, squares, steps, maxima=None):
        lr, rate = group["lr"], None
        beta1, beta2 = group["betas"]
        if not (type(lr) is type(beta1) is type(beta2) is float):
            lr, rate = device_rate(lr, params)
            beta1, beta2 = number(beta1), number(beta2)
        if rate is not None and not _counted_there(steps):
            lr, rate = number(rate), None
        return _core.fused_adam_(
            params,
            grads,
            means,
            squares,
            maxima,
            steps,
            lr,
            beta1,
            beta2,
            group["weight_decay"],
            group["eps"],
            not not group["maximize"],
            not not group["decoupled_weight_decay"],
            rate,
            *(scaling_of(self) if group["fused"] else ()),
        )

    def _formula(self, group, param, grad, mean, square, step, maximum=None):
        lr, eps, decay = group["lr"], group["eps"], group["weight_decay"]
        beta1, beta2 = group["betas"]
        step = step + 1
        # Differentiable steps, and those that a graph of a GPU may repeat, count in float32 tensors,
        # as PyTorch's do.
        in_tensors = group["differentiable"] or (group["capturable"] and step.is_cuda)
        count = step if in_tensors else step.item()
        if group["maximize"]:
            grad = -grad
        if decay != 0:
            if group["decoupled_weight_decay"]:
                param = param * (1 - lr * decay)
            else:
                grad = grad.add(param, alpha=decay)
        mean = mean.lerp(grad, 1 - beta1)
        square = mean_square(square, grad, beta2)
        if maximum is not None:
            maximum = lampas.maximum(maximum, square)
        root = (square if maximum is None else maximum).sqrt() / (1 - beta2**count) ** 0.5
        param = addcdiv(param, mean, root + eps, -(lr / (1 - beta1**count)))
        return (param, mean, square, step, maximum)[: 4 if maximum is None else 5]


def _counted_there(steps):
    """Whether the step counts lie on a GPU."""
    return all(step.is_cuda for step in steps)


def _check_tensor_options(lr, betas, foreach):
    """Tensors as options: one element each, both betas alike, not with plain foreach."""
    if isinstance(lr, lampas.Tensor):
        if foreach:
            raise ValueError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )
        if lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
    tensors = [isinstance(beta, lampas.Tensor) for beta in betas]
    if tensors[0] != tensors[1]:
        raise ValueError("betas must be either both floats or both Tensors")
    if tensors[0] and foreach:
        raise ValueError(
            "betas[0] as a Tensor is not supported for capturable=False and foreach=True"
        )
