"""What a function can reach besides its arguments' tensors: the places that a recording guards.

A recording repeats the calls that a function made, not its Python code. So everything that the code
may read (variables around it, globals it names, attributes of the objects found there, modules and
their parameters) is listed here as places for the core to compare before each replay
(core/python/guards.cc). What cannot be compared raises `Unrecordable`.
"""

import builtins
import enum
import functools
import sys
import types

import lampas
from lampas import _core

__all__ = ["Environment", "Unrecordable"]

_MOST_PLACES = 20000
_FACTS = (type(None), bool, int, float, complex, str, bytes, range, slice, type(...), enum.Enum)
_EFFECTS = {"print", "input", "open", "exec", "eval", "breakpoint", "next", "globals", "setattr"}
_CALLABLES = (types.BuiltinFunctionType, types.WrapperDescriptorType, types.MethodDescriptorType,
              types.GetSetDescriptorType, types.MemberDescriptorType)  # fmt: skip
_OPTIMIZER_TABLES = {"param_groups", "defaults", "state"}


class Unrecordable(Exception):
    """Why a function cannot be recorded."""


class Environment:
    """The places and tensors reachable from a function and its arguments.

    places: (container,), (dict, key) or (object, None, name) for each, as `_core.Compiled.begin`
        takes them.
    tensors: the addresses of the tensors found there.
    """

    def __init__(self, function, args=(), kwargs=None):
        self.places = []
        self.tensors = set()
        self._seen = {}  # id -> object, kept so that no id is used twice
        self._names = set()
        self._queue = [function, *_global_state()]
        self._arguments((*args, *(kwargs or {}).values()))
        while self._queue:
            self._visit(self._queue.pop())
            if len(self.places) > _MOST_PLACES:
                raise Unrecordable("it can reach too many objects to guard")

    def _arguments(self, o):
        """Objects among the arguments; their tensors, and how they are nested, the core compares."""
        if type(o) in (tuple, list):
            for each in o:
                self._arguments(each)
        elif type(o) is dict:
            self._arguments(tuple(o.values()))
        elif not isinstance(o, lampas.Tensor):
            self._queue.append(o)

    def _visit(self, o):
        if isinstance(o, _FACTS) or id(o) in self._seen:
            return
        self._seen[id(o)] = o
        if isinstance(o, lampas.Tensor):
            self.tensors.add(_core._address(o))
            if getattr(o, "__dict__", None):
                self._place(o.__dict__, o.__dict__.values())
        elif isinstance(o, (tuple, frozenset)):
            self._queue.extend(o)
        elif isinstance(o, dict):
            self._place(o, o.values())
            self._queue.extend(key for key in o if not isinstance(key, _FACTS))
        elif isinstance(o, (list, set)):
            self._place(o, o)
        elif isinstance(o, types.FunctionType):
            self._function(o)
        elif isinstance(o, types.MethodWrapperType):  # the `__call__` of a module
            self._queue.append(o.__self__)
        elif isinstance(o, types.MethodType):
            self._queue += [o.__self__, o.__func__]
        elif isinstance(o, types.CellType):
            try:
                self._place(o, [o.cell_contents])
            except ValueError:  # empty as yet
                self._place(o, [])
        elif isinstance(o, functools.partial):
            self._queue += [o.func, o.args, o.keywords]
        elif isinstance(o, type):
            self._class(o)
        elif isinstance(o, (types.ModuleType, *_CALLABLES, type(lampas.add))):
            pass
        elif isinstance(o, (property, staticmethod, classmethod, functools.cached_property)):
            self._queue += [getattr(o, part, None) for part in ("fget", "__func__", "func")]
        else:
            self._instance(o)

    def _place(self, container, contents):
        self.places.append((container,))
        self._queue.extend(contents)

    def _function(self, function):
        if _is_ours(function):
            own = function.__globals__.get("__name__", "")
            if own.startswith(("lampas.optim", "lampas.compiler", "lampas.graph")):
                return
            self._queue.extend(cell for cell in function.__closure__ or ())
            return
        self._queue.extend(function.__closure__ or ())
        self._queue += [function.__defaults__, function.__kwdefaults__]
        self._queue.append(getattr(function, "__wrapped__", None))
        self._code(function.__code__, function.__globals__)

    def _code(self, code, variables):
        self._names.update(code.co_names)
        for name in code.co_names:
            if name in variables:
                value = variables[name]
                self.places.append((variables, name))
                if isinstance(value, types.ModuleType):
                    self._members(value, code.co_names)
                else:
                    self._queue.append(value)
            elif name in _EFFECTS and hasattr(builtins, name):
                raise Unrecordable(f"it calls {name}()")
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant, variables)

    def _members(self, module, names):
        """Variables of a module of the user's that the code may name."""
        if _is_library(module):
            return
        own = vars(module)
        for name in names:
            if name in own:
                self.places.append((own, name))
                if isinstance(own[name], types.ModuleType):
                    continue
                self._queue.append(own[name])

    def _class(self, kind):
        if kind.__module__ == "builtins" or _is_library(sys.modules.get(kind.__module__)):
            return
        for name, value in vars(kind).items():
            if name.startswith("__") and not isinstance(value, types.FunctionType):
                continue
            if isinstance(value, (types.GetSetDescriptorType, types.MemberDescriptorType)):
                continue
            if isinstance(value, (property, staticmethod, classmethod)):
                self._queue.append(value)
                continue
            self.places.append((kind, None, name))
            self._queue.append(value)
        self._queue.extend(kind.__mro__[1:])

    def _instance(self, o):
        from lampas.compiler.compilation import Compilation

        kind = type(o)
        if isinstance(o, Compilation):
            self._queue.append(o.function)
            return
        if isinstance(o, lampas.optim.Optimizer):
            if self._names & _OPTIMIZER_TABLES:
                self._place(o.__dict__, o.__dict__.values())
            return  # its steps are replayed as calls of its own
        if isinstance(o, lampas.Generator):
            return
        if hasattr(kind, "__next__"):
            raise Unrecordable(f"it can reach an iterator ({kind.__name__})")
        if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
            raise Unrecordable("it can reach a NumPy array")
        self._class(kind)
        own = getattr(o, "__dict__", None)
        if isinstance(own, dict):
            self._place(own, own.values())
        for base in kind.__mro__:
            slots = base.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if name not in ("__dict__", "__weakref__"):
                    self.places.append((o, None, name))
                    self._queue.append(getattr(o, name, None))


def _is_ours(function):
    return function.__globals__.get("__name__", "").split(".")[0] == "lampas"


@functools.cache
def _is_library(module):
    """Whether a module is installed or Python's own: its variables are taken to be constant."""
    if module is None:
        return True
    top = module.__name__.split(".")[0]
    if top in sys.stdlib_module_names and top != "__main__":
        return True
    place = getattr(module, "__file__", None) or ""
    return top == "lampas" or "site-packages" in place or "dist-packages" in place


def _global_state():
    """What every call looks at: default devices, and hooks that run around every module."""
    from lampas.nn.modules import _hooks
    from lampas.ops import creation

    return [creation._default_devices] + [
        each
        for each in vars(_hooks).values()
        if isinstance(each, dict) and not each.keys() & {"__name__"}
    ]
