"""`torch.ops.<space>.<name>`: operators by namespace. `aten` are Lampas's own, others are custom.

An overload such as `aten.mul.Tensor` is the function itself: arguments decide, not the overload.
"""

import lampas
from lampas import unavailable


class Operator:
    """A function of Lampas under its name in PyTorch's dispatcher."""

    def __init__(self, space, name, function):
        self._space, self._name, self._function = space, name, function
        self._qualname = f"{space}::{name}"
        self.__name__ = name

    def __call__(self, *args, **kwargs):
        return self._function(*args, **kwargs)

    def __getattr__(self, overload):
        if overload.startswith("_"):
            raise AttributeError(f"{self!r} has no attribute {overload!r}")
        made = Operator(self._space, self._name, self._function)
        made.__name__ = f"{self._name}.{overload}"
        self.__dict__[overload] = made
        return made

    def overloads(self):
        """The names of overloads: one stands for all."""
        return ["default"]

    def __repr__(self):
        return f"<OpOverload(op='{self._space}.{self.__name__}')>"


class Namespace:
    """`torch.ops.<space>`: operators as attributes, made when first asked for."""

    def __init__(self, name):
        self._space = name
        self.__name__ = f"torch.ops.{name}"

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(f"'{self.__name__}' has no attribute '{name}'")
        found = _aten(name) if self._space == "aten" else _custom(self._space, name)
        if found is None:
            raise AttributeError(f"'_OpNamespace' '{self._space}' object has no attribute '{name}'")
        if self._space == "aten":  # one object a name, so that tables by operator find it again
            self.__dict__[name] = found
        return found


def _custom(space, name):
    from lampas import library

    return library._operators.get(f"{space}::{name}")


# Operators that only PyTorch's dispatcher knows by these names.
_INTERNAL = {
    "_to_copy": lambda x, **options: x.to(**options, copy=True),
    "_unsafe_view": lambda x, size: x.reshape(size),
    "_reshape_alias": lambda x, size, stride: x.as_strided(size, stride),
    "_local_scalar_dense": lambda x: x.item(),
    "_is_all_true": lambda x: x.all(),
    "_is_any_true": lambda x: x.any(),
    "_assert_scalar": lambda value, message: lampas._check(bool(value), lambda: message),
    "alias": lambda x: x.view_as(x),
    "lift_fresh": lambda x: x,
    "sym_size": lambda x, dim=None: x.size() if dim is None else x.size(dim),
    "sym_stride": lambda x, dim=None: x.stride() if dim is None else x.stride(dim),
    "sym_numel": lambda x: x.numel(),
    "sym_storage_offset": lambda x: x.storage_offset(),
    "sym_constrain_range_for_size": lambda size, *, min=None, max=None: None,
    "slice": lambda x, dim=0, start=None, end=None, step=1: x[
        (slice(None),) * (dim % x.dim()) + (slice(start, end, step),)
    ],
}


def _aten(name):
    if name in _INTERNAL:
        return Operator("aten", name, _INTERNAL[name])
    for place in (lampas, lampas.nn.functional, lampas._core):
        function = getattr(place, name, None)
        if callable(function) and not isinstance(function, type):
            return Operator("aten", name, function)
    method = getattr(lampas.Tensor, name, None)
    if not callable(method):
        # PyTorch has more of them than can be listed; packages name many without ever calling them.
        method = unavailable.function(f"torch.ops.aten.{name}")
    return Operator("aten", name, method)
