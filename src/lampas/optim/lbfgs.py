"""L-BFGS, with an optional line search (line_search.py)."""

import lampas
from lampas.optim.line_search import strong_wolfe
from lampas.optim.optimizer import Optimizer, _to_scalar, check_learning_rate

__all__ = ["LBFGS"]

_SAVED_ORDER = (
    "al",
    "d",
    "t",
    "old_dirs",
    "old_stps",
    "ro",
    "H_diag",
    "prev_flat_grad",
    "prev_loss",
)


class LBFGS(Optimizer):
    """L-BFGS (Liu and Nocedal 1989) over all parameters as one vector; one group only.

    Args:
        max_iter: iterations per step.
        max_eval: evaluations of the closure per step, by default 5/4 of `max_iter`.
        tolerance_grad: stop when no entry of the gradient is larger.
        tolerance_change: stop when loss or parameters change less.
        history_size: how many (s, y) pairs are kept.
        line_search_fn: None (steps of length `lr`) or "strong_wolfe".

    Raises:
        ValueError: a negative `lr`, or more than one parameter group.
        RuntimeError: an unknown line search, in `step`.
    """

    def __init__(
        self,
        params,
        lr=1,
        max_iter=20,
        max_eval=None,
        tolerance_grad=1e-7,
        tolerance_change=1e-9,
        history_size=100,
        line_search_fn=None,
    ):
        check_learning_rate(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self):
        return self.param_groups[0]["params"]

    def step(self, closure):
        """Run up to `max_iter` iterations; gives the loss at the beginning.

        Args:
            closure: clears the gradients, computes the loss, calls backward, returns the loss.
        """
        with lampas.no_grad():
            return self._minimise(lampas.enable_grad()(closure))

    def _minimise(self, closure):
        state = self.state[self._params[0]]
        fresh = not state
        loss = self._iterate(closure, state)
        if fresh:
            # The order of PyTorch's files.
            for key in _SAVED_ORDER:
                if key in state:
                    state[key] = state.pop(key)
        return loss

    def _iterate(self, closure, state):
        group = self.param_groups[0]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        loss, grad = float(first_loss), self._flat_grad()
        evaluations = 1
        state["func_evals"] += 1
        if grad.abs().max() <= group["tolerance_grad"]:
            return first_loss
        for iteration in range(1, int(group["max_iter"]) + 1):
            state["n_iter"] += 1
            direction = self._direction(state, grad, group["history_size"])
            state["d"] = direction
            _keep(state, "prev_flat_grad", grad)
            state["prev_loss"] = previous = loss
            state["t"] = length = _first_length(state, grad, group["lr"])
            slope = grad.dot(direction)
            if slope > -group["tolerance_change"]:
                break
            last = iteration == group["max_iter"]
            loss, grad, length, count = self._search(closure, loss, grad, direction, slope, last)
            state["t"] = length
            evaluations += count
            state["func_evals"] += count
            if (
                last
                or evaluations >= group["max_eval"]
                or grad.abs().max() <= group["tolerance_grad"]
                or direction.mul(length).abs().max() <= group["tolerance_change"]
                or abs(loss - previous) < group["tolerance_change"]
            ):
                break
        return first_loss

    def _search(self, closure, loss, grad, direction, slope, last):
        """Move along the direction: the new loss, gradient, step length, number of evaluations."""
        group = self.param_groups[0]
        length = self.state[self._params[0]]["t"]
        if group["line_search_fn"] is None:
            self._add(direction, length)
            if last:
                # The loss after the last iteration would not be read.
                return loss, grad, length, 0
            return float(closure()), self._flat_grad(), length, 1
        if group["line_search_fn"] != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        start = [param.clone(memory_format=lampas.contiguous_format) for param in self._params]

        def evaluate(t):
            self._add(direction, t)
            result = float(closure()), self._flat_grad()
            for param, value in zip(self._params, start):
                param.copy_(value)
            return result

        loss, grad, length, count = strong_wolfe(evaluate, length, direction, loss, grad, slope)
        self._add(direction, length)
        return loss, grad, length, count

    def _direction(self, state, grad, history_size):
        """The quasi-Newton direction -H g, from the pairs kept and the newest one."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return grad.neg()
        y = grad - state["prev_flat_grad"]
        s = state["d"] * state["t"]
        curvature = y.dot(s)
        if curvature > 1e-10:
            if len(state["old_dirs"]) == history_size:
                for key in ("old_dirs", "old_stps", "ro"):
                    state[key].pop(0)
            state["old_dirs"].append(y)
            state["old_stps"].append(s)
            state["ro"].append(1.0 / curvature)
            state["H_diag"] = curvature / y.dot(y)
        state.setdefault("al", [None] * history_size)
        return _two_loops(state, grad)

    def _flat_grad(self):
        pieces = []
        for param in self._params:
            if param.grad is None:
                piece = param.new_zeros(param.numel())
            else:
                piece = (param.grad.to_dense() if param.grad.is_sparse else param.grad).reshape(-1)
            pieces.append(lampas.view_as_real(piece).view(-1) if piece.is_complex() else piece)
        return lampas.cat(pieces, 0)

    def _add(self, direction, length):
        offset = 0
        for param in self._params:
            real = lampas.view_as_real(param) if lampas.is_complex(param) else param
            piece = direction[offset : offset + real.numel()].view_as(real)
            real.add_(piece, alpha=float(length))
            offset += real.numel()


def _two_loops(state, grad):
    """The two-loop recursion (Nocedal and Wright, algorithm 7.4)."""
    differences, steps, ro = state["old_dirs"], state["old_stps"], state["ro"]
    alpha = state["al"]
    q = grad.neg()
    for i in reversed(range(len(steps))):
        alpha[i] = steps[i].dot(q) * ro[i]
        q = q.add(differences[i], alpha=-alpha[i])
    r = q * state["H_diag"]
    for i in range(len(steps)):
        beta = differences[i].dot(r) * ro[i]
        r = r.add(steps[i], alpha=alpha[i] - beta)
    return r


def _first_length(state, grad, lr):
    """The trial step: the first direction is a raw gradient, so it is scaled down."""
    if state["n_iter"] == 1:
        return min(1.0, 1.0 / grad.abs().sum()) * _to_scalar(lr)
    return _to_scalar(lr)


def _keep(state, key, tensor):
    if state.get(key) is None:
        state[key] = tensor.clone(memory_format=lampas.contiguous_format)
    else:
        state[key].copy_(tensor)
