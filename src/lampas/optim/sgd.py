"""Stochastic gradient descent with momentum."""

from lampas import _core
from lampas.optim.optimizer import check_learning_rate, check_not_negative
from lampas.optim.parameterwise import (
    ParameterwiseOptimizer,
    add_scaled,
    device_rate,
    number,
    scaling_of,
    supports_scaling,
)

__all__ = ["SGD"]

_BUFFER = ("momentum_buffer",)


class SGD(ParameterwiseOptimizer):
    """Stochastic gradient descent: p -= lr * g.

    With `momentum`, g is replaced by the buffer b = momentum * b + (1 - dampening) * g, which
    starts as the first gradient; with `nesterov` (Sutskever et al. 2013) by g + momentum * b.
    `weight_decay` adds weight_decay * p to g first; `maximize` turns g around.

    Raises:
        ValueError: a negative `lr`, `momentum` or `weight_decay`; `nesterov` without momentum
            or with dampening.
    """

    _late_options = {
        "nesterov": False,
        "maximize": False,
        "foreach": None,
        "differentiable": False,
        "fused": False,
    }
    _tensor_scalars = ()

    def __init__(
        self,
        params,
        lr=1e-3,
        momentum=0,
        dampening=0,
        weight_decay=0,
        nesterov=False,
        *,
        maximize=False,
        foreach=None,
        differentiable=False,
        fused=None,
    ):
        check_learning_rate(lr)
        check_not_negative("Invalid momentum value: {}", momentum)
        check_not_negative("Invalid weight_decay value: {}", weight_decay)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, defaults)
        if fused:
            check_fused(differentiable, foreach)
            self._step_supports_amp_scaling = supports_scaling(self)

    def _update_group(self, group):
        names = _BUFFER if group["momentum"] else ()
        complete, params, grads, *states = _core.optim_gather(group["params"], self.state, names)
        # A buffer begins as the first gradient itself; the kernel knows only its later steps.
        if (
            not complete
            or group["differentiable"]
            or not self._fused_update(group, params, grads, *states)
        ):
            self._update_by_formula(group, names, params, grads, states)

    def _fused_update(self, group, params, grads, buffers=None):
        lr, rate, weight_decay = group["lr"], None, group["weight_decay"]
        if type(lr) is not float:
            lr, rate = device_rate(lr, params)
        return _core.fused_sgd_(
            params,
            grads,
            buffers,
            lr,
            group["momentum"],
            group["dampening"],
            number(weight_decay) if weight_decay else 0.0,
            not not group["nesterov"],
            not not group["maximize"],
            rate,
            *(scaling_of(self) if group["fused"] else ()),
        )

    def _formula(self, group, param, grad, *buffers):
        momentum = group["momentum"]
        if group["maximize"]:
            grad = -grad
        if not isinstance(group["weight_decay"], (int, float)) or group["weight_decay"] != 0:
            grad = add_scaled(grad, param, group["weight_decay"])
        if not buffers:
            return (add_scaled(param, grad, -group["lr"]),)
        buffer = buffers[0]
        if buffer is None:
            buffer = grad.detach().clone()
        else:
            buffer = (buffer * momentum).add(grad, alpha=1 - group["dampening"])
        grad = grad.add(buffer, alpha=momentum) if group["nesterov"] else buffer
        return add_scaled(param, grad, -group["lr"]), buffer


def check_fused(differentiable, foreach):
    """Raise RuntimeError where `fused=True` contradicts another option."""
    if differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
