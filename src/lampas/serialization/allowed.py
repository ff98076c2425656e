"""What a file may name, make and change when it is loaded with `weights_only=True`.

`find_global`, `call`, `new` and `build` are the whole surface between a file from a stranger and
this process; the checks of arguments are in `arguments`. The machine that reads is in `unpickler`.
"""

import collections
import contextlib
import re
from pickle import UnpicklingError

import lampas
from lampas import _utils
from lampas.serialization import arguments, names
from lampas.storage import CLASSES, TypedStorage

_BLOCKED_MODULES = ("sys", "os", "posix", "nt")
# What PyTorch allows and Lampas has nothing for.
_UNSUPPORTED = re.compile(
    r"torch\.(u?int[1-7]|bits\d+(x\d)?|q(u?int\d+(x\d)?)|QU?Int\w+Storage|float[48]_\w+"
    r"|per_(tensor|channel)\w+|(cuda\.)?sparse\.\w+Tensor"
    r"|_utils\._rebuild_(q|nested)_?tensor|_utils\._rebuild_wrapper_subclass"
    r"|_utils\._rebuild_device_tensor_from_(cpu_tensor|numpy))"
)

_user_globals = {}  # dotted name in a file -> object
_builtin_globals = {}


def add_safe_globals(safe_globals):
    """Allow further classes and functions: a list of them, or of pairs (object, dotted name).

    TypeError for a name that is no text.
    """
    for entry in safe_globals:
        target, path = entry if isinstance(entry, tuple) else (entry, None)
        if path is not None and not isinstance(path, str):
            raise TypeError(
                "Expected second item in tuple to be str of callable full path, but got: "
                f"{type(path)}"
            )
        _user_globals[path or _path(target)] = target


def get_safe_globals():
    """The classes and functions that were added."""
    return list(_user_globals.values())


def clear_safe_globals():
    """Forget what was added."""
    _user_globals.clear()


class safe_globals(contextlib.ContextDecorator):
    """Allow further classes and functions inside a `with` block."""

    def __init__(self, safe_globals):
        self._added = safe_globals

    def __enter__(self):
        self._before = dict(_user_globals)
        add_safe_globals(self._added)
        return self

    def __exit__(self, *exception):
        _user_globals.clear()
        _user_globals.update(self._before)


def _path(target):
    name = target.__qualname__
    return f"{names.to_torch(target.__module__, name)}.{name}"


def find_global(module, name):
    """The allowed object of that name. UnpicklingError otherwise; nothing is imported for it."""
    path = f"{module}.{name}"
    if path in _user_globals:
        return _user_globals[path]
    table = _allowed()
    if path in table:
        return table[path]
    if module.split(".")[0] in _BLOCKED_MODULES:
        raise UnpicklingError(
            f"Trying to load unsupported GLOBAL {path} whose module {module} is blocked."
        )
    if _UNSUPPORTED.fullmatch(path):
        raise NotImplementedError(f"the file holds {path}, which Lampas does not support")
    shown = name if module == "builtins" else path
    raise UnpicklingError(
        f"Unsupported global: GLOBAL {shown} was not an allowed global by default. Please use "
        f"`torch.serialization.add_safe_globals([{shown}])` or the "
        f"`torch.serialization.safe_globals([{shown}])` context manager to allowlist this global "
        "if you trust this class/function."
    )


def _allowed():
    if not _builtin_globals:
        _builtin_globals.update(_make_allowed())
    return _builtin_globals


def _make_allowed():
    from lampas._tensor import _rebuild_from_type_v2

    table = {
        "collections.OrderedDict": collections.OrderedDict,
        "collections.Counter": collections.Counter,
        "builtins.set": set,
        "builtins.complex": complex,
        "builtins.bytearray": bytearray,
        "_codecs.encode": _encode,
        "torch.Size": lampas.Size,
        "torch.Tensor": lampas.Tensor,
        "torch.device": lampas.device,
        "torch.nn.parameter.Parameter": lampas.nn.Parameter,
        "torch._tensor._rebuild_from_type_v2": _rebuild_from_type_v2,
        "torch.serialization._get_layout": _get_layout,
        "torch.storage.TypedStorage": TypedStorage,
        "torch.storage.UntypedStorage": lampas.UntypedStorage,
    }
    for name in arguments.REBUILD:
        table[f"torch._utils.{name}"] = getattr(_utils, name)
    for name in names.DTYPE_NAMES:
        table[f"torch.{name}"] = getattr(lampas, name)
    for name, cls in CLASSES.items():
        table[f"torch.{name}"] = table[f"torch.cuda.{name}"] = cls
        table[f"torch.storage.{name}"] = cls
        kind = name.replace("Storage", "Tensor")
        if hasattr(lampas, kind):
            table[f"torch.{kind}"] = getattr(lampas, kind)
    return table


def _encode(text, encoding):
    """How protocol 2 writes bytes."""
    if encoding != "latin1":
        raise UnpicklingError(f"bytes in encoding {encoding!r:.40} are not supported")
    return text.encode("latin1")


def _get_layout(name):
    """A layout from its printed name. Files name it as `torch.serialization._get_layout`."""
    known = ("torch.strided", "torch.sparse_coo", "torch.sparse_csr", "torch.sparse_csc")
    if name not in known:
        raise NotImplementedError(f"layout {name!s:.40} is not supported")
    return getattr(lampas, name.removeprefix("torch."))


_get_layout.__module__ = "lampas.serialization"


class Policy:
    """The rules for one file: they also count what its calls copy."""

    def __init__(self, size):
        # What a file makes by copying itself is in proportion to the file.
        self._budget = arguments.Budget(size)

    find_global = staticmethod(find_global)

    def call(self, function, args):
        """A call that a file asks for, where it is one of the allowed."""
        if _is_user(function):
            return function(*args)
        name = _CALLS.get(function) if _is_hashable(function) else None
        if name is None:
            raise UnpicklingError(
                f"Trying to call reduce for unrecognized function {arguments.shown(function)}"
            )
        getattr(arguments, name)(args, self._budget)
        if name == "typed":
            return self._of_type(*args)
        return function(*args)

    def _of_type(self, function, cls, args, state):
        """`_rebuild_from_type_v2`: a tensor of a subclass, or with attributes."""
        from lampas._tensor import _rebuild_from_type_v2

        known = cls in (lampas.Tensor, lampas.nn.Parameter) or _is_user(cls)
        if not known or not issubclass(cls, lampas.Tensor):
            raise UnpicklingError(
                f"a tensor of the type {arguments.shown(cls)} was asked for, which is not a known one"
            )
        if state is not None and not _is_user(cls):
            arguments.attributes(state)
        tensor = self.call(function, args)
        return _rebuild_from_type_v2(lambda: tensor, cls, (), state)

    def new(self, cls, args):
        """A new object that a file asks for, without its `__init__`, of an allowed class."""
        if _is_user(cls) and isinstance(cls, type):
            return cls.__new__(cls, *args)
        if not _is_hashable(cls) or cls not in _NEW:
            raise UnpicklingError(
                f"Trying to create new object for unrecognized class {arguments.shown(cls)}"
            )
        getattr(arguments, _NEW[cls])(args, self._budget)
        return cls(*args)

    def build(self, instance, state):
        """Set an object's state, where its class is allowed."""
        cls = type(instance)
        if isinstance(instance, collections.OrderedDict) and not _is_user(cls):
            arguments.attributes(state)
            instance.__dict__.update(state)
        elif cls is lampas.Tensor:
            instance.set_(*arguments.geometry(state))
        elif cls is lampas.nn.Parameter:
            instance.requires_grad_(arguments.variable_state(state))
        elif _is_user(cls):
            _build_user(instance, state)
        else:
            raise UnpicklingError(
                f"Can only build Tensor, Parameter, OrderedDict or types allowlisted "
                f"via `add_safe_globals`, but got {cls}"
            )


def _build_user(instance, state):
    """As pickle does: the class is one that the caller named."""
    if hasattr(instance, "__setstate__"):
        instance.__setstate__(state)
        return
    state, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if state:
        instance.__dict__.update(state)
    for name, value in (slots or {}).items():
        setattr(instance, name, value)


def _is_user(target):
    return any(target is entry for entry in _user_globals.values())


def _is_hashable(target):
    """Whether asking for it in a table is safe: data of a file may hash for ever."""
    return isinstance(target, type) or callable(target)


def _make_calls():
    """function -> the check of its arguments in `arguments`"""
    from lampas._tensor import _rebuild_from_type_v2

    calls = {
        collections.OrderedDict: "paired",
        collections.Counter: "keyed",
        set: "keyed",
        bytearray: "copied",
        complex: "numbers",
        _encode: "encoded",
        lampas.Size: "sized",
        lampas.device: "plain",
        _get_layout: "plain",
        _rebuild_from_type_v2: "typed",
    }
    for name, check in arguments.REBUILD.items():
        calls[getattr(_utils, name)] = check
    return calls


_CALLS = _make_calls()
# Classes that NEWOBJ may make, and the check of the arguments.
_NEW = {
    collections.OrderedDict: "none",
    collections.Counter: "none",
    set: "none",
    lampas.Tensor: "none",
    lampas.nn.Parameter: "data_of_parameter",
    lampas.Size: "sized",
}
