"""The constructors of older scripts: `Tensor(2, 3)`, `FloatTensor([1, 2])`, `x.new(5)`.

They take a size, data, a tensor or a storage; which one is meant is found out from the arguments.
"""

import operator

import lampas
from lampas import _core
from lampas.ops.register import FUNCTIONS, composite

Tensor = _core.Tensor

_FORMS = {
    "": "(*, torch.device device = None)",
    "storage": "(torch.Storage storage)",
    "other": "(Tensor other)",
    "size": "(tuple of ints size, *, torch.device device = None)",
    "data": "(object data, *, torch.device device = None)",
}


def construct(args, kwargs, dtype, device="cpu", any_dtype=False):
    """A tensor of `dtype`: nothing gives an empty one, whole numbers or a Size are its shape.

    Other single arguments are data; a tensor comes back as an alias of itself, and must have the
    dtype unless `any_dtype`. Also by keyword: `data`, `other`, `size`, `storage`; and `device`,
    which has to be of the type's own kind. TypeError for other arguments.
    """
    kwargs = dict(kwargs)
    _check_device(kwargs.pop("device", None), device)
    if kwargs:
        (name, value), *more = kwargs.items()
        by_name = not args and not more and name in _FORMS and _suits(name, value)
        if not by_name:
            _refuse(args, kwargs)
        if name == "size":
            return lampas.empty(_sizes(tuple(value)), dtype=dtype, device=device)
        args = (value,)
    if not args:
        return lampas.empty(0, dtype=dtype, device=device)
    first = args[0]
    if len(args) == 1 and not _is_size(first):
        return _of_one(first, dtype, device, any_dtype)
    if len(args) > 1 and (isinstance(first, bool) or not _is_whole(first)):
        _refuse(args, kwargs)
    return lampas.empty(_sizes(args), dtype=dtype, device=device)


def _check_device(given, own):
    if given is None:
        return
    kind, own = lampas.device(given).type, lampas.device(own).type
    if kind != own:
        raise RuntimeError(
            f"legacy constructor expects device type: {own} but device type: {kind} was passed"
        )


def _suits(name, value):
    kinds = {"storage": _core.UntypedStorage, "other": Tensor, "size": (tuple, list, _core.Size)}
    return name == "data" or name in kinds and isinstance(value, kinds[name])


def _is_whole(value):
    if isinstance(value, bool) or isinstance(value, Tensor) and value.dim():
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def _is_size(value):
    return isinstance(value, _core.Size) or _is_whole(value) and not isinstance(value, Tensor)


def _sizes(args):
    if isinstance(args[0], _core.Size):
        return args[0]
    for position, value in enumerate(args, 1):
        # Behind the first, a bool is 0 or 1, as everywhere in Python.
        if not (_is_whole(value) or isinstance(value, bool)):
            raise TypeError(
                f"new(): argument 'size' failed to unpack the object at pos {position} with error "
                f'"type must be tuple of ints,but got {_name(value)}"'
            )
    return [operator.index(value) for value in args]


def _of_one(value, dtype, device, any_dtype):
    if isinstance(value, Tensor):
        if value.dtype is not dtype and not any_dtype:
            expected, got = (_options(*of) for of in ((dtype, device), (value.dtype, value.device)))
            raise TypeError(f"expected {expected} (got {got})")
        return value[...]
    if isinstance(value, _core.UntypedStorage):
        return lampas.empty(0, dtype=dtype, device=device).set_(value)
    if isinstance(value, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{_name(value)}'")
    is_array = hasattr(value, "__array_interface__") and not _is_numpy_number(value)
    if not is_array and not _is_sequence(value):
        raise TypeError(f"new(): data must be a sequence (got {_name(value)})")
    return _core._make_tensor(value, dtype).to(device)


def _is_numpy_number(value):
    # NumPy's own numbers answer as arrays do.
    return type(value).__module__ == "numpy" and type(value).__name__ != "ndarray"


def _is_sequence(value):
    return (
        hasattr(value, "__len__")
        and hasattr(value, "__getitem__")
        and not isinstance(value, (dict, set))
    )


def _name(value):
    """The type's name as PyTorch's messages spell it."""
    kind = type(value)
    if isinstance(value, (_core.Size, _core.dtype)):
        return f"torch.{kind.__name__}"
    return f"numpy.{kind.__name__}" if kind.__module__ == "numpy" else kind.__name__


_SCALARS = {
    "float32": "float",
    "float64": "double",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short int",
    "int32": "int",
    "int64": "long int",
    "bool": "bool",
    "complex32": "c10::complex<c10::Half>",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}


def _options(dtype, device):
    name = str(dtype).rpartition(".")[2]
    return (
        f"TensorOptions(dtype={_SCALARS.get(name, name)}, device={device}, layout=Strided, "
        "requires_grad=false (default), pinned_memory=false (default), memory_format=(nullopt))"
    )


def _detail(value):
    """A type as the list of forms names it: containers show what they hold."""
    name = _name(value)
    if isinstance(value, list):
        return f"{name} of [{', '.join(map(_name, value))}]"
    if isinstance(value, tuple):
        inside = ", ".join(map(_name, value)) + ("," if len(value) == 1 else "")
        return f"{name} of ({inside})"
    return name


def _refuse(args, kwargs):
    positional = ", ".join(map(_name, args))
    named = ", ".join(f"{name}={_name(value)}" for name, value in kwargs.items())
    got = f"{positional}, {named}" if args and named else positional or f"{named}, "
    # PyTorch explains the forms that take as many arguments as were given.
    explained = ("storage", "other") if len(args) + len(kwargs) == 1 else ("",)
    lines = []
    for parameter, form in _FORMS.items():
        lines.append(f" * {form}\n")
        if parameter in explained:
            lines.append(f"      didn't match because {_reason(parameter, args, kwargs)}\n")
    raise TypeError(
        f"new() received an invalid combination of arguments - got ({got}), but expected one of:\n"
        + "".join(lines)
    )


def _reason(parameter, args, kwargs):
    if kwargs and parameter not in kwargs:
        return f"some of the keywords were incorrect: {', '.join(kwargs)}"
    types = ", ".join(f"!{_detail(value)}!" for value in args)
    types += "".join(f"!{name}={_name(value)}!, " for name, value in kwargs.items())
    return f"some of the arguments have invalid types: ({types})"


def _new_tensor(cls, *args, **kwargs):
    """`Tensor(...)`: of the default type, but another tensor keeps its own."""
    made = construct(args, kwargs, _core.get_default_dtype(), any_dtype=True)
    return made if cls is Tensor else made.as_subclass(cls)


Tensor.__new__ = staticmethod(_new_tensor)


@composite(public=False, method=True)
def new(self, *args, **kwargs):
    """A tensor of this type: of a size given as ints, or of the data of a sequence or tensor."""
    return construct(args, kwargs, self.dtype, self.device)


def _typed(name, dtype):
    """torch.FloatTensor and friends: constructors that fix the element type."""

    class Meta(type):
        def __instancecheck__(cls, other):
            return isinstance(other, Tensor) and other.dtype is dtype

        def __getattr__(cls, attribute):
            # `FloatTensor.abs` is `Tensor.abs`.
            return getattr(Tensor, attribute)

    members = {
        "__new__": lambda cls, *args, **kwargs: construct(args, kwargs, dtype),
        "__module__": "torch",
        "dtype": dtype,
        "layout": _core.strided,
        "is_cuda": False,
        "is_sparse": False,
    }
    return Meta(name, (), members)


for _label, _dtype in (
    ("Float", "float32"),
    ("Double", "float64"),
    ("Half", "float16"),
    ("BFloat16", "bfloat16"),
    ("Byte", "uint8"),
    ("Char", "int8"),
    ("Short", "int16"),
    ("Int", "int32"),
    ("Long", "int64"),
    ("Bool", "bool"),
):
    _made = _typed(f"{_label}Tensor", getattr(_core, _dtype))
    FUNCTIONS[_made.__name__] = _made
