"""NumPy arrays in pickles of strangers, such as the batches of CIFAR, without running them."""

import codecs
import math
from pickle import UnpicklingError

import lampas
from lampas.serialization import allowed
from lampas.serialization.unpickler import WeightsUnpickler

_KINDS = {"u1": "uint8", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64"}
_KINDS.update({"f4": "float32", "f8": "float64"})


class _Dtype:
    """What a pickle says of `numpy.dtype`."""

    def __init__(self, kind, *_):
        if kind not in _KINDS:
            raise UnpicklingError(f"arrays of {kind!r} are not supported")
        self.kind = kind

    def __setstate__(self, state):
        if state[1] not in ("|", "<", "="):
            raise UnpicklingError("arrays in big-endian order are not supported")


class _Array:
    """What a pickle says of `numpy.ndarray`; `tensor` is its value."""

    def __init__(self, *_):
        self.tensor = None

    def __setstate__(self, state):
        _, shape, dtype, fortran, data = state
        data = data.encode("latin1") if isinstance(data, str) else data
        if fortran or len(data) != math.prod(shape) * int(dtype.kind[1:]):
            raise UnpicklingError("malformed array")
        flat = lampas.frombuffer(bytearray(data), dtype=getattr(lampas, _KINDS[dtype.kind]))
        self.tensor = flat.view(shape)


_GLOBALS = {
    "numpy.dtype": _Dtype,
    "numpy.ndarray": _Array,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,
    "_codecs.encode": codecs.encode,
}


class _ArrayPolicy(allowed.Policy):
    """Besides the usual globals those of arrays; calls and states of nothing else."""

    @staticmethod
    def find_global(module, name):
        path = f"{module}.{name}"
        return _GLOBALS[path] if path in _GLOBALS else allowed.find_global(module, name)

    @staticmethod
    def call(function, args):
        if not any(function is entry for entry in _GLOBALS.values()):
            raise UnpicklingError("a call that is not of an array")
        if function is codecs.encode and args[1:] != ("latin1",):
            raise UnpicklingError("malformed bytes")
        return function(*args)

    @staticmethod
    def new(cls, args):
        raise UnpicklingError("an object that is not an array")

    @staticmethod
    def build(instance, state):
        if not isinstance(instance, (_Array, _Dtype)):
            raise UnpicklingError("a state that is not an array's")
        instance.__setstate__(state)


def load_numpy_pickle(path):
    """The object in the file at `path`, with tensors for arrays."""
    with open(path, "rb") as file:
        data = file.read()
    machine = WeightsUnpickler(data, None, encoding="latin1", policy=_ArrayPolicy)
    return _tensors(machine.load())


def _tensors(value):
    if isinstance(value, _Array):
        return value.tensor
    if isinstance(value, dict):
        return {key: _tensors(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tensors(item) for item in value]
    return value
