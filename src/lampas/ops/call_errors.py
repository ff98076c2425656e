"""What is wrong with a call of a composite, in the words of PyTorch's argument parser.

Composites take what they are given and fail where it does not fit. Only then is the call looked at: a
successful one pays nothing.
"""

from lampas import _core

Tensor = _core.Tensor

# Parameters of composites that are tensors whatever the operator.
_TENSORS = frozenset(
    "self input other A B L LU LU_data LU_pivots LD pivots tau x y b vec2 input2 input3 tensor a mat "
    "boundaries sorted_sequence weight".split()
)


def positional(function):
    """Names of the parameters that may be given by place."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


def takes_tensors(function, bound=False):
    """Whether a call can go wrong in the ways that are explained here."""
    return not _TENSORS.isdisjoint(positional(function)[bound:])


def type_name(value):
    """A type's name as C code sees it: types of extension modules with their module."""
    kind = type(value)
    written_in_c = not kind.__flags__ & 1 << 9
    if written_in_c and kind.__module__ not in ("builtins", "lampas", "lampas._core"):
        return f"{kind.__module__}.{kind.__name__}"
    return "Tensor" if isinstance(value, Tensor) else kind.__name__


def explained(function, name, args, kwargs, bound=False):
    """A TypeError for the first missing or misplaced argument, None when none is. bound: args[0] is self."""
    names = positional(function)
    required = len(names) - len(function.__defaults__ or ())
    missing = [key for key in names[len(args) : required] if key not in kwargs]
    if missing:
        listed = ", ".join(f'"{key}"' for key in missing)
        plural = "s" if len(missing) == 1 else ""  # so PyTorch counts
        return TypeError(
            f"{name}() missing {len(missing)} required positional argument{plural}: {listed}"
        )
    for place, key in enumerate(names):
        if key not in _TENSORS or place >= len(args) and key not in kwargs:
            continue
        value = args[place] if place < len(args) else kwargs[key]
        if isinstance(value, Tensor) or value is None and place >= required:
            continue
        where = f" (position {place + 1 - bound})" if place < len(args) else ""
        return TypeError(
            f"{name}(): argument '{key}'{where} must be Tensor, not {type_name(value)}"
        )
    return None
