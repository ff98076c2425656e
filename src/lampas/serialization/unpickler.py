"""Reading pickles. `WeightsUnpickler` is a small machine of our own for files from strangers: it
knows data, tensors and an allow-list, and runs nothing else. `Unpickler` is Python's, for files one
trusts; it finds our classes under PyTorch's names.
"""

import io
import pickle
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from pickle import UnpicklingError

from lampas.serialization import allowed, names

_MARK = object()


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

    def __init__(self, data, persistent_load, *, start=0, encoding="utf-8", policy=allowed):
        self.data = bytes(data)
        self.position = start
        self.persistent_load = persistent_load
        self.encoding = encoding
        self.policy = policy  # find_global, call, new, build
        self.stack = []
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
            raise UnpicklingError("pickle data was truncated")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def _uint(self, size):
        return int.from_bytes(self._read(size), "little")

    def _line(self):
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise UnpicklingError("pickle data was truncated")
        line = self.data[self.position : end]
        self.position = end + 1
        return line

    # --- the stack ---
    def _pop(self):
        if not self.stack or self.stack[-1] is _MARK:
            raise UnpicklingError("unexpected MARK or empty stack in the pickle")
        return self.stack.pop()

    def _top(self, cls):
        if not self.stack or not isinstance(self.stack[-1], cls):
            raise UnpicklingError(f"the pickle needs a {cls.__name__} on its stack")
        return self.stack[-1]

    def _since_mark(self):
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is _MARK:
                items = self.stack[i + 1 :]
                del self.stack[i:]
                return items
        raise UnpicklingError("could not find MARK")

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
            raise UnpicklingError("pickle data was truncated")

    def _global(self):
        module, name = self._line().decode("utf-8"), self._line().decode("utf-8")
        self._push(self.policy.find_global(*global_path(module, name)))

    def _stack_global(self):
        name, module = self._pop(), self._pop()
        if type(name) is not str or type(module) is not str:
            raise UnpicklingError("STACK_GLOBAL requires str")
        self._push(self.policy.find_global(*global_path(module, name)))

    def _reduce(self):
        args, function = self._pop(), self._pop()
        if type(args) is not tuple:
            raise UnpicklingError("the arguments of a call must be a tuple")
        self._push(self.policy.call(function, args))

    def _newobj(self):
        args, cls = self._pop(), self._pop()
        self._push(self.policy.new(cls, args))

    def _newobj_ex(self):
        kwargs, args, cls = self._pop(), self._pop(), self._pop()
        if kwargs:
            raise UnpicklingError("NEWOBJ_EX with keyword arguments is not supported")
        self._push(self.policy.new(cls, args))

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
        self._top(list).append(value)

    def _appends(self):
        items = self._since_mark()
        self._top(list).extend(items)

    def _setitem(self):
        value, key = self._pop(), self._pop()
        self._top(dict)[key] = value

    def _setitems(self):
        items = self._since_mark()
        if len(items) % 2:
            raise UnpicklingError("odd number of items for SETITEMS")
        self._top(dict).update(zip(items[::2], items[1::2]))

    def _additems(self):
        items = self._since_mark()
        self._top(set).update(items)

    def _dict(self):
        items = self._since_mark()
        if len(items) % 2:
            raise UnpicklingError("odd number of items for DICT")
        self._push(dict(zip(items[::2], items[1::2])))

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
    pickle.MARK: lambda m: m._push(_MARK),
    pickle.POP: lambda m: m.stack.pop() if m.stack else m._pop(),
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
    pickle.DICT: WeightsUnpickler._dict,
    pickle.LIST: lambda m: m._push(m._since_mark()),
    pickle.TUPLE: lambda m: m._push(tuple(m._since_mark())),
    pickle.TUPLE1: lambda m: m._tuple_of(1),
    pickle.TUPLE2: lambda m: m._tuple_of(2),
    pickle.TUPLE3: lambda m: m._tuple_of(3),
    pickle.FROZENSET: lambda m: m._push(frozenset(m._since_mark())),
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
        raise UnpicklingError(f"{type(error).__name__}: {error}") from error


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
