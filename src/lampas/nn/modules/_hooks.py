"""Hooks of modules: registering them, and the call that runs them. Not here: state_dict hooks."""

import warnings
from collections import OrderedDict
from functools import partial
from itertools import chain

from lampas import Tensor


class HookDict(OrderedDict):
    """A hook table; writing to any of them ends the hook-free calling of modules."""

    any_hook = [False]  # shared by all: whether some table was ever written to

    def __setitem__(self, key, hook):
        self.any_hook[0] = True
        OrderedDict.__setitem__(self, key, hook)

    def __deepcopy__(self, memo):
        import copy

        result = memo[id(self)] = HookDict()  # handles that are copied along point at it
        for key, hook in self.items():
            result[key] = copy.deepcopy(hook, memo)
        return result

    def __reduce__(self):  # files hold a plain OrderedDict
        return OrderedDict, (), None, None, iter(self.items())


CALL_HOOKS = frozenset(
    ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
)

_global_forward_pre_hooks = HookDict()
_global_forward_hooks = HookDict()
_global_forward_hooks_with_kwargs = OrderedDict()
_global_forward_hooks_always_called = OrderedDict()
_global_backward_pre_hooks = HookDict()
_global_backward_hooks = HookDict()
_global_full = [None]  # whether the global backward hooks are full ones
_global_buffer_registration_hooks = OrderedDict()
_global_module_registration_hooks = OrderedDict()
_global_parameter_registration_hooks = OrderedDict()


def add(table, hook, extra=(), prepend=False):
    """Puts a hook into a table; `extra` are the tables of flags that `remove` clears as well."""
    from lampas.utils.hooks import RemovableHandle

    handle = RemovableHandle(table, extra_dict=list(extra) or None)
    table[handle.id] = hook
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


def register_module_buffer_registration_hook(hook):
    """Calls `hook(module, name, buffer)` whenever any module registers a buffer."""
    return add(_global_buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook):
    """Calls `hook(module, name, submodule)` whenever any module registers a submodule."""
    return add(_global_module_registration_hooks, hook)


def register_module_parameter_registration_hook(hook):
    """Calls `hook(module, name, parameter)` whenever any module registers a parameter."""
    return add(_global_parameter_registration_hooks, hook)


def register_module_forward_pre_hook(hook):
    """Calls `hook(module, args)` before the forward of every module."""
    return add(_global_forward_pre_hooks, hook)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Calls `hook(module, args, output)` after the forward of every module."""
    handle = add(
        _global_forward_hooks,
        hook,
        (_global_forward_hooks_with_kwargs, _global_forward_hooks_always_called),
    )
    if with_kwargs:
        _global_forward_hooks_with_kwargs[handle.id] = True
    if always_call:
        _global_forward_hooks_always_called[handle.id] = True
    return handle


def register_module_backward_hook(hook):
    """Calls `hook(module, grad_input, grad_output)` in backward of every module; superseded by
    `register_module_full_backward_hook`."""
    if _global_full[0] is True:
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a "
            "global Module hook. Please use only one of them."
        )
    _global_full[0] = False
    return add(_global_backward_hooks, hook)


def register_module_full_backward_pre_hook(hook):
    """Calls `hook(module, grad_output)` before the backward of every module."""
    return add(_global_backward_pre_hooks, hook)


def register_module_full_backward_hook(hook):
    """Calls `hook(module, grad_input, grad_output)` after the backward of every module."""
    if _global_full[0] is False:
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a "
            "global Module hook. Please use only one of them."
        )
    _global_full[0] = True
    return add(_global_backward_hooks, hook)


class HookedCall:
    """The part of Module that registers hooks and runs them around `forward`."""

    __slots__ = ()

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Calls `hook(module, args)` before forward; a result that is not None replaces args.

        `with_kwargs`: `hook(module, args, kwargs)`, returning None or (args, kwargs).
        """
        extra = (self._forward_pre_hooks_with_kwargs,)
        handle = add(self._forward_pre_hooks, hook, extra, prepend)
        HookDict.any_hook[0] = True
        if with_kwargs:
            self._forward_pre_hooks_with_kwargs[handle.id] = True
        return handle

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Calls `hook(module, args, output)` after forward; a result replaces the output.

        `with_kwargs`: `hook(module, args, kwargs, output)`. `always_call`: also if forward raises.
        """
        extra = (self._forward_hooks_with_kwargs, self._forward_hooks_always_called)
        handle = add(self._forward_hooks, hook, extra, prepend)
        HookDict.any_hook[0] = True
        if with_kwargs:
            self._forward_hooks_with_kwargs[handle.id] = True
        if always_call:
            self._forward_hooks_always_called[handle.id] = True
        return handle

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Calls `hook(module, grad_output)` before the module's backward; a result replaces it."""
        HookDict.any_hook[0] = True
        return add(self._backward_pre_hooks, hook, (), prepend)

    def register_backward_hook(self, hook):
        """The older, incomplete form of `register_full_backward_hook`."""
        if self._is_full_backward_hook is True:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a "
                "single Module. Please use only one of them."
            )
        self._is_full_backward_hook = False
        HookDict.any_hook[0] = True
        return add(self._backward_hooks, hook)

    def register_full_backward_hook(self, hook, prepend=False):
        """Calls `hook(module, grad_input, grad_output)` once the gradients of the inputs are
        known; a result replaces grad_input."""
        if self._is_full_backward_hook is False:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a "
                "single Module. Please use only one of them."
            )
        self._is_full_backward_hook = True
        HookDict.any_hook[0] = True
        return add(self._backward_hooks, hook, (), prepend)

    def _get_backward_hooks(self):
        """(full hooks, older hooks) in calling order, global ones first."""
        full, older = [], []
        if _global_full[0] is not None:
            (full if _global_full[0] else older).extend(_global_backward_hooks.values())
        if self._is_full_backward_hook is not None:
            (full if self._is_full_backward_hook else older).extend(self._backward_hooks.values())
        return full, older

    def _get_backward_pre_hooks(self):
        return [*_global_backward_pre_hooks.values(), *self._backward_pre_hooks.values()]

    def _has_call_hooks(self):
        return bool(
            self._backward_hooks or self._backward_pre_hooks
            or self._forward_hooks or self._forward_pre_hooks
            or _global_backward_pre_hooks or _global_backward_hooks
            or _global_forward_hooks or _global_forward_pre_hooks
        )  # fmt: skip

    def _call_with_hooks(self, args, kwargs):
        if self._compiled_call_impl is not None:
            return self._compiled_call_impl(*args, **kwargs)
        return self._call_uncompiled(*args, **kwargs)

    def _call_uncompiled(self, *args, **kwargs):
        if not self._has_call_hooks():
            return self.forward(*args, **kwargs)
        called = set()
        try:
            return self._run_hooks(args, kwargs, called)
        except Exception:
            self._run_always_called(args, kwargs, called)
            raise

    def _run_hooks(self, args, kwargs, called):
        full, older, before = [], [], []
        if self._backward_pre_hooks or _global_backward_pre_hooks:
            before = self._get_backward_pre_hooks()
        if self._backward_hooks or _global_backward_hooks:
            full, older = self._get_backward_hooks()
        args, kwargs = self._run_forward_pre_hooks(args, kwargs)
        backward_hook = None
        if full or before:
            from lampas.nn.modules._functions import BackwardHook

            backward_hook = BackwardHook(self, full, before)
            args = backward_hook.setup_input_hook(args)
        result = self.forward(*args, **kwargs)
        result = self._run_forward_hooks(args, kwargs, result, called)
        if backward_hook is not None:
            if not isinstance(result, (Tensor, tuple)):
                warnings.warn(
                    "For backward hooks to be called, module output should be a Tensor or a "
                    f"tuple of Tensors but received {type(result)}",
                    stacklevel=4,
                )
            result = backward_hook.setup_output_hook(result)
        if older:
            self._attach_older_hooks(args, result, older)
        return result

    def _run_forward_pre_hooks(self, args, kwargs):
        own = self._forward_pre_hooks_with_kwargs
        for key, hook in chain(_global_forward_pre_hooks.items(), self._forward_pre_hooks.items()):
            if key in own:
                given = hook(self, args, kwargs)
                if given is None:
                    continue
                if not (isinstance(given, tuple) and len(given) == 2):
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {given}."
                    )
                args, kwargs = given
            else:
                given = hook(self, args)
                if given is not None:
                    args = given if isinstance(given, tuple) else (given,)
        return args, kwargs

    def _forward_hook_list(self):
        """(key, hook, takes kwargs, always called), global hooks first."""
        for key, hook in list(_global_forward_hooks.items()):
            yield (key, hook, key in _global_forward_hooks_with_kwargs,
                   key in _global_forward_hooks_always_called)  # fmt: skip
        for key, hook in list(self._forward_hooks.items()):
            yield (key, hook, key in self._forward_hooks_with_kwargs,
                   key in self._forward_hooks_always_called)  # fmt: skip

    def _run_forward_hooks(self, args, kwargs, result, called):
        for key, hook, with_kwargs, always in self._forward_hook_list():
            if always:
                called.add(key)
            given = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
            if given is not None:
                result = given
        return result

    def _run_always_called(self, args, kwargs, called):
        """After an error in forward: the hooks that asked for it; their own errors are silenced."""
        for key, hook, with_kwargs, always in self._forward_hook_list():
            if not always or key in called:
                continue
            try:
                hook(self, args, kwargs, None) if with_kwargs else hook(self, args, None)
            except Exception as error:
                scope = (
                    "global module forward" if key in _global_forward_hooks else "module forward"
                )
                warnings.warn(
                    f"{scope} hook with ``always_call=True`` raised an exception that was "
                    f"silenced as another error was raised in forward: {error!s}",
                    stacklevel=5,
                )

    def _attach_older_hooks(self, inputs, result, hooks):
        tensor = result
        while not isinstance(tensor, Tensor):
            if isinstance(tensor, dict):
                tensor = next(v for v in tensor.values() if isinstance(v, Tensor))
            else:
                tensor = tensor[0]
        if tensor.grad_fn is not None:
            for hook in hooks:
                tensor.grad_fn.register_hook(partial(hook, self))
            self._maybe_warn_non_full_backward_hook(inputs, result, tensor.grad_fn)

    def _maybe_warn_non_full_backward_hook(self, inputs, result, grad_fn):
        found = result if isinstance(result, tuple) else (result,)
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        if not all(isinstance(r, Tensor) for r in found):
            reason = (
                "Using non-full backward hooks on a Module that does not return a single Tensor "
                "or a tuple of Tensors is deprecated and will be removed in future versions. "
                "This hook will be missing some of the grad_output."
            )
        elif not all(isinstance(i, Tensor) for i in given):
            reason = (
                "Using non-full backward hooks on a Module that does not take as input a single "
                "Tensor or a tuple of Tensors is deprecated and will be removed in future "
                "versions. This hook will be missing some of the grad_input."
            )
        elif len(found) > 1:
            reason = (
                "Using a non-full backward hook when outputs are generated by different autograd "
                "Nodes is deprecated and will be removed in future versions. This hook will be "
                "missing some grad_output."
            )
        else:
            # The older hook sees one node only: complete just if that node's inputs are ours.
            ours = {i.grad_fn for i in given if i.grad_fn is not None}
            reached = {entry[0] for entry in grad_fn.next_functions if entry[0] is not None}
            if ours == reached:
                return
            reason = (
                "Using a non-full backward hook when the forward contains multiple autograd Nodes "
                "is deprecated and will be removed in future versions. This hook will be missing "
                "some grad_input."
            )
        advice = " Please use register_full_backward_hook to get the documented behavior."
        warnings.warn(reason + advice, FutureWarning, stacklevel=5)
