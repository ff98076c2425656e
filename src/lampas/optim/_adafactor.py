"""Adafactor: a memory-saving relative of Adam."""

import lampas
from lampas.optim.optimizer import check_learning_rate, check_not_negative
from lampas.optim.parameterwise import ParameterwiseOptimizer, add_scaled, step_counter

__all__ = ["Adafactor"]


class Adafactor(ParameterwiseOptimizer):
    """Adafactor (Shazeer and Stern 2018): mean squares kept as an outer product for matrices.

    The rate of step t is min(lr, 1 / sqrt(t)) times the root mean square of the parameter (at
    least eps[1]); the update's root mean square is limited to `d`. eps[0] is by default the
    machine epsilon of the parameter's dtype.

    Raises:
        ValueError: a negative `lr`, `eps` or `weight_decay`, or `d` below 1.
    """

    _sparse_error = "Adafactor does not support sparse gradients"
    _complex_error = "Adafactor does not support complex parameters"
    _late_options = {"foreach": None}

    def __init__(
        self,
        params,
        lr=1e-2,
        beta2_decay=-0.8,
        eps=(None, 1e-3),
        d=1.0,
        weight_decay=0.0,
        *,
        foreach=None,
        maximize=False,
    ):
        check_learning_rate(lr, "Learning rate should be >= 0 but is: {}")
        if not 0.0 >= beta2_decay:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None:
            check_not_negative("epsilon1 should be >= 0 but is: {}", eps[0])
        check_not_negative("epsilon2 should be >= 0 but is: {}", eps[1])
        if not 1.0 <= d:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        check_not_negative("weight_decay should be >= 0 but is: {}", weight_decay)
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _update_group(self, group):
        # Matrices and vectors keep different states, so each parameter is gathered by itself.
        for param in group["params"]:
            if param.grad is None:
                continue
            if not self.state[param]:
                self._add_states(group, [param], [param.grad])
            names = ("row_var", "col_var", "step") if param.grad.dim() > 1 else ("variance", "step")
            states = [[self.state[param][name]] for name in names]
            options = {**group, "differentiable": False}
            self._update_by_formula(options, names, [param], [param.grad], states)

    def _new_state(self, group, param):
        grad = param.grad
        state = {"step": step_counter()}
        if grad.dim() > 1:
            rows, columns = list(grad.shape), list(grad.shape)
            rows[-1] = columns[-2] = 1
            state["row_var"] = grad.new_zeros(rows)
            state["col_var"] = grad.new_zeros(columns)
        else:
            state["variance"] = lampas.zeros_like(grad, memory_format=lampas.preserve_format)
        return state

    def _formula(self, group, param, grad, *states):
        *variances, step = states
        step = step + 1
        count = step.item()
        if group["maximize"]:
            grad = -grad
        weight = count ** group["beta2_decay"]
        smallest, least_scale = group["eps"]
        if smallest is None:
            smallest = lampas.finfo(param.dtype).eps
        rate = min(group["lr"], 1 / count**0.5) * max(least_scale, _root_mean_square(param))
        if group["weight_decay"] != 0:
            param = param * (1 - group["lr"] * group["weight_decay"])
        variances, variance = _track_variance(variances, grad, weight, smallest)
        update = grad * variance.clamp(min=smallest * smallest).rsqrt()
        limit = max(1.0, _root_mean_square(update) / group["d"])
        return add_scaled(param, update, -rate / limit), *variances, step


def _root_mean_square(x):
    return x.norm(2).item() / x.numel() ** 0.5


def _track_variance(variances, grad, weight, smallest):
    """The new running means and the estimate of g^2 that they stand for."""
    if len(variances) == 1:
        variance = variances[0].lerp(grad.square(), weight)
        return [variance], variance
    rows, columns = (
        variance.lerp(grad.norm(dim=dim, keepdim=True).square() / grad.size(dim), weight)
        for variance, dim in zip(variances, (-1, -2))
    )
    mean = rows.mean(dim=-2, keepdim=True).clamp(min=smallest)
    return [rows, columns], rows @ columns / mean
