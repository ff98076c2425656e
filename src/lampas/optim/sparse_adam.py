"""Adam for sparse gradients."""

import lampas
from lampas.optim.optimizer import Optimizer, check_betas, check_learning_rate, check_not_negative
from lampas.optim.parameterwise import like

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam that updates only the entries a sparse gradient names, moments included.

    Raises:
        ValueError: a negative `lr` or `eps`, betas outside [0, 1), sparse or complex parameters.
        RuntimeError: a dense gradient in `step`.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False):
        check_learning_rate(lr)
        check_not_negative("Invalid epsilon value: {}", eps)
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        sparse, complex_ = [], []
        for row, group in enumerate(self.param_groups):
            for column, param in enumerate(group["params"]):
                if param.is_sparse:
                    sparse.append([row, column])
                if lampas.is_complex(param):
                    complex_.append([row, column])
        if sparse:
            raise ValueError(
                f"Sparse params at indices {sparse}: SparseAdam requires dense parameter tensors"
            )
        if complex_:
            raise ValueError(
                f"Complex params at indices {complex_}: SparseAdam does not support complex "
                "parameters"
            )

    def step(self, closure=None):
        """Update the entries named by the gradients.

        Args:
            closure: clears the gradients, computes the loss, calls backward, returns the loss.
        """
        loss = None
        if closure is not None:
            with lampas.enable_grad():
                loss = closure()
        with lampas.no_grad():
            for group in self.param_groups:
                for param in group["params"]:
                    if param.grad is not None:
                        self._update(group, param)
        return loss

    def _update(self, group, param):
        if not param.grad.is_sparse:
            raise RuntimeError(
                "SparseAdam does not support dense gradients, please consider Adam instead"
            )
        state = self.state[param]
        if not state:
            state.update(step=0, exp_avg=like(param), exp_avg_sq=like(param))
        state["step"] += 1
        beta1, beta2 = group["betas"]
        grad = param.grad.coalesce()
        if grad.values().numel() == 0:
            return
        # (sparse_dim, nnz) -> one index per sparse dimension; values: (nnz, dense dims...)
        index = tuple(grad.indices())
        values = -grad.values() if group["maximize"] else grad.values()
        mean, square = state["exp_avg"][index], state["exp_avg_sq"][index]
        mean = mean + (1 - beta1) * (values - mean)
        square = square + (1 - beta2) * (values * values - square)
        state["exp_avg"][index] = mean
        state["exp_avg_sq"][index] = square
        correction = (1 - beta2 ** state["step"]) ** 0.5 / (1 - beta1 ** state["step"])
        param[index] -= group["lr"] * correction * mean / (square.sqrt() + group["eps"])
