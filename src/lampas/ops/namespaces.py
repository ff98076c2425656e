"""`torch.ops.<space>.<name>`: operators by namespace. `aten` are Lampas's own, others are custom.

An overload such as `aten.mul.Tensor` is the function itself: arguments decide, not the overload.
"""

import lampas


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
        return found


def _custom(space, name):
    from lampas import library

    return library._operators.get(f"{space}::{name}")


def _aten(name):
    for place in (lampas, lampas.nn.functional, lampas._core):
        function = getattr(place, name, None)
        if callable(function) and not isinstance(function, type):
            return Operator("aten", name, function)
    method = getattr(lampas.Tensor, name, None)
    return Operator("aten", name, method) if callable(method) else None
