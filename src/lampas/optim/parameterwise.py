"""How a step goes over the parameters: gather, then one native call for a whole group.

Not here: the update rules. An optimizer gives its rule twice-usable pieces: `_fused_update` names
the native kernel for lists of tensors, `_formula` is the same rule as a tensor expression, used
for what no kernel takes (differentiable steps, complex and low-precision parameters).
"""

import lampas
from lampas import _core
from lampas.optim.optimizer import Optimizer, _scalar_dtype

CAPTURABLE_DEVICES = ("cuda", "xpu", "hpu", "privateuseone", "xla")
FUSED_DEVICES = ["mps", "cuda", "xpu", "hpu", "cpu", "mtia", "privateuseone"]


def number(value):
    """A Python float of a number or a one-element tensor."""
    return value if type(value) is float else float(value)


def addcdiv(x, a, b, value):
    """x + value * a / b; `value` may be a tensor that needs a gradient."""
    if isinstance(value, lampas.Tensor):
        return x + value * (a / b)
    return x.addcdiv(a, b, value=value)


def add_scaled(x, y, value):
    """x + value * y; `value` may be a tensor that needs a gradient."""
    if isinstance(value, lampas.Tensor):
        return x + value * y
    return x.add(y, alpha=value)


def mean_square(average, grad, decay):
    """The running mean decay * average + (1 - decay) * grad^2."""
    if isinstance(decay, lampas.Tensor):
        return average * decay + (1 - decay) * grad * grad
    return (average * decay).addcmul(grad, grad, value=1 - decay)


def like(param):
    """A zero state of the parameter's shape, dtype and strides."""
    return lampas.zeros_like(param, memory_format=lampas.preserve_format)


def step_counter(group=None, param=None):
    """The state "step", on the CPU unless the group's options need it beside the parameter."""
    if group and (group.get("capturable") or group.get("fused")):
        return lampas.zeros((), dtype=lampas.float32, device=param.device)
    return lampas.tensor(0.0, dtype=_scalar_dtype())


class ParameterwiseOptimizer(Optimizer):
    """An optimizer whose update of a parameter depends on that parameter's gradient and state."""

    # Options that files of older versions lack, with the values they stood for.
    _late_options = {}
    # Scalar states that such files hold as Python numbers.
    _tensor_scalars = ("step",)
    # The text of the RuntimeError for sparse gradients; None where they are allowed.
    _sparse_error = None
    _complex_error = None
    _capturable_states = "params and state_steps"
    _capturable_devices = CAPTURABLE_DEVICES
    # The kernel for GPUs reads step counts and learning rates there.
    _counts_on_device = False

    def _state_names(self, group):
        """The keys of the state that the rule uses, in the order of the rule's arguments."""
        raise NotImplementedError

    def _new_state(self, group, param):
        """The state of a parameter before its first step."""
        raise NotImplementedError

    def _fused_update(self, group, params, grads, *states):
        """Update all in one native call; False when the kernel does not take these tensors."""
        return False

    def _formula(self, group, param, grad, *states):
        """The updated parameter and states as a tuple; changes nothing in place."""
        raise NotImplementedError

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self._late_options.items():
                group.setdefault(name, value)
        for param_state in self.state.values():
            for name in self._tensor_scalars:
                value = param_state.get(name) if isinstance(param_state, dict) else None
                if value is not None and not isinstance(value, lampas.Tensor):
                    param_state[name] = lampas.tensor(float(value), dtype=_scalar_dtype())

    def step(self, closure=None):
        """Update every parameter that has a gradient.

        Args:
            closure: clears the gradients, computes the loss, calls backward, returns the loss.
        """
        loss = None
        if closure is not None:
            with lampas.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._update_group(group)
        return loss

    def _update_group(self, group):
        names = self._state_names(group)
        complete, params, grads, *states = _core.optim_gather(group["params"], self.state, names)
        if not complete:
            self._add_states(group, params, grads)
            complete, params, grads, *states = _core.optim_gather(
                group["params"], self.state, names
            )
            if not complete:
                raise KeyError(next(n for n, s in zip(names, states) if None in s))
        if (
            group["differentiable"]
            or (group.get("capturable") and not (self._counts_on_device and _on_gpu(params)))
            or not self._fused_update(group, params, grads, *states)
        ):
            self._update_by_formula(group, names, params, grads, states)

    def _add_states(self, group, params, grads):
        for param, grad in zip(params, grads):
            if not self.state[param]:
                self._check_gradient(group, param, grad)
                with lampas.no_grad():
                    self.state[param].update(self._new_state(group, param))

    def _check_gradient(self, group, param, grad):
        if self._sparse_error is not None and grad.is_sparse:
            raise RuntimeError(self._sparse_error)
        if self._complex_error is not None and lampas.is_complex(param):
            raise RuntimeError(self._complex_error)
        if group.get("fused") and not lampas.is_floating_point(param):
            raise RuntimeError(
                "`fused=True` requires all the params to be floating point Tensors of supported "
                f"devices: {FUSED_DEVICES} but {param.dtype} and {param.device.type}"
            )

    def _update_by_formula(self, group, names, params, grads, states):
        differentiable = group["differentiable"]
        with lampas.set_grad_enabled(differentiable):
            for index, (param, grad) in enumerate(zip(params, grads)):
                self._check_gradient(group, param, grad)
                if group.get("capturable"):
                    self._check_capturable(param)
                olds = [param, *(column[index] for column in states)]
                news = self._formula(group, *map(_as_real, (param, grad, *olds[1:])))
                _write(olds[0], news[0])
                for name, old, new in zip(names, olds[1:], news[1:]):
                    if old is None or differentiable:
                        # The graph may hold the old state, so it must not change.
                        was_complex = name not in self._tensor_scalars and lampas.is_complex(param)
                        self.state[param][name] = (
                            lampas.view_as_complex(new) if was_complex else new
                        )
                    else:
                        _write(old, new)

    def _check_capturable(self, param):
        if param.device.type not in self._capturable_devices:
            raise AssertionError(
                f"If capturable=True, {self._capturable_states} must be on supported devices: "
                f"{list(self._capturable_devices)}."
            )


def _on_gpu(params):
    return all(param.is_cuda for param in params)


def supports_scaling(optimizer):
    """Whether a fused optimizer's steps unscale gradients and skip infinite ones (amp.GradScaler)."""
    return all(_on_gpu(group["params"]) for group in optimizer.param_groups)


def scaling_of(optimizer):
    """What GradScaler leaves for a fused step: (scale, found_inf), None each without one."""
    return getattr(optimizer, "grad_scale", None), getattr(optimizer, "found_inf", None)


def device_rate(lr, params):
    """A learning rate that lies on the parameters' GPU as (number, tensor); others as (number, None)."""
    if isinstance(lr, lampas.Tensor) and lr.is_cuda and _on_gpu(params):
        return 0.0, lr
    return number(lr), None


def _as_real(tensor):
    """Complex tensors as pairs of reals: the rules treat the two parts as two parameters."""
    if tensor is not None and lampas.is_complex(tensor):
        return lampas.view_as_real(tensor)
    return tensor


def _write(old, new):
    (lampas.view_as_real(old) if lampas.is_complex(old) else old).copy_(new)
