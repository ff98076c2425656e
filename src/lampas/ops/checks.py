"""Assertions that programs make about numbers and tensors, and arithmetic that PyTorch's tracers see.

Here nothing is traced: `sym_int` and its like are Python's own arithmetic.
"""

import builtins
import math
import warnings

import lampas
from lampas import _core
from lampas.ops.register import composite

_UNTOLD = (
    "Expected cond to be True, but got False. (Could this error message be improved? If so, please "
    "report an enhancement request to PyTorch.)"
)


def _fail(error, message):
    if message is None:
        raise error(_UNTOLD)
    if not callable(message):
        raise TypeError("message must be a callable")
    raise error(str(message()))


@composite
def _check_with(error_type, cond, message=None):
    """Raises `error_type(message())` unless `cond`, a bool, holds."""
    if not isinstance(cond, bool):
        if isinstance(cond, _core.Tensor):
            raise TypeError(
                "cond must be a bool, but got a Tensor. For tensor conditions, use "
                "torch._check_tensor_all() to assert that all elements are true."
            )
        raise TypeError(f"cond must be a bool, but got {type(cond)}")
    if not cond:
        _fail(error_type, message)


def _checking(name, error):
    def check(cond, message=None):
        _check_with(error, cond, message)

    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"Raises {error.__name__} with `message()` unless `cond`, a bool, holds."
    composite(check)


for _name, _error in (
    ("_check", RuntimeError),
    ("_check_value", ValueError),
    ("_check_index", IndexError),
    ("_check_type", TypeError),
    ("_check_not_implemented", NotImplementedError),
):
    _checking(_name, _error)


@composite
def _check_is_size(i, message=None, *, max=None):
    """Raises RuntimeError unless 0 <= i (<= max)."""
    warnings.warn(
        "_check_is_size will be removed in a future PyTorch release along with "
        "guard_size_oblivious.     Use _check(i >= 0) instead.",
        FutureWarning,
        stacklevel=2,
    )
    _check_with(RuntimeError, i >= 0, message)
    if max is not None:
        _check_with(RuntimeError, i <= max, message)


@composite
def _check_tensor_all_with(error_type, cond, message=None):
    """Raises `error_type(message())` unless all elements of a bool tensor hold."""
    if not isinstance(cond, _core.Tensor):
        raise TypeError(f"cond must be a tensor, but got {type(cond)}")
    if cond.dtype != _core.bool:
        raise TypeError(f"cond tensor must have dtype torch.bool, but got {cond.dtype}")
    _check_with(error_type, bool(cond.all()), message)


@composite
def _check_tensor_all(cond, message=None):
    """Raises RuntimeError with `message()` unless all elements of a bool tensor hold."""
    _check_tensor_all_with(RuntimeError, cond, message)


@composite
def _assert(condition, message):
    """Python's assert, as a function."""
    if not condition:
        raise AssertionError(message)


@composite
def _assert_async(input, assert_msg=None):
    """Raises RuntimeError unless the tensor's single value is nonzero."""
    if not bool(input):
        raise RuntimeError(assert_msg or "Expected Tensor with single nonzero value, but got zero")


@composite
def _shape_as_tensor(self):
    """The tensor's sizes, as a tensor of int64."""
    return lampas.tensor(tuple(self.shape), dtype=_core.int64)


@composite
def sym_int(a):
    """A number without its fraction."""
    return math.trunc(a)


@composite
def sym_float(a):
    """A number as float."""
    return float(a)


@composite
def sym_max(a, b):
    """The larger number; a float when either is one."""
    return _both(builtins.max, a, b)


@composite
def sym_min(a, b):
    """The smaller number; a float when either is one."""
    return _both(builtins.min, a, b)


def _both(choose, a, b):
    kind = float if isinstance(a, float) or isinstance(b, float) else type(a)
    return kind(choose(a, b))


@composite
def sym_not(a):
    """`not a`."""
    return not a


@composite
def sym_ite(b, t, f):
    """`t` where `b`, a bool, holds, else `f`, of the same type."""
    if not isinstance(b, bool):
        raise AssertionError(f"expected SymBool or bool, got {type(b)}")
    if type(t) is not type(f):
        raise AssertionError(f"type mismatch: {type(t)} vs {type(f)}")
    return t if b else f


@composite
def sym_sum(args):
    """The sum of a sequence of numbers."""
    return sum(args)


@composite
def sym_sqrt(a):
    """The square root of a number."""
    return math.sqrt(a)
