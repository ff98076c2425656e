"""Muon: momentum whose steps are orthogonal matrices."""

import lampas
from lampas.optim.optimizer import check_learning_rate, check_not_negative
from lampas.optim.parameterwise import ParameterwiseOptimizer, like, number

__all__ = ["Muon"]


class Muon(ParameterwiseOptimizer):
    """Muon (Jordan et al. 2024) for matrices: the momentum is replaced by the nearest orthogonal
    matrix, found in bfloat16 by `ns_steps` Newton-Schulz iterations.

    `adjust_lr_fn` scales the rate for an (A, B) matrix: "original" (the default) by
    sqrt(max(1, A / B)), "match_rms_adamw" by 0.2 * sqrt(max(A, B)).

    Raises:
        ValueError: a negative `lr`, `momentum` or `weight_decay`, an unknown `adjust_lr_fn`, or
            a parameter that is not a matrix.
    """

    _sparse_error = "Muon does not support sparse gradients"
    _complex_error = "Muon does not support complex parameters"
    _tensor_scalars = ()

    def __init__(
        self,
        params,
        lr=1e-3,
        weight_decay=0.1,
        momentum=0.95,
        nesterov=True,
        ns_coefficients=(3.4445, -4.7750, 2.0315),
        eps=1e-7,
        ns_steps=5,
        adjust_lr_fn=None,
    ):
        check_learning_rate(lr, "Learning rate should be >= 0 but is: {}")
        check_not_negative("momentum should be >= 0 but is: {}", momentum)
        check_not_negative("weight decay should be >= 0 but is: {}", weight_decay)
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                if param.dim() != 2:
                    raise ValueError(
                        "Muon only supports 2D parameters whereas we found a parameter with "
                        f"size: {param.size()}"
                    )

    def _update_group(self, group):
        super()._update_group({**group, "differentiable": False})

    def _state_names(self, group):
        return ("momentum_buffer",)

    def _new_state(self, group, param):
        return {"momentum_buffer": like(param)}

    def _formula(self, group, param, grad, buffer):
        momentum = group["momentum"]
        buffer = buffer.lerp(grad, 1 - momentum)
        update = grad.lerp(buffer, momentum) if group["nesterov"] else buffer
        update = orthogonalise(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        # A rate that is a tensor would round the product to bfloat16.
        lr = number(group["lr"])
        param = param * (1 - lr * group["weight_decay"])
        lr *= _rate_factor(group["adjust_lr_fn"], *param.shape)
        return param.add(update, alpha=-lr), buffer


def orthogonalise(matrix, coefficients, steps, eps):
    """An approximation in bfloat16 of U V^T, where matrix = U S V^T.

    Each step maps the singular values by a s + b s^3 + c s^5.
    """
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    x = matrix.bfloat16()
    tall = x.size(0) > x.size(1)
    if tall:
        x = x.T
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = lampas.addmm(x, lampas.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def _rate_factor(kind, rows, columns):
    if kind == "match_rms_adamw":
        return 0.2 * max(rows, columns) ** 0.5
    return max(1, rows / columns) ** 0.5
