"""Adagrad."""

import lampas
from lampas import _core
from lampas.optim.optimizer import check_learning_rate, check_not_negative
from lampas.optim.parameterwise import ParameterwiseOptimizer, addcdiv, number, step_counter
from lampas.optim.sgd import check_fused

__all__ = ["Adagrad"]


class Adagrad(ParameterwiseOptimizer):
    """Adagrad (Duchi et al. 2011): divides g by the root of the sum of all squared gradients.

    The rate of step t is lr / (1 + (t - 1) * lr_decay). The state exists from the beginning.

    Raises:
        ValueError: a negative option.
    """

    _late_options = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "fused": None,
    }

    def __init__(
        self,
        params,
        lr=1e-2,
        lr_decay=0,
        weight_decay=0,
        initial_accumulator_value=0,
        eps=1e-10,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        fused=None,
    ):
        check_learning_rate(lr)
        check_not_negative("Invalid lr_decay value: {}", lr_decay)
        check_not_negative("Invalid weight_decay value: {}", weight_decay)
        check_not_negative("Invalid initial_accumulator_value value: {}", initial_accumulator_value)
        check_not_negative("Invalid epsilon value: {}", eps)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        if fused:
            check_fused(differentiable, foreach)
        self._begin_state()

    def _begin_state(self):
        for group in self.param_groups:
            for param in group["params"]:
                with lampas.no_grad():
                    self.state[param].update(self._new_state(group, param))

    def share_memory(self):
        """Move the sums and step counters into memory shared with child processes."""
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["sum"].share_memory_()

    def _state_names(self, group):
        return ("sum", "step")

    def _new_state(self, group, param):
        value = group["initial_accumulator_value"]
        if lampas.is_complex(param):
            value = complex(value, value)
        total = lampas.full_like(param, value, memory_format=lampas.preserve_format)
        return {"step": step_counter(group, param), "sum": total}

    def _fused_update(self, group, params, grads, sums, steps):
        return _core.fused_adagrad_(
            params,
            grads,
            sums,
            steps,
            number(group["lr"]),
            number(group["lr_decay"]),
            number(group["weight_decay"]),
            number(group["eps"]),
            bool(group["maximize"]),
        )

    def _formula(self, group, param, grad, total, step):
        step = step + 1
        rate = group["lr"] / (1 + (step.item() - 1) * group["lr_decay"])
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"] != 0:
            if grad.is_sparse:
                raise RuntimeError("weight_decay option is not compatible with sparse gradients")
            grad = grad.add(param, alpha=group["weight_decay"])
        if grad.is_sparse:
            return (*_sparse_formula(param, grad, total, rate, group["eps"]), step)
        total = total.addcmul(grad, grad, value=1)
        return addcdiv(param, grad, total.sqrt() + group["eps"], -rate), total, step


def _sparse_formula(param, grad, total, rate, eps):
    """Adagrad on the entries that the gradient names; repeated entries are summed first."""
    grad = grad.coalesce()
    values = grad.values()

    def sparse(new_values):
        return lampas.sparse_coo_tensor(grad.indices(), new_values, grad.size())

    total = total + sparse(values.pow(2))
    root = total.sparse_mask(grad).values().sqrt() + eps
    return param.add(sparse(values / root), alpha=-rate), total
