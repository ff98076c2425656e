"""Names of types in `torch.jit`, and the question whether a value has such a type."""

import typing
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union  # noqa: F401, UP035


class Attribute(NamedTuple):
    """A value of a module with the type that a compiler is to give it."""

    value: Any
    type: Any


def is_of_type(value, target):
    """Whether `value` is of the type `target`: a class, a tuple of types, or List[...] and its like."""
    if isinstance(target, tuple):
        return any(is_of_type(value, one) for one in target)
    if target is Any:
        return True
    container, parts = typing.get_origin(target), typing.get_args(target)
    if container is None:
        return isinstance(value, target if target is not None else type(None))
    if container is Union or type(target).__name__ == "UnionType":
        return any(is_of_type(value, one) for one in parts)
    if not isinstance(value, container):
        return False
    if not parts:
        return True
    if container is dict:
        return all(is_of_type(k, parts[0]) and is_of_type(v, parts[1]) for k, v in value.items())
    if container is tuple and parts[-1:] != (Ellipsis,):
        return len(value) == len(parts) and all(map(is_of_type, value, parts))
    return all(is_of_type(one, parts[0]) for one in value)


class _Broadcasting:
    """`BroadcastingList2[int]`: a number, or a list of so many."""

    def __class_getitem__(cls, kind):
        return Union[kind, List[kind]]  # noqa: UP006


for _n in range(1, 7):
    globals()[f"BroadcastingList{_n}"] = type(f"BroadcastingList{_n}", (_Broadcasting,), {})
