"""Checks of what a file from a stranger hands to the calls that `allowed` admits.

Each raises UnpicklingError. Besides types they guard against two attacks with tiny files: values so
nested that hashing or printing them never ends (or overflows the C stack), and copying the same
data again and again.
"""

import collections
import math
from pickle import UnpicklingError

import lampas
from lampas.storage import TypedStorage

# Functions of `_utils` that files name, and the check of their arguments here.
REBUILD = {
    "_rebuild_tensor": "tensor",
    "_rebuild_tensor_v2": "tensor",
    "_rebuild_tensor_v3": "tensor",
    "_rebuild_meta_tensor_no_storage": "meta",
    "_rebuild_sparse_tensor": "sparse",
    "_rebuild_parameter": "parameter",
    "_rebuild_parameter_with_state": "parameter",
}
_ATOMS = (str, bytes, int, float, complex, bool, type(None))
_MAX_KEY_PARTS = 10_000


class Budget:
    """How much the calls of one file may copy: 16 times the file, at least a mebibyte."""

    def __init__(self, size):
        self._left = 16 * size + (1 << 20)

    def spend(self, amount):
        self._left -= amount
        if self._left < 0:
            raise UnpicklingError("the file makes far more data than it holds")


def shown(value, depth=1):
    """A short text for messages. Only of atoms, and one level of tuples: the full text of a hostile
    value may never end, and that of a huge int is refused by Python."""
    if isinstance(value, (str, bytes)):
        return repr(value[:100])
    if isinstance(value, int) and not -(1 << 64) < value < 1 << 64:
        return f"an int of {value.bit_length()} bits"
    if isinstance(value, _ATOMS):
        return repr(value)
    if depth and isinstance(value, (tuple, list)):
        return f"({', '.join(shown(part, depth - 1) for part in value[:8])})"
    return getattr(value, "__qualname__", None) or f"a {type(value).__name__}"


def hashable(key):
    """A key as dictionaries and sets may get it."""
    if isinstance(key, (int, complex)) and not isinstance(key, bool):
        # Such numbers can be chosen so that all have one hash, and each insertion asks all others.
        if isinstance(key, complex) or not -(1 << 64) < key < 1 << 64:
            raise UnpicklingError(f"{shown(key)} as a key of a dict or set")
    if isinstance(key, _ATOMS):
        return
    if not isinstance(key, (tuple, frozenset)):
        if type(key) in (list, dict, set, bytearray, collections.OrderedDict):
            raise UnpicklingError(f"unhashable type: {type(key).__name__!r}")
        return
    parts, waiting = 0, [key]
    while waiting:
        part = waiting.pop()
        parts += 1
        if parts + len(waiting) > _MAX_KEY_PARTS:
            raise UnpicklingError("a key of a dict or set is too large")
        if isinstance(part, (tuple, frozenset)):
            waiting.extend(part)


def attributes(state):
    """The attributes of an object: a dict with names as keys."""
    if not isinstance(state, dict) or not all(type(name) is str for name in state):
        raise UnpicklingError(f"a state must be a dict of names, but got {type(state).__name__}")
    if any(name.startswith("__") for name in state):
        raise UnpicklingError("a state sets names with two underscores")


def none(args, budget):
    if args:
        raise UnpicklingError("an object is made with arguments where it takes none")


def keyed(args, budget):
    """Of Counter and set: nothing, or one collection of keys."""
    for item in _collection(args, budget):
        hashable(item)


def paired(args, budget):
    """Of OrderedDict: nothing, a dict, or one collection of pairs."""
    items = _collection(args, budget)
    for item in () if isinstance(items, dict) else items:
        if not isinstance(item, (list, tuple)) or len(item) != 2:
            raise UnpicklingError("an OrderedDict is made of pairs")
        hashable(item[0])


def _collection(args, budget):
    _count(args, 0, 1)
    if not args:
        return ()
    if not isinstance(args[0], (list, tuple, set, frozenset, dict, str)):
        raise UnpicklingError(f"cannot make a collection of a {type(args[0]).__name__}")
    budget.spend(len(args[0]) * 8)
    return args[0]


def copied(args, budget):
    """Of bytearray: nothing, bytes, or a text and its encoding."""
    _count(args, 0, 2)
    if args and not isinstance(args[0], (bytes, bytearray, str)):
        raise UnpicklingError(f"cannot make a bytearray of a {type(args[0]).__name__}")
    if args[1:] and args[1] != "latin-1":
        raise UnpicklingError("a bytearray in an unknown encoding")
    budget.spend(sum(map(len, args)))


def encoded(args, budget):
    """Of bytes in protocol 2: a text and its encoding."""
    _count(args, 2, 2)
    if not all(isinstance(text, str) for text in args):
        raise UnpicklingError("encode() needs a text and an encoding")
    budget.spend(len(args[0]))


def numbers(args, budget):
    _count(args, 1, 2)
    if not all(type(number) in (int, float) for number in args):
        raise UnpicklingError("complex() needs numbers")


def sized(args, budget):
    """Of Size: nothing, or a sequence of ints."""
    _count(args, 0, 1)
    for size in args:
        _ints(size)
        budget.spend(len(size) * 8)


def plain(args, budget):
    """Of device and layout: texts and ints."""
    _count(args, 0, 2)
    if not all(isinstance(part, (str, int)) for part in args):
        raise UnpicklingError("a device or layout is a text")


def tensor(args, budget):
    """(storage, offset, size, stride, requires_grad, hooks, further ones). Bounds are the core's."""
    _count(args, 4, 8)
    storage, _, size, stride = args[:4]
    if not isinstance(storage, TypedStorage):
        raise UnpicklingError(f"a tensor stands on a storage, not on a {type(storage).__name__}")
    if type(args[1]) is not int:
        raise UnpicklingError(f"a tensor's offset is an int, not a {type(args[1]).__name__}")
    _ints(size)
    _ints(stride)
    for flag in args[4:5]:
        if type(flag) not in (bool, int):
            raise UnpicklingError("requires_grad is not a bool")
    _no_hooks(args[5:6])
    for extra in args[6:]:
        _dtype_or_metadata(extra, math.prod(size), storage)


def meta(args, budget):
    """(dtype, size, stride, requires_grad)"""
    _count(args, 4, 4)
    if not isinstance(args[0], lampas.dtype):
        raise UnpicklingError("a meta tensor without a dtype")
    _ints(args[1])
    _ints(args[2])


def sparse(args, budget):
    """(layout, (tensors..., size, for COO whether it is coalesced)). What they hold is checked in use."""
    _count(args, 2, 2)
    layout, parts = args
    if not isinstance(layout, lampas.layout) or type(parts) is not tuple:
        raise UnpicklingError("malformed sparse tensor")
    tensors = 2 if layout is lampas.sparse_coo else 3
    _count(parts, tensors + 1, tensors + 2)
    for part in parts[:tensors]:
        if type(part) is not lampas.Tensor or part.device.type != "cpu":
            raise UnpicklingError("a sparse tensor stands on tensors on the CPU")
    for index in parts[: tensors - 1]:
        if index.dtype not in (lampas.int64, lampas.int32):
            raise UnpicklingError("the indices of a sparse tensor are whole numbers")
    _ints(parts[tensors])
    if not all(type(flag) is bool for flag in parts[tensors + 1 :]):
        raise UnpicklingError("whether a sparse tensor is coalesced is a bool")


def parameter(args, budget):
    """(tensor, requires_grad, hooks, and for one with attributes their dict)"""
    _count(args, 3, 4)
    if not isinstance(args[0], lampas.Tensor):
        raise UnpicklingError(f"a parameter of a {type(args[0]).__name__} instead of a tensor")
    _no_hooks(args[2:3])
    for state in args[3:]:
        attributes(state)


def typed(args, budget):
    """(function, class, arguments, state)"""
    _count(args, 4, 4)
    if not isinstance(args[1], type) or type(args[2]) is not tuple:
        raise UnpicklingError("malformed tensor of a subclass")


def geometry(state):
    """The state of a plain tensor, as the oldest files set it."""
    if not isinstance(state, tuple) or len(state) != 4:
        raise UnpicklingError("the state of a tensor is (storage, offset, size, stride)")
    tensor(state, None)
    return state


def variable_state(state):
    """The state of a parameter in files of before 0.4: (requires_grad, volatile, hooks)."""
    if not isinstance(state, tuple) or len(state) != 3 or type(state[0]) is not bool:
        raise UnpicklingError("the state of a parameter is (requires_grad, volatile, hooks)")
    _no_hooks(state[2:])
    return state[0]


def data_of_parameter(args, budget):
    """Of Parameter: nothing, or its data and perhaps requires_grad."""
    _count(args, 0, 2)
    if not all(map(isinstance, args, (lampas.Tensor, bool))):
        raise UnpicklingError("a parameter of something else than a tensor")


def _count(args, least, most):
    if not least <= len(args) <= most:
        raise UnpicklingError(f"a call with {len(args)} arguments")


def _ints(values):
    if not isinstance(values, (tuple, list)) or not all(type(value) is int for value in values):
        raise UnpicklingError("a size or stride is not a tuple of ints")


def _no_hooks(hooks):
    """Hooks are functions, which never come from a file."""
    for hook in hooks:
        if hook is not None and (not isinstance(hook, dict) or hook):
            raise UnpicklingError("a tensor with backward hooks, which are not loaded")


def _dtype_or_metadata(extra, count, storage):
    if extra is lampas.bool and storage.dtype is not lampas.bool:
        raise UnpicklingError("a tensor of bools on a storage of something else")
    if isinstance(extra, lampas.dtype) or extra is None:
        return
    if not isinstance(extra, dict) or not set(map(type, extra)) <= {str}:
        raise UnpicklingError("malformed metadata of a tensor")
    # Undoing a conjugation copies all elements; an expanded tensor has more than its storage.
    if extra and count > storage.nbytes():
        raise UnpicklingError("a conjugated or negated tensor that is larger than its storage")
