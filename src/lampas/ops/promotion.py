"""Which element type a result has: promotion of types, and of tensors with numbers."""

from lampas import _core
from lampas.ops.register import composite

Tensor = _core.Tensor

_ORDER = {
    "bool": 0, "uint8": 1, "int8": 2, "int16": 3, "int32": 4, "int64": 5,
    "float16": 6, "bfloat16": 6, "float32": 7, "float64": 8,
}  # fmt: skip
_WIDE_UNSIGNED = {"uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64"}
_LABELS = {
    "bool": "Bool", "uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long",
    "complex32": "ComplexHalf", "complex64": "ComplexFloat", "complex128": "ComplexDouble", **_WIDE_UNSIGNED,
}  # fmt: skip


def _name(dtype):
    return str(dtype).rpartition(".")[2]


def _kind(dtype):
    """0 bool, 1 whole, 2 floating point, 3 complex."""
    if dtype.is_complex:
        return 3
    return 2 if dtype.is_floating_point else 0 if dtype is _core.bool else 1


@composite
def promote_types(type1, type2):
    """The smallest type that holds both: the rules of arithmetic between tensors.

    Raises RuntimeError for uint16, uint32 and uint64 beside another whole type.
    """
    for place, given in enumerate((type1, type2), 1):
        if not isinstance(given, _core.dtype):
            raise TypeError(
                f"promote_types(): argument 'type{place}' (position {place}) must be torch.dtype, "
                f"not {type(given).__name__}"
            )
    if type1 is type2:
        return type1
    low, high = sorted((type1, type2), key=_kind)
    if high.is_complex and _name(low) not in _WIDE_UNSIGNED:
        value = low.to_real() if low.is_complex else low
        return promote_types(value, high.to_real()).to_complex()
    a, b = _name(low), _name(high)
    if high.is_floating_point and not low.is_floating_point:
        return high
    if a in _WIDE_UNSIGNED or b in _WIDE_UNSIGNED:
        raise RuntimeError(
            "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
            f"{_LABELS[_name(type1)]} and {_LABELS[_name(type2)]}"
        )
    if {a, b} == {"float16", "bfloat16"}:
        return _core.float32
    if {a, b} == {"uint8", "int8"}:
        return _core.int16
    return low if _ORDER[a] > _ORDER[b] else high


def _number_type(value):
    if isinstance(value, bool):
        return _core.bool
    if isinstance(value, int):
        return _core.int64
    default = _core.get_default_dtype()
    if isinstance(value, float):
        return default
    return default.to_complex()


@composite
def result_type(tensor1, tensor2):
    """The type of an arithmetic result of two operands, each a tensor or a number.

    Numbers count less than 0-d tensors, and those less than tensors with dimensions: they only
    decide when they are of a higher kind (bool, whole, floating point, complex).
    """
    best = None
    groups = [[], [], []]  # tensors with dimensions, 0-d tensors, numbers
    for operand in (tensor1, tensor2):
        if isinstance(operand, Tensor):
            groups[operand.dim() == 0].append(operand.dtype)
        else:
            groups[2].append(_number_type(operand))
    for group in groups:
        if group:
            own = promote_types(group[0], group[-1])
            best = own if best is None else _outranked(best, own)
    return best


def _outranked(best, other):
    """The type when operands of a lower rank, together `other`, join those of type `best`."""
    if _kind(other) <= _kind(best):
        return best
    if other.is_complex and best.is_floating_point:  # the precision stays
        return best.to_complex()
    return promote_types(best, other) if best is _core.bool else other


@composite
def can_cast(from_, to):
    """Whether arithmetic may write a result of the first type into the second: no kind is lost."""
    if _kind(from_) == 3 and _kind(to) != 3 or _kind(from_) == 2 and _kind(to) < 2:
        return False
    return not (_kind(from_) == 1 and _kind(to) == 0)
