"""`torch._foreach_*`: one operator over lists of tensors, as loops over the lists.

`_foreach_mul(tensors, others)` gives a tuple of results; `_foreach_mul_` writes in place and gives
the list. Other operands are a list of tensors or numbers, one each, or one number or tensor for all.
"""

import lampas
from lampas import _core
from lampas.ops.register import FUNCTIONS

_UNARY = (
    "abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 neg "
    "reciprocal round rsqrt sigmoid sign sin sinh sqrt tan tanh trunc"
).split()
_BINARY = "add sub mul div pow maximum minimum clamp_max clamp_min lerp copy".split()
_TERNARY = "addcmul addcdiv".split()


def _checked(name, tensors):
    if not isinstance(tensors, (list, tuple)):
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got "
            f"({type(tensors).__name__}), but expected a tuple of Tensors"
        )
    for i, tensor in enumerate(tensors):
        if not isinstance(tensor, _core.Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(tensor).__name__}"
            )
    if not tensors:
        raise RuntimeError("Tensor list must have at least one tensor.")
    return tensors


def _each(tensors, operand):
    """The operand of each tensor: the list's elements, or the one operand for all."""
    count = len(tensors)
    if not isinstance(operand, (list, tuple)):
        if isinstance(operand, _core.Tensor) and operand.dim() == 1:  # addcmul's values
            return operand.tolist()
        return [operand] * count
    if len(operand) == count:
        return operand
    if operand and not isinstance(operand[0], _core.Tensor):
        raise RuntimeError("Tensor list must have same number of elements as scalar list.")
    raise RuntimeError(
        f"Tensor lists must have the same number of tensors, got {count} and {len(operand)}"
    )


def _written(tensors, results):
    for tensor, result in zip(tensors, results):
        tensor.copy_(result)
    return list(tensors)


def _register(name, compute, in_place=True):
    """Makes `_foreach_<name>` and its in-place form of `compute(tensors, ...)`, which gives a list."""
    full = f"_foreach_{name}"

    def foreach(self, *args, **kwargs):
        return tuple(compute(_checked(full, self), *args, **kwargs))

    def foreach_(self, *args, **kwargs):
        return _written(self, compute(_checked(full + "_", self), *args, **kwargs))

    for function, label in ((foreach, full), (foreach_, full + "_"))[: 2 if in_place else 1]:
        function.__name__ = function.__qualname__ = label
        function.__doc__ = f"`{name}` of each tensor of a list."
        FUNCTIONS[label] = function


def _unary(name):
    operator = getattr(lampas, name)
    return lambda tensors: [operator(x) for x in tensors]


def _operator(name):
    if name in ("clamp_max", "maximum"):  # numbers are allowed, as in clamp
        return lambda x, y: lampas.clamp_min(x, y) if name == "maximum" else lampas.clamp_max(x, y)
    if name in ("clamp_min", "minimum"):
        return lambda x, y: lampas.clamp_max(x, y) if name == "minimum" else lampas.clamp_min(x, y)
    if name == "copy":
        return lambda x, y: y.to(x.dtype).expand(x.shape)
    return getattr(lampas, name)


def _binary(name):
    def compute(tensors, other=None, *, alpha=None, **named):
        # The second operand has several names: other, scalar, scalars, exponent, src, weight.
        for operand in named.values():
            other = operand
        operator = _operator(name)
        if alpha is not None and alpha != 1:
            return [operator(x, y, alpha=alpha) for x, y in zip(tensors, _each(tensors, other))]
        return [operator(x, y) for x, y in zip(tensors, _each(tensors, other))]

    return compute


def _ternary(name):
    def compute(tensors, tensor1, tensor2, value=None, *, scalars=None):
        values = scalars if scalars is not None else 1 if value is None else value
        rows = zip(
            tensors, _each(tensors, tensor1), _each(tensors, tensor2), _each(tensors, values)
        )
        return [getattr(lampas, name)(x, a, b, value=v) for x, a, b, v in rows]

    return compute


def _lerp(tensors, tensors1, weight):
    rows = zip(tensors, _each(tensors, tensors1), _each(tensors, weight))
    return [lampas.lerp(x, y, w) for x, y, w in rows]


def _pow(tensors, exponent):
    return [lampas.pow(x, y) for x, y in zip(tensors, _each(tensors, exponent))]


def _foreach_pow(self, exponent):
    """Each tensor to a power: a number, numbers, tensors; or a number to the powers in a list."""
    if isinstance(self, (int, float)):
        return tuple(lampas.pow(self, x) for x in _checked("_foreach_pow", exponent))
    return tuple(_pow(_checked("_foreach_pow", self), exponent))


def _norm(tensors, ord=2, dtype=None):
    return [lampas.linalg.vector_norm(x, ord, dtype=dtype) for x in tensors]


for _name in _UNARY:
    _register(_name, _unary(_name))
for _name in _BINARY:
    _register(_name, _binary(_name))
for _name in _TERNARY:
    _register(_name, _ternary(_name))
_register("lerp", _lerp)
_register("pow", _pow)
FUNCTIONS["_foreach_pow"] = _foreach_pow
_register("norm", _norm, in_place=False)
_register("max", lambda tensors: [x.max() for x in tensors], in_place=False)
_register("zero", lambda tensors: [lampas.zeros_like(x) for x in tensors])
_register("clone", lambda tensors: [x.clone() for x in tensors], in_place=False)
del FUNCTIONS["_foreach_zero"]
