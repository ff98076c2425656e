"""The base of all optimizers: parameter groups, state dictionaries and hooks.

The update rules are not here: each optimizer has its own file, built on `parameterwise`.
"""

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain

import lampas
from lampas import _core, hints
from lampas.utils.hooks import RemovableHandle

__all__ = [
    "Optimizer",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
]

_global_optimizer_pre_hooks = OrderedDict()
_global_optimizer_post_hooks = OrderedDict()

_HOOK_TABLES = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


# What an optimizer takes as parameters, for annotations.
ParamsT = Iterable


class _RequiredParameter:
    """Marks a default that every parameter group has to give itself."""

    def __repr__(self):
        return "<required parameter>"


required = _RequiredParameter()


def _register(table, hook, prepend=False):
    handle = RemovableHandle(table)
    table[handle.id] = hook
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


def _labelled(name):
    """A block of a profile."""
    from lampas.autograd.profiler import record_function

    return record_function(name)


def register_optimizer_step_pre_hook(hook):
    """Call `hook(optimizer, args, kwargs)` before every step of every optimizer."""
    return _register(_global_optimizer_pre_hooks, hook)


def register_optimizer_step_post_hook(hook):
    """Call `hook(optimizer, args, kwargs)` after every step of every optimizer."""
    return _register(_global_optimizer_post_hooks, hook)


def _to_scalar(value):
    """A one-element tensor as a 0-d tensor; numbers pass through."""
    if isinstance(value, lampas.Tensor) and value.dim() != 0:
        return value.squeeze()
    return value


def _scalar_dtype():
    """The dtype of step counters: float64 only where that is the default."""
    is_double = lampas.get_default_dtype() == lampas.float64
    return lampas.float64 if is_double else lampas.float32


def check_learning_rate(lr, message="Invalid learning rate: {}"):
    """Raise ValueError unless `lr` is a number or one-element tensor that is not negative."""
    if isinstance(lr, lampas.Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    check_not_negative(message, lr)


def check_not_negative(message, value):
    """Raise ValueError with `message` about `value` unless it is at least zero."""
    if not 0.0 <= value:
        raise ValueError(message.format(value))


def check_betas(betas):
    """Raise ValueError unless both decay rates lie in [0, 1)."""
    for index, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {beta}")


def _call_pre_hooks(function, hooks, optimizer, args, kwargs):
    for hook in hooks:
        result = hook(optimizer, args, kwargs)
        if result is None:
            continue
        if not (isinstance(result, tuple) and len(result) == 2):
            raise RuntimeError(
                f"{function} must return None or a tuple of (new_args, new_kwargs), "
                f"but got {result}."
            )
        args, kwargs = result
    return args, kwargs


def _use_grad_for_differentiable(step):
    """Decorator of `step`: gradients are recorded in it where the optimizer is `differentiable`."""

    @functools.wraps(step)
    def stepping(self, *args, **kwargs):
        with lampas.set_grad_enabled(self.defaults.get("differentiable", False)):
            return step(self, *args, **kwargs)

    return stepping


def _get_capturable_supported_devices(supports_xla=True):
    """Devices whose work can be captured in a graph; none is here."""
    return ["cuda", "xpu", "hpu", *(["xla"] if supports_xla else [])]


def _default_to_fused_or_foreach(params, differentiable, use_fused=False):
    """(fused, foreach) that an optimizer uses unasked: neither."""
    return False, False


class Optimizer:
    """Base class of all optimizers.

    Args:
        params: an iterable of tensors, of (name, tensor) pairs, or of dicts that each describe a
            parameter group by the key "params" and the options that differ in that group.
        defaults: the options of groups that do not set them.

    Raises:
        TypeError: `params` is a tensor, a set, or holds something other than tensors.
        ValueError: no parameters, a non-leaf tensor, or a tensor in two groups.
    """

    # Hooks around step: f(optimizer, args, kwargs); that before it may give new (args, kwargs).
    OptimizerPreHook = Callable[["Optimizer", tuple, dict], "tuple[tuple, dict] | None"]
    OptimizerPostHook = Callable[["Optimizer", tuple, dict], None]

    def __init__(self, params, defaults):
        self.defaults = defaults
        for table in _HOOK_TABLES:
            setattr(self, table, OrderedDict())
        self._patch_step_function()
        if isinstance(params, lampas.Tensor):
            text = "params argument given to the optimizer should be an iterable of Tensors or "
            raise hints.hinted(TypeError(f"{text}dicts, but got {lampas.typename(params)}"))
        self.state = defaultdict(dict)
        self.param_groups = []
        groups = list(params)
        if not groups:
            raise hints.hinted(ValueError("optimizer got an empty parameter list"))
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)
        # Read by torch code that captures device graphs; nothing here warns.
        self._warned_capturable_if_run_uncaptured = True

    def __getstate__(self):
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state):
        self.__dict__.update(state)
        for table in _HOOK_TABLES:
            self.__dict__.setdefault(table, OrderedDict())
        self._patch_step_function()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self):
        lines = [type(self).__name__ + " ("]
        for index, group in enumerate(self.param_groups):
            lines.append(f"\nParameter Group {index}" if index else f"Parameter Group {index}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join(lines) + "\n)"

    @staticmethod
    def profile_hook_step(func):
        """Wrap a `step` so that it runs the hooks before and after."""

        @functools.wraps(func)
        def step_with_hooks(*args, **kwargs):
            self = args[0]
            if _core._is_recording():  # replayed as a call, so options are read anew each time
                if len(args) == 1 and not kwargs:
                    return _core._whole(step_with_hooks, self)
                _core._recording_meets("step(closure) of an optimizer")
            if _core._profiling():
                with _labelled(f"Optimizer.step#{type(self).__name__}.step"):
                    return run(self, args, kwargs)
            pre, post = self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks
            if not (pre or post or _global_optimizer_pre_hooks or _global_optimizer_post_hooks):
                return func(*args, **kwargs)
            return run(self, args, kwargs)

        def run(self, args, kwargs):
            pre, post = self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks
            hooks = [*_global_optimizer_pre_hooks.values(), *pre.values()]
            args, kwargs = _call_pre_hooks(func, hooks, self, args, kwargs)
            result = func(*args, **kwargs)
            for hook in [*post.values(), *_global_optimizer_post_hooks.values()]:
                hook(self, args, kwargs)
            return result

        return step_with_hooks

    def _patch_step_function(self):
        kind = type(self)
        self._zero_grad_profile_name = f"Optimizer.zero_grad#{kind.__name__}.zero_grad"
        if not getattr(kind.step, "hooked", None):
            kind.step = self.profile_hook_step(kind.step)
            kind.step.hooked = True

    def register_step_pre_hook(self, hook):
        """Call `hook(optimizer, args, kwargs)` before each step; it may return new ones."""
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook):
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook, prepend=False):
        """Call `hook(optimizer)` before `state_dict` is made."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False):
        """Call `hook(optimizer, state_dict)`, which may return a replacement."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False):
        """Call `hook(optimizer, state_dict)`, which may return a replacement to load."""
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False):
        """Call `hook(optimizer)` after a state was loaded."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    def state_dict(self):
        """The state as a dict: "state" by parameter number, and "param_groups".

        Parameters are numbered over all groups; tensors are not copied.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers = {}
        for param in chain.from_iterable(group["params"] for group in self.param_groups):
            numbers.setdefault(id(param), len(numbers))
        groups = []
        for group in self.param_groups:
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [numbers[id(param)] for param in group["params"]]
            groups.append(packed)
        state = {
            numbers[id(key)] if isinstance(key, lampas.Tensor) else key: value
            for key, value in self.state.items()
        }
        state_dict = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            result = hook(self, state_dict)
            if result is not None:
                state_dict = result
        return state_dict

    def load_state_dict(self, state_dict):
        """Take over a state made by `state_dict`, cast to the parameters' dtypes and devices.

        Raises:
            ValueError: the number of groups, or of parameters in a group, differs.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            result = hook(self, state_dict)
            if result is not None:
                state_dict = result
        groups, saved_groups = self.param_groups, deepcopy(state_dict["param_groups"])
        _check_same_sizes(groups, saved_groups)
        params = dict(
            zip(
                chain.from_iterable(saved["params"] for saved in saved_groups),
                chain.from_iterable(group["params"] for group in groups),
            )
        )
        state = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in params:
                state[params[key]] = _cast_state(params[key], value, key, saved_groups)
            else:
                state[key] = value
        new_groups = [_merge_group(*pair) for pair in zip(groups, saved_groups)]
        self.__setstate__({"state": state, "param_groups": new_groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def zero_grad(self, set_to_none=True):
        """Drop the gradients of all parameters, or fill them with zeros."""
        if _core._is_recording():
            return _core._whole(Optimizer.zero_grad, self, set_to_none)
        if _core._profiling():
            with _labelled(self._zero_grad_profile_name):
                return self._drop_gradients(set_to_none)
        self._drop_gradients(set_to_none)

    def _drop_gradients(self, set_to_none):
        for group in self.param_groups:
            if set_to_none:
                _core.drop_gradients(group["params"])
                continue
            for param in group["params"]:
                if param.grad is not None:
                    if param.grad.grad_fn is not None:
                        param.grad.detach_()
                    else:
                        param.grad.requires_grad_(False)
                    param.grad.zero_()

    def step(self, closure=None):
        """Perform one optimization step; `closure` re-evaluates the model and gives the loss."""
        raise NotImplementedError

    def add_param_group(self, param_group):
        """Add a dict with "params" and the options that differ from the defaults.

        Raises:
            TypeError: not a dict, a set of parameters, or something other than tensors.
            ValueError: non-leaf or repeated parameters, or only some of them named.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        _unpack_params(param_group)
        for param in param_group["params"]:
            self._check_parameter(param)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization "
                    f"parameter {name}"
                )
            param_group.setdefault(name, default)
        self._check_repetition(param_group)
        self.param_groups.append(param_group)

    def _check_parameter(self, param):
        if not isinstance(param, lampas.Tensor):
            text = "optimizer can only optimize Tensors, but one of the params is "
            raise hints.hinted(TypeError(text + lampas.typename(param)))
        if not self.defaults.get("differentiable") and not (param.is_leaf or param.retains_grad):
            raise hints.hinted(ValueError("can't optimize a non-leaf Tensor"))

    def _check_repetition(self, param_group):
        params = param_group["params"]
        identities = set(map(id, params))
        if len(params) != len(identities):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, "
                "this will cause an error; see github.com/pytorch/pytorch/issues/40967 for "
                "more information",
                stacklevel=4,
            )
        earlier = chain.from_iterable(group["params"] for group in self.param_groups)
        if not identities.isdisjoint(map(id, earlier)):
            raise ValueError("some parameters appear in more than one parameter group")
        if self.param_groups and (
            ("param_names" in param_group) != ("param_names" in self.param_groups[0])
        ):
            which = "with" if "param_names" in param_group else "without"
            raise ValueError(
                "all optimizer param groups should be with/without names. "
                f"cannot add param group {which} names to the optimizer"
            )


def _unpack_params(group):
    """Make group["params"] a list of tensors; (name, tensor) pairs also give "param_names"."""
    params = group["params"]
    if isinstance(params, lampas.Tensor):
        group["params"] = [params]
        return
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the "
            "ordering of tensors in sets will change between runs. Please use a list instead."
        )
    params = list(params)
    named = sum(isinstance(param, tuple) for param in params)
    if named and named != len(params):
        raise ValueError(
            "all optimizer params should be with/without names. Some param names are missing"
        )
    if named:
        # "params" stays the first key: printing and state_dict follow the order.
        group["param_names"] = [name for name, _ in params]
        params = [param for _, param in params]
    group["params"] = params


def _check_same_sizes(groups, saved_groups):
    if len(groups) != len(saved_groups):
        raise ValueError("loaded state dict has a different number of parameter groups")
    for group, saved in zip(groups, saved_groups):
        if len(group["params"]) != len(saved["params"]):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of "
                "optimizer's group"
            )


def _merge_group(group, saved):
    """The saved options with the present parameters; unnamed states keep the present names."""
    saved["params"] = group["params"]
    if "param_names" in group:
        saved.setdefault("param_names", group["param_names"])
    return saved


def _cast_state(param, value, number, groups, key=None):
    """A saved value in the dtype and on the device that fit its parameter."""
    if isinstance(value, lampas.Tensor):
        if key == "step":
            return _cast_step(param, value, number, groups)
        if param.is_floating_point():
            return value.to(dtype=param.dtype, device=param.device)
        return value.to(device=param.device)
    if isinstance(value, dict):
        return {k: _cast_state(param, v, number, groups, k) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return type(value)(_cast_state(param, v, number, groups) for v in value)
    return value


def _cast_step(param, step, number, groups):
    """Step counters keep their dtype, or low-precision parameters would stop counting."""
    for group in groups:
        if number in group["params"] and (group.get("capturable") or group.get("fused")):
            return step.to(dtype=lampas.float32, device=param.device)
    return step
