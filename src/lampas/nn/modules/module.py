"""Module: the base class of layers and networks. Hooks and saved state are in _hooks, _state."""

import sys
from collections import OrderedDict

import lampas
from lampas import Tensor, _core, hints
from lampas.nn.modules import _hooks
from lampas.nn.modules._hooks import (  # noqa: F401 (public names of this module)
    CALL_HOOKS,
    HookDict,
    HookedCall,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from lampas.nn.modules._state import EXTRA_STATE, State, _IncompatibleKeys  # noqa: F401
from lampas.nn.parameter import Buffer, Parameter

_EXTRA_STATE_KEY_SUFFIX = EXTRA_STATE  # as PyTorch calls it

_any_hook = HookDict.any_hook


def _addindent(text, spaces):
    return text.replace("\n", "\n" + spaces * " ")


def _forward_unimplemented(self, *input):
    raise NotImplementedError(
        f'Module [{type(self).__name__}] is missing the required "forward" function'
    )


def _too_early(what):
    return hints.hinted(AttributeError(f"cannot assign {what} before Module.__init__() call"))


def _run_registration_hooks(table, module, name, value):
    """The value to register: that of the last hook which returned one."""
    for hook in table.values():
        given = hook(module, name, value)
        value = value if given is None else given
    return value


_TABLES = ("_parameters", "_buffers", "_modules")
_LATER_ATTRIBUTES = {  # what files of early releases lack
    "_non_persistent_buffers_set": set,
    "_forward_pre_hooks_with_kwargs": OrderedDict,
    "_forward_hooks_with_kwargs": OrderedDict,
    "_forward_hooks_always_called": OrderedDict,
    "_state_dict_hooks": OrderedDict,
    "_state_dict_pre_hooks": OrderedDict,
    "_load_state_dict_pre_hooks": OrderedDict,
    "_load_state_dict_post_hooks": OrderedDict,
    "_is_full_backward_hook": lambda: None,
}


class Module(HookedCall, State, _core.ModuleBase):
    """Base class of all layers and networks.

    A subclass calls `super().__init__()`, assigns parameters and submodules as attributes
    and defines `forward`; calling the module runs `forward` with the hooks around it.
    """

    dump_patches = False
    _version = 1
    training: bool
    call_super_init = False
    _compiled_call_impl = None
    _is_replica = False

    def __init__(self, *args, **kwargs):
        if not self.call_super_init:
            if kwargs:
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword argument "
                    f"'{next(iter(kwargs))}'"
                )
            if args:
                raise TypeError(
                    f"{type(self).__name__}.__init__() takes 1 positional argument but "
                    f"{len(args) + 1} were given"
                )
        own = self.__dict__  # not through __setattr__, which looks for parameters
        own["training"] = True
        own["_parameters"] = {}
        own["_buffers"] = {}
        own["_non_persistent_buffers_set"] = set()
        own["_backward_pre_hooks"] = HookDict()
        own["_backward_hooks"] = HookDict()
        own["_is_full_backward_hook"] = None
        own["_forward_hooks"] = HookDict()
        own["_forward_hooks_with_kwargs"] = OrderedDict()
        own["_forward_hooks_always_called"] = OrderedDict()
        own["_forward_pre_hooks"] = HookDict()
        own["_forward_pre_hooks_with_kwargs"] = OrderedDict()
        own["_state_dict_hooks"] = OrderedDict()
        own["_state_dict_pre_hooks"] = OrderedDict()
        own["_load_state_dict_pre_hooks"] = OrderedDict()
        own["_load_state_dict_post_hooks"] = OrderedDict()
        own["_modules"] = {}
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    forward = _forward_unimplemented

    # A call, in the core, runs `forward`, or `_call_with_hooks` once any hook was registered; an
    # exception on its way out passes `hints.leaving`.

    def _call_impl(self, *args, **kwargs):
        return self._call_with_hooks(args, kwargs)

    _wrapped_call_impl = _slow_forward = _call_impl

    def compile(self, *args, **kwargs):
        """Replay calls of this module from now on; arguments as those of `torch.compile`."""
        _any_hook[0] = True  # calls go where compiled ones are told from others
        self._compiled_call_impl = lampas.compile(self._call_uncompiled, *args, **kwargs)

    # attributes

    def __getattr__(self, name):
        own = self.__dict__
        for table in _TABLES:
            entries = own.get(table)
            if entries is not None and name in entries:
                return entries[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name, value):
        own = self.__dict__
        params = own.get("_parameters")
        if isinstance(value, Tensor) and isinstance(value, Parameter):
            if params is None:
                raise _too_early("parameters")
            self._forget(name, ("_buffers", "_modules"))
            self.register_parameter(name, value)
        elif params is not None and name in params:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{lampas.typename(value)}' as parameter '{name}' "
                    "(torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if own.get("_modules") is None:
                raise _too_early("module")
            self._forget(name, ("_parameters", "_buffers"))
            self._put_module(name, value)
        elif name in own.get("_modules", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{lampas.typename(value)}' as child module '{name}' "
                    "(torch.nn.Module or None expected)"
                )
            self._put_module(name, value)
        else:
            buffers = own.get("_buffers")
            marked = isinstance(value, Tensor) and isinstance(value, Buffer)
            if marked or buffers is not None and name in buffers:
                self._set_buffer(name, value, marked)
            else:
                if name in CALL_HOOKS and value:
                    _any_hook[0] = True
                object.__setattr__(self, name, value)

    def _forget(self, name, tables):
        """Removes an attribute that is about to become another kind of member."""
        own = self.__dict__
        own.pop(name, None)
        for table in tables:
            if table in own:
                own[table].pop(name, None)
        if "_non_persistent_buffers_set" in own:
            own["_non_persistent_buffers_set"].discard(name)

    def _put_module(self, name, module):
        table = _hooks._global_module_registration_hooks
        self._modules[name] = _run_registration_hooks(table, self, name, module)

    def _set_buffer(self, name, value, marked):
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"cannot assign '{lampas.typename(value)}' as buffer '{name}' "
                "(torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if marked:
            if self.__dict__.get("_buffers") is None:
                raise _too_early("buffer")
            if name not in self._buffers:
                self._forget(name, ("_parameters", "_modules"))
            self.register_buffer(name, value, value.persistent)
        else:
            table = _hooks._global_buffer_registration_hooks
            self._buffers[name] = _run_registration_hooks(table, self, name, value)

    def __delattr__(self, name):
        if name in self._parameters:
            del self._parameters[name]
        elif name in self._buffers:
            del self._buffers[name]
            self._non_persistent_buffers_set.discard(name)
        elif name in self._modules:
            del self._modules[name]
        else:
            object.__delattr__(self, name)

    def __dir__(self):
        names = [
            *dir(self.__class__), *self.__dict__, *self._parameters, *self._modules,
            *self._buffers,
        ]  # fmt: skip
        return sorted(name for name in names if not name[0].isdigit())

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("_compiled_call_impl", None)
        return state

    def __setstate__(self, state):
        own = self.__dict__
        own.update(state)
        for name, make in _LATER_ATTRIBUTES.items():
            if name not in own:
                own[name] = make()
        for name in CALL_HOOKS:
            if own.get(name):
                _any_hook[0] = True  # the table stays: handles loaded along point at it
            else:
                own[name] = HookDict()

    # registration

    def _check_name(self, kind, name, table):
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {lampas.typename(name)}")
        if kind == "module" and hasattr(self, name) and name not in table:
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            given = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{given}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in table:
            raise KeyError(f"attribute '{name}' already exists")

    def register_buffer(self, name, tensor, persistent=True):
        """Adds a tensor that is state but no parameter; saved only if `persistent`."""
        if "_buffers" not in self.__dict__:
            raise _too_early("buffer")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{lampas.typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        table = _hooks._global_buffer_registration_hooks
        self._buffers[name] = _run_registration_hooks(table, self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name, param):
        """Adds a parameter, or None to reserve its name."""
        if "_parameters" not in self.__dict__:
            raise _too_early("parameter")
        self._check_name("parameter", name, self._parameters)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{lampas.typename(param)}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must "
                    f"be created explicitly. To express '{name}' as a function of another "
                    "Tensor, compute the value in the forward() method."
                )
        table = _hooks._global_parameter_registration_hooks
        self._parameters[name] = _run_registration_hooks(table, self, name, param)

    def add_module(self, name, module):
        """Adds a child module under a name."""
        if not isinstance(module, Module) and module is not None:
            text = f"{lampas.typename(module)} is not a Module subclass"
            raise hints.hinted(TypeError(text))
        self._check_name("module", name, self._modules)
        self._put_module(name, module)

    def register_module(self, name, module):
        """Same as `add_module`."""
        self.add_module(name, module)

    # access by dotted name

    def get_submodule(self, target):
        """The module at a dotted path; the module itself for ""."""
        found = self
        if target == "":
            return found
        for part in target.split("."):
            if not hasattr(found, part):
                raise AttributeError(f"{found._get_name()} has no attribute `{part}`")
            found = getattr(found, part)
            if not isinstance(found, Module):
                raise AttributeError(f"`{part}` is not an nn.Module")
        return found

    def set_submodule(self, target, module, strict=False):
        """Puts a module at a dotted path. `strict`: only where one already is."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        path, _, name = target.rpartition(".")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def _get_member(self, target):
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if not hasattr(owner, name):
            raise AttributeError(f"{owner._get_name()} has no attribute `{name}`")
        return owner, name, getattr(owner, name)

    def get_parameter(self, target):
        """The parameter at a dotted path."""
        _, name, found = self._get_member(target)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return found

    def get_buffer(self, target):
        """The buffer at a dotted path."""
        owner, name, found = self._get_member(target)
        if name not in owner._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return found

    # iteration

    def _named_members(self, get_members_fn, prefix="", recurse=True, remove_duplicate=True):
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in modules if recurse else [(prefix, self)]:
            for name, value in get_members_fn(module):
                if value is None or value in seen:
                    continue
                if remove_duplicate:
                    seen.add(value)
                yield path + ("." if path else "") + name, value

    def parameters(self, recurse=True):
        """An iterator over the parameters, each once."""
        known = self._known_parameters() if recurse else None
        if known is None:
            known = (param for _, param in self.named_parameters(recurse=recurse))
        yield from known

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """An iterator over (dotted name, parameter)."""
        yield from self._named_members(
            lambda module: module._parameters.items(), prefix, recurse, remove_duplicate
        )

    def buffers(self, recurse=True):
        """An iterator over the buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """An iterator over (dotted name, buffer)."""
        yield from self._named_members(
            lambda module: module._buffers.items(), prefix, recurse, remove_duplicate
        )

    def children(self):
        """An iterator over the direct submodules, each once."""
        for _, module in self.named_children():
            yield module

    def named_children(self):
        """An iterator over (name, direct submodule), each submodule once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self, remove_duplicate=True):
        """An iterator over this module and all below it."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """An iterator over (dotted name, module), beginning with this module."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = prefix + ("." if prefix else "") + name
                yield from module.named_modules(memo, path, remove_duplicate)

    # changing everything at once

    def apply(self, fn):
        """Calls `fn` on every submodule, then on this module; returns self."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn, recurse=True):
        if recurse:
            for module in self.children():
                module._apply(fn)
        future = sys.modules.get("lampas.__future__")  # whoever set its option imported it
        overwrite = future is not None and future.get_overwrite_module_params_on_conversion()
        for name, param in self._parameters.items():
            if param is None:
                continue
            with lampas.no_grad():
                applied = fn(param)
            grad = param.grad
            if overwrite or param.is_meta != applied.is_meta:
                param = self._parameters[name] = Parameter(applied, param.requires_grad)
            else:
                param.data = applied
            if grad is not None:
                with lampas.no_grad():
                    changed = fn(grad)
                param.grad = changed.requires_grad_(grad.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def cuda(self, device=None):
        """Moves all parameters and buffers to a GPU."""
        return self._apply(lambda t: t.cuda(device))

    def ipu(self, device=None):
        """Moves all parameters and buffers to an IPU."""
        return self._apply(lambda t: t.ipu(device))

    def xpu(self, device=None):
        """Moves all parameters and buffers to an XPU."""
        return self._apply(lambda t: t.xpu(device))

    def mtia(self, device=None):
        """Moves all parameters and buffers to an MTIA device."""
        return self._apply(lambda t: t.mtia(device))

    def cpu(self):
        """Moves all parameters and buffers to the CPU."""
        return self._apply(lambda t: t.cpu())

    def type(self, dst_type):
        """Converts all parameters and buffers to a type."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self):
        """Converts floating-point parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self):
        """Converts floating-point parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self):
        """Converts floating-point parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self):
        """Converts floating-point parameters and buffers to bfloat16."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def to_empty(self, *, device, recurse=True):
        """Moves parameters and buffers to a device without copying their values."""
        return self._apply(lambda t: lampas.empty_like(t, device=device), recurse=recurse)

    def to(self, *args, **kwargs):
        """Moves and converts parameters and buffers: `to(device, dtype, non_blocking)`,
        `to(dtype)`, `to(tensor)` or `to(memory_format=...)`. Integers keep their dtype."""
        from lampas.nn.modules._conversion import converter

        return self._apply(converter(*args, **kwargs))

    def train(self, mode=True):
        """Sets training mode (or evaluation mode, if False) here and below."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self):
        """Same as `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Sets `requires_grad` of all parameters."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Clears the gradients of all parameters."""
        if self._is_replica:
            import warnings

            warnings.warn(
                "Calling .zero_grad() from a module created with nn.DataParallel() has no "
                "effect. The parameters are copied (in a differentiable manner) from the "
                "original module. This means they are not leaf nodes in autograd and so don't "
                "accumulate gradients. If you need gradients in your forward method, consider "
                "using autograd.grad instead.",
                stacklevel=2,
            )
        if set_to_none:
            _core.drop_gradients(self._known_parameters() or list(self.parameters()))
            return
        for param in self.parameters():
            if param.grad is not None:
                if param.grad.grad_fn is not None:
                    param.grad.detach_()
                else:
                    param.grad.requires_grad_(False)
                param.grad.zero_()

    def share_memory(self):
        """Moves all parameters and buffers into shared memory."""
        return self._apply(lambda t: t.share_memory_())

    # printing

    def _get_name(self):
        return self.__class__.__name__

    def extra_repr(self):
        """What `repr` shows inside the parentheses; for subclasses to override."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [
            f"({name}): {_addindent(repr(module), 2)}" for name, module in self._modules.items()
        ]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        body = "\n  ".join(lines + children)
        return f"{self._get_name()}(\n  {body}\n)"

    def _replicate_for_data_parallel(self):
        replica = self.__new__(type(self))
        replica.__dict__.update(self.__dict__)
        replica.__dict__["_parameters"] = {}
        replica.__dict__["_buffers"] = self._buffers.copy()
        replica.__dict__["_modules"] = self._modules.copy()
        replica.__dict__["_is_replica"] = True
        replica.__dict__["_former_parameters"] = {}
        return replica


_core._set_module_class(Module, _any_hook, hints.leaving)
