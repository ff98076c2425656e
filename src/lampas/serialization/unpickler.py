"""Reading pickles. `WeightsUnpickler` is a small machine of our own for files from strangers: it
knows data, tensors and an allow-list, and runs nothing else. `Unpickler` is Python's, for files one
trusts; it finds our classes under PyTorch's names.
"""

import io
import pickle
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from pickle import UnpicklingError

from lampas.serialization import arguments, names
from lampas.serialization.allowed import Policy


class TruncatedPickle(UnpicklingError, EOFError):
    """The pickle ends too early: EOFError in PyTorch, UnpicklingError in Python."""


class _StorageFailure(Exception):
    """Carries an exception of reading or placing a storage past the check for malformed data."""


def global_path(module, name):
    """The modern spelling of a global that an old protocol wrote."""
    if (module, name) in NAME_MAPPING:
        return NAME_MAPPING[(module, name)]
    return IMPORT_MAPPING.get(module, module), name


class Unpickler(pickle.Unpickler):
    """Python's unpickler with our classes for PyTorch's names. It runs what the file says."""

    def __init__(self, file, persistent_load, **options):
        super().__init__(file, **options)
        self._load_storage = persistent_load

    def persistent_load(self, reference):
        return self._load_storage(reference)

    def find_class(self, module, name):
        module, name = global_path(module, name)
        if names.to_lampas(module) != module:
            return names.resolve(module, name)
        return super().find_class(module, name)


class WeightsUnpickler:
    """Runs one pickle in `data` from position `start` on; `position` is where it ended.

    UnpicklingError for every opcode, global or call outside the allow-list. Lengths are checked
    against the data before anything of that length is made.
    """

    def __init__(self, data, persistent_load, *, start=0, encoding="utf-8", policy=None):
        self.data = data
        self.position = start
        self.persistent_load = persistent_load
        self.encoding = encoding
        self.policy = policy or Policy(len(data))  # find_global, call, new, build
        self.stack = []
        self.marked = []  # the stacks below each MARK
        self.memo = {}

    def load(self):
        while True:
            op = self._read(1)
            if op == pickle.STOP:
                return self._pop()
            action = _ACTIONS.get(op)
            if action is None:
                raise UnpicklingError(f"Unsupported operand {op[0]}")
            action(self)

    # --- the input ---
    def _read(self, count):
        end = self.position + count
        if count < 0 or end > len(self.data):
            left = len(self.data) - self.position
            raise TruncatedPickle(
                f"pickle data was truncated: {count} bytes are needed, {left} are left"
            )
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def _uint(self, size):
        return int.from_bytes(self._read(size), "little")

    def _line(self):
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise TruncatedPickle("pickle data was truncated: a line without an end")
        line = self.data[self.position : end]
        self.position = end + 1
        return line

    # --- the stack ---
    def _pop(self):
        if not self.stack:
            raise UnpicklingError("unexpected MARK or empty stack in the pickle")
        return self.stack.pop()

    def _container(self, cls, action):
        if not self.stack:
            raise UnpicklingError("unexpected MARK or empty stack in the pickle")
        if not isinstance(self.stack[-1], cls):
            raise UnpicklingError(f"Can only {action}, but got {type(self.stack[-1])}")
        return self.stack[-1]

    def _list(self):
        return self._container(list, "append to lists")

    def _dict(self):
        kinds = "dict, collections.OrderedDict, collections.Counter"
        return self._container(dict, f"SETITEM for {kinds}")

    def _mark(self):
        self.marked.append(self.stack)
        self.stack = []

    def _since_mark(self):
        if not self.marked:
            raise UnpicklingError("could not find MARK")
        items, self.stack = self.stack, self.marked.pop()
        return items

    def _pop_or_mark(self):
        if self.stack:
            self.stack.pop()
        else:
            self._since_mark()

    def _push(self, value):
        self.stack.append(value)

    def _get(self, key):
        if key not in self.memo:
            raise UnpicklingError(f"Memo value not found at index {key}")
        self._push(self.memo[key])

    def _put(self, key):
        value = self._pop()
        self.memo[key] = value
        self._push(value)

    def _text(self, raw):
        return raw if self.encoding == "bytes" else raw.decode(self.encoding)

    # --- what a pickle may do ---
    def _proto(self):
        protocol = self._uint(1)
        if protocol > pickle.HIGHEST_PROTOCOL:
            raise UnpicklingError(f"unsupported pickle protocol: {protocol}")

    def _frame(self):
        if self._uint(8) > len(self.data) - self.position:
            raise TruncatedPickle("pickle data was truncated: a frame is larger than the file")

    def _global(self):
        module, name = self._line().decode("utf-8"), self._line().decode("utf-8")
        self._push(self.policy.find_global(*global_path(module, name)))

    def _stack_global(self):
        name, module = self._pop(), self._pop()
        if type(name) is not str or type(module) is not str:
            raise UnpicklingError("STACK_GLOBAL requires str")
        # The name may come from data; the error shows it.
        self._push(self.policy.find_global(*global_path(module[:500], name[:500])))

    def _reduce(self):
        args, function = self._pop(), self._pop()
        if type(args) is not tuple:
            raise UnpicklingError(
                f"the arguments of a call must be a tuple, but got {type(args).__name__}"
            )
        self._push(self.policy.call(function, args))

    def _newobj(self):
        args, cls = self._pop(), self._pop()
        if type(args) is not tuple:
            raise UnpicklingError(
                f"the arguments of a call must be a tuple, but got {type(args).__name__}"
            )
        self._push(self.policy.new(cls, args))

    def _newobj_ex(self):
        if self._pop():
            raise UnpicklingError("NEWOBJ_EX with keyword arguments is not supported")
        self._newobj()

    def _build(self):
        state = self._pop()
        self.policy.build(self._pop_keep(), state)

    def _pop_keep(self):
        value = self._pop()
        self._push(value)
        return value

    def _binpersid(self):
        reference = self._pop()
        try:
            self._push(self.persistent_load(reference))
        except UnpicklingError:
            raise
        except Exception as error:
            raise _StorageFailure from error

    def _append(self):
        value = self._pop()
        self._list().append(value)

    def _appends(self):
        items = self._since_mark()
        self._list().extend(items)

    def _set_items(self, target, items):
        if len(items) % 2:
            raise UnpicklingError("odd number of items for SETITEMS or DICT")
        for key, value in zip(items[::2], items[1::2]):
            arguments.hashable(key)
            target[key] = value

    def _setitem(self):
        value, key = self._pop(), self._pop()
        self._set_items(self._dict(), (key, value))

    def _setitems(self):
        items = self._since_mark()
        self._set_items(self._dict(), items)

    def _additems(self):
        items = self._set(set)
        self._container(set, "ADDITEMS to sets").update(items)

    def _set(self, cls):
        """The items since the mark as a set or frozenset."""
        items = self._since_mark()
        for item in items:
            arguments.hashable(item)
        return cls(items)

    def _new_dict(self):
        target = {}
        self._set_items(target, self._since_mark())
        self._push(target)

    def _tuple_of(self, count):
        items = [self._pop() for _ in range(count)]
        self._push(tuple(reversed(items)))

    def _memoize(self):
        self._put(len(self.memo))

    def _dup(self):
        self._push(self._pop_keep())

    def _long(self, size_bytes):
        size = self._uint(size_bytes)
        self._push(int.from_bytes(self._read(size), "little", signed=True))


def _sized(size_bytes, convert):
    """An opcode with a length, and so many bytes."""

    def action(machine):
        machine._push(convert(machine, machine._read(machine._uint(size_bytes))))

    return action


def _constant(make):
    return lambda machine: machine._push(make())


def _number(layout):
    code = struct.Struct(layout)
    return lambda machine: machine._push(code.unpack(machine._read(code.size))[0])


def _unicode(machine, raw):
    return raw.decode("utf-8", "surrogatepass")


_ACTIONS = {
    pickle.PROTO: WeightsUnpickler._proto,
    pickle.FRAME: WeightsUnpickler._frame,
    pickle.MARK: WeightsUnpickler._mark,
    pickle.POP: WeightsUnpickler._pop_or_mark,
    pickle.POP_MARK: lambda m: m._since_mark(),
    pickle.DUP: WeightsUnpickler._dup,
    pickle.NONE: _constant(lambda: None),
    pickle.NEWTRUE: _constant(lambda: True),
    pickle.NEWFALSE: _constant(lambda: False),
    pickle.BININT: _number("<i"),
    pickle.BININT1: _number("<B"),
    pickle.BININT2: _number("<H"),
    pickle.BINFLOAT: _number(">d"),
    pickle.LONG1: lambda m: m._long(1),
    pickle.LONG4: lambda m: m._long(4),
    pickle.BINUNICODE: _sized(4, _unicode),
    pickle.SHORT_BINUNICODE: _sized(1, _unicode),
    pickle.BINUNICODE8: _sized(8, _unicode),
    pickle.BINSTRING: _sized(4, lambda m, raw: m._text(raw)),
    pickle.SHORT_BINSTRING: _sized(1, lambda m, raw: m._text(raw)),
    pickle.BINBYTES: _sized(4, lambda m, raw: bytes(raw)),
    pickle.SHORT_BINBYTES: _sized(1, lambda m, raw: bytes(raw)),
    pickle.BINBYTES8: _sized(8, lambda m, raw: bytes(raw)),
    pickle.BYTEARRAY8: _sized(8, lambda m, raw: bytearray(raw)),
    pickle.EMPTY_DICT: _constant(dict),
    pickle.EMPTY_LIST: _constant(list),
    pickle.EMPTY_TUPLE: _constant(tuple),
    pickle.EMPTY_SET: _constant(set),
    pickle.DICT: WeightsUnpickler._new_dict,
    pickle.LIST: lambda m: m._push(m._since_mark()),
    pickle.TUPLE: lambda m: m._push(tuple(m._since_mark())),
    pickle.TUPLE1: lambda m: m._tuple_of(1),
    pickle.TUPLE2: lambda m: m._tuple_of(2),
    pickle.TUPLE3: lambda m: m._tuple_of(3),
    pickle.FROZENSET: lambda m: m._push(m._set(frozenset)),
    pickle.APPEND: WeightsUnpickler._append,
    pickle.APPENDS: WeightsUnpickler._appends,
    pickle.SETITEM: WeightsUnpickler._setitem,
    pickle.SETITEMS: WeightsUnpickler._setitems,
    pickle.ADDITEMS: WeightsUnpickler._additems,
    pickle.BINPUT: lambda m: m._put(m._uint(1)),
    pickle.LONG_BINPUT: lambda m: m._put(m._uint(4)),
    pickle.BINGET: lambda m: m._get(m._uint(1)),
    pickle.LONG_BINGET: lambda m: m._get(m._uint(4)),
    pickle.MEMOIZE: WeightsUnpickler._memoize,
    pickle.GLOBAL: WeightsUnpickler._global,
    pickle.STACK_GLOBAL: WeightsUnpickler._stack_global,
    pickle.REDUCE: WeightsUnpickler._reduce,
    pickle.NEWOBJ: WeightsUnpickler._newobj,
    pickle.NEWOBJ_EX: WeightsUnpickler._newobj_ex,
    pickle.BUILD: WeightsUnpickler._build,
    pickle.BINPERSID: WeightsUnpickler._binpersid,
}


def safe_load(data, persistent_load, **options):
    """One pickle's value and where it ended; UnpicklingError for anything malformed."""
    machine = WeightsUnpickler(data, persistent_load, **options)
    try:
        return machine.load(), machine.position
    except _StorageFailure as failure:
        raise failure.__cause__ from None
    except (UnpicklingError, NotImplementedError, RuntimeError, MemoryError):
        raise
    except Exception as error:
        raise UnpicklingError(f"{type(error).__name__}: {error!s:.500}") from error


def full_load(data, persistent_load, *, start=0, module=None, **options):
    """As `safe_load`, with Python's unpickler (or that of `module`)."""
    file = io.BytesIO(data)
    file.seek(start)
    if module is None:
        reader = Unpickler(file, persistent_load, **options)
    else:
        reader = _foreign(module)(file, **options)
        reader.persistent_load = persistent_load
    return reader.load(), file.tell()


def _foreign(module):
    """The given module's unpickler, with our classes for PyTorch's names."""

    class ForeignUnpickler(module.Unpickler):
        def find_class(self, path, name):
            if names.to_lampas(path) != path:
                return names.resolve(path, name)
            return super().find_class(path, name)

    return ForeignUnpickler
