"""Element types in the standard's words: kinds, promotion, casting, limits, and what is available."""

import types

import lampas
from lampas import _core

_FAMILIES = {  # kind -> bits -> dtype
    "bool": {8: _core.bool},
    "signed integer": {8: _core.int8, 16: _core.int16, 32: _core.int32, 64: _core.int64},
    "unsigned integer": {8: _core.uint8, 16: _core.uint16, 32: _core.uint32, 64: _core.uint64},
    "real floating": {32: _core.float32, 64: _core.float64},
    "complex floating": {64: _core.complex64, 128: _core.complex128},
}
_GROUPS = {
    "integral": ("signed integer", "unsigned integer"),
    "numeric": ("signed integer", "unsigned integer", "real floating", "complex floating"),
}
_PLACE = {dtype: (kind, bits) for kind, row in _FAMILIES.items() for bits, dtype in row.items()}
_PYTHON = {bool: "bool", int: "integral", float: "real floating", complex: "complex floating"}


def kind_of(dtype):
    """The standard's kind of a dtype. TypeError for one that the standard does not have."""
    try:
        return _PLACE[dtype][0]
    except KeyError:
        raise TypeError(f"{dtype} is not a dtype of the array API standard") from None


def isdtype(dtype, kind):
    """Whether a dtype is of a kind: a dtype, a name such as "integral", or a tuple of those."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if not isinstance(kind, str):
        return dtype == kind
    if kind not in _FAMILIES and kind not in _GROUPS:
        raise ValueError(f"Unrecognized data type kind: {kind!r}")
    return dtype in _PLACE and _PLACE[dtype][0] in _GROUPS.get(kind, (kind,))


def promote(a, b):
    """The dtype of two in one operation. TypeError where the standard has none."""
    if a == b:
        return a
    if a not in _PLACE or b not in _PLACE:  # half precision: as PyTorch does
        return lampas.promote_types(a, b)
    (kind, bits), (other, other_bits) = sorted((_PLACE[a], _PLACE[b]), key=_rank)
    if kind == other:
        return _FAMILIES[kind][max(bits, other_bits)]
    if {kind, other} == {"signed integer", "unsigned integer"}:
        signed, unsigned = (bits, other_bits) if kind == "signed integer" else (other_bits, bits)
        wanted = max(signed, 2 * unsigned)
        if wanted in _FAMILIES["signed integer"]:
            return _FAMILIES["signed integer"][wanted]
    if kind == "real floating" and other == "complex floating":
        return _FAMILIES[other][max(2 * bits, other_bits)]
    raise TypeError(f"{a} and {b} cannot be type promoted together")


def _rank(place):
    return list(_FAMILIES).index(place[0])


def result_type(*arrays_and_dtypes):
    """The dtype of an operation on arrays, dtypes and Python numbers; numbers only choose the kind."""
    strong = [getattr(x, "dtype", x) for x in arrays_and_dtypes if type(x) not in _PYTHON]
    if not strong:
        raise ValueError("at least one array or dtype is required")
    dtype = strong[0]
    for other in strong[1:]:
        dtype = promote(dtype, other)
    for x in arrays_and_dtypes:
        if type(x) in _PYTHON:
            dtype = _with_number(dtype, _PYTHON[type(x)])
    return dtype


def _with_number(dtype, kind):
    if isdtype(dtype, kind) or (
        kind != "bool" and not isdtype(dtype, "bool") and _fits(dtype, kind)
    ):
        return dtype
    if kind == "complex floating" and isdtype(dtype, "real floating"):
        return _FAMILIES[kind][2 * _PLACE[dtype][1]]
    raise TypeError(f"a Python number of kind {kind!r} cannot be combined with {dtype}")


def _fits(dtype, kind):
    """Whether a number of this kind leaves the dtype as it is."""
    return kind == "integral" or (kind == "real floating" and not isdtype(dtype, "integral"))


def can_cast(from_, to, /):
    """Whether promotion of the two gives the second."""
    try:
        return promote(getattr(from_, "dtype", from_), to) == to
    except TypeError:
        return False


def astype(x, dtype, /, *, copy=True, device=None):
    """The array with another dtype. A complex one becomes no real one: TypeError."""
    if x.is_complex() and not dtype.is_complex:
        raise TypeError("The array API standard does not allow casting complex to real")
    return x.to(dtype=dtype, device=device, copy=copy)


def common(*operands):
    """Arrays and Python numbers as arrays of one dtype on one device."""
    dtype = result_type(*operands)
    device = next(x.device for x in operands if isinstance(x, _core.Tensor))
    return [
        x.to(dtype) if isinstance(x, _core.Tensor) else lampas.tensor(x, dtype=dtype, device=device)
        for x in operands
    ]


def finfo(type, /):
    """Limits of a floating dtype, or of that of an array: bits, eps, max, min, smallest_normal, dtype."""
    dtype = getattr(type, "dtype", type)
    info = lampas.finfo(dtype)
    real = dtype if not dtype.is_complex else _FAMILIES["real floating"][dtype.itemsize * 4]
    return types.SimpleNamespace(
        bits=info.bits, eps=info.eps, max=info.max, min=info.min,
        smallest_normal=info.smallest_normal, dtype=real,
    )  # fmt: skip


def iinfo(type, /):
    """Limits of an integer dtype, or of that of an array: bits, max, min, dtype."""
    dtype = getattr(type, "dtype", type)
    info = lampas.iinfo(dtype)
    return types.SimpleNamespace(bits=info.bits, max=info.max, min=info.min, dtype=dtype)


class _Info:
    """What there is: capabilities, devices, dtypes."""

    def capabilities(self):
        """Boolean masks and shapes that depend on data are offered; at most 64 dimensions."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self):
        """Where arrays are made."""
        return lampas.get_default_device()

    def devices(self):
        """Every device."""
        return [_core.device("cpu"), _core.device("meta")]

    def default_dtypes(self, *, device=None):
        """By kind, the dtypes of arrays that are made without one."""
        real = lampas.get_default_dtype()
        return {
            "real floating": real,
            "complex floating": _FAMILIES["complex floating"][16 * real.itemsize],
            "integral": _core.int64,
            "indexing": _core.int64,
        }

    def dtypes(self, *, device=None, kind=None):
        """Name -> dtype, of one kind or of all."""
        kind = tuple(_FAMILIES) if kind is None else kind
        return {str(d).partition(".")[2]: d for d in _PLACE if isdtype(d, kind)}


def __array_namespace_info__():
    """An object that tells what there is."""
    return _Info()
