"""What a file may name and call when it is loaded with `weights_only=True`."""

import collections
import contextlib
from pickle import UnpicklingError

import lampas
from lampas import _utils
from lampas.serialization import names

_BLOCKED_MODULES = ("sys", "os", "posix", "nt")
_REBUILD = (
    "_rebuild_tensor",
    "_rebuild_tensor_v2",
    "_rebuild_tensor_v3",
    "_rebuild_meta_tensor_no_storage",
    "_rebuild_parameter",
    "_rebuild_parameter_with_state",
)

_user_globals = {}  # dotted name in a file -> object
_builtin_globals = {}


def add_safe_globals(safe_globals):
    """Allow further classes and functions: a list of them, or of pairs (object, dotted name)."""
    for entry in safe_globals:
        target, path = entry if isinstance(entry, tuple) else (entry, None)
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
    return f"{names.to_torch(target.__module__)}.{target.__qualname__}"


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
        "torch.serialization._get_layout": get_layout,
    }
    for name in _REBUILD:
        table[f"torch._utils.{name}"] = getattr(_utils, name)
    for name in names.DTYPE_NAMES:
        table[f"torch.{name}"] = getattr(lampas, name)
    for name, cls in names.STORAGE_CLASSES.items():
        table[f"torch.{name}"] = table[f"torch.cuda.{name}"] = cls
        table[f"torch.storage.{name}"] = cls
    return table


def _encode(text, encoding):
    """How protocol 2 writes bytes."""
    if encoding != "latin1":
        raise UnpicklingError(f"bytes in encoding {encoding!r} are not supported")
    return text.encode("latin1")


def get_layout(name):
    """A layout from its printed name."""
    if name != "torch.strided":
        raise NotImplementedError(f"layout {name} is not supported")
    return lampas.strided


def call(function, args):
    """A call that a file asks for, where it is one of the allowed."""
    if not _is_allowed(function):
        raise UnpicklingError(f"Trying to call reduce for unrecognized function {_shown(function)}")
    if function is bytearray and args and isinstance(args[0], int):
        raise UnpicklingError("bytearray of a length is not supported")
    return function(*args)


def new(cls, args):
    """A new object that a file asks for, without its `__init__`, where its class is allowed."""
    if not isinstance(cls, type) or not _is_allowed(cls):
        raise UnpicklingError(f"Trying to create new object for unrecognized class {_shown(cls)}")
    if cls is lampas.nn.Parameter:
        return lampas.nn.Parameter(*args)
    return cls.__new__(cls, *args)


def build(instance, state):
    """Set an object's state, where its class is allowed."""
    cls = type(instance)
    if isinstance(instance, collections.OrderedDict) and isinstance(state, dict):
        instance.__dict__.update(state)
        return
    if not any(cls is entry for entry in _user_globals.values()):
        raise UnpicklingError(
            f"Can only build Tensor, Parameter, OrderedDict or types allowlisted "
            f"via `add_safe_globals`, but got {cls}"
        )
    if hasattr(instance, "__setstate__"):
        instance.__setstate__(state)
        return
    state, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if state:
        instance.__dict__.update(state)
    for name, value in (slots or {}).items():
        setattr(instance, name, value)


def _is_allowed(target):
    tables = (_allowed().values(), _user_globals.values())
    return any(target is entry for table in tables for entry in table)


def _shown(target):
    return getattr(target, "__qualname__", None) or type(target).__name__
