"""Pointwise work on sparse tensors: functions that keep zero, sums, products with numbers and tensors."""

import lampas
from lampas import _core
from lampas.ops.one_node import pulled_back
from lampas.sparse import coordinates as at
from lampas.sparse.nodes import node, refuse_gradient
from lampas.sparse.tensor import (
    RULES,
    Compressed,
    Coo,
    Tensor,
    content,
    in_place,
    is_sparse,
    make,
    rule,
    unsupported,
)

_KEEP_ZERO = """sin sinh asin asinh tan tanh atan atanh sqrt abs floor ceil round trunc sign sgn log1p expm1
    erf erfinv relu square deg2rad rad2deg signbit isnan isinf isposinf isneginf frac angle pow""".split()


def _whole(c):
    return at.coalesced(c) if isinstance(c, Coo) else c


def _by_values(name, function):
    """A function of values as an operator on the coalesced tensor."""

    def gradient(g, args, _):
        x, *rest = args
        c = _whole(content(x))
        g = at.values_at(g, c if isinstance(c, Coo) else at.as_coo(c))
        values = c.values.detach().requires_grad_()
        (found,) = pulled_back(lambda v: (function(v, *rest),), [values], [g])
        return [make(c.with_values(found))]

    def value(x, *rest):
        c = _whole(content(x))
        return make(c.with_values(function(c.values, *rest)))

    return node(f"{name.capitalize()}Backward0", value, gradient)


def _add_unary(name):
    run = _by_values(name, getattr(Tensor, name))

    def operator(self, *args, **kwargs):
        if kwargs.pop("out", None) is not None or kwargs:
            raise NotImplementedError(f"{name}: options and out= on sparse tensors")
        if any(isinstance(a, Tensor) for a in args):
            raise unsupported(name, [self, *args])
        return run(self, *args)

    def write(self, *args, **kwargs):
        c = content(self)
        if isinstance(c, Coo) and not c.coalesced:
            raise RuntimeError(f"{name}_ requires coalesced input")
        return in_place(f"{name}_", self, lambda: operator(self, *args, **kwargs))

    rule(name)(operator)
    rule(f"{name}_")(write)


for _name in _KEEP_ZERO:
    _add_unary(_name)
RULES["absolute"], RULES["arcsin"], RULES["arctan"] = RULES["abs"], RULES["asin"], RULES["atan"]
_neg = node(
    "NegBackward0",
    lambda x: make(content(x).with_values(-content(x).values)),
    lambda g, args, _: [-g],
)
rule("neg", "negative")(lambda self: _neg(self))
rule("positive", "real.get", "conj", "resolve_conj", "resolve_neg")(lambda self: self)


@rule("pow", "__pow__")
def power(self, exponent):
    """Powers of the elements; the exponent is a number above zero, since zeros stay zeros."""
    if isinstance(exponent, Tensor) or not is_sparse(self):
        raise unsupported("pow", [self, exponent])
    if isinstance(exponent, complex) or exponent <= 0:
        raise NotImplementedError("pow of a sparse tensor with an exponent that is not positive")
    return _power(self, exponent)


_power = _by_values("pow", Tensor.pow)


# ---- by numbers ----


def _scale(name, operator, back):
    def value(x, factor):
        c = content(x)
        return make(c.with_values(operator(c.values, factor)))

    return node(name, value, lambda g, args, _: [back(g, args[1])])


_times = _scale("MulBackward0", lambda v, k: v * k, lambda g, k: g * k)
_over = _scale("DivBackward0", lambda v, k: v / k, lambda g, k: g / k)
_floored = _by_values("floor_divide", lambda v, k: v // k)


def _number(x):
    """The number that x is, also as a dense 0-d tensor without gradient; None for others."""
    if isinstance(x, Tensor):
        if is_sparse(x) or x.dim() or x.requires_grad:
            return None
        return x
    return x


def _divisor(self, other, name):
    if not is_sparse(self):
        raise unsupported("reciprocal" if name == "div" else name, [self, other])
    factor = _number(other)
    if factor is None:
        raise RuntimeError(
            "Sparse division requires a scalar or zero-dim dense tensor divisor "
            f"(got shape {list(other.shape)} for divisor)"
        )
    return factor


@rule("div", "true_divide", "divide", "__truediv__")
def divide(self, other, *, rounding_mode=None, out=None):
    """Division by a number."""
    if rounding_mode is not None or out is not None:
        raise NotImplementedError("div of sparse tensors with rounding_mode or out")
    return _over(self, _divisor(self, other, "div"))


@rule("floor_divide", "__floordiv__")
def floor_divide(self, other):
    return _floored(self, _divisor(self, other, "floor_divide"))


@rule("__rtruediv__")
def divided(self, other):
    raise unsupported("reciprocal", [self])


# ---- products of tensors ----


def _product(a, b):
    """The elements of two sparse tensors, or of one and a dense one, at the coordinates of the first
    (of the second where both are sparse and the second is as given)."""
    if is_sparse(a) and is_sparse(b):
        first, second = (at.as_coo(content(x)) for x in (a, b))
        place = second if not second.coalesced or first.coalesced else first
        other = a if place is second else b
        return make(place.with_values(place.values * at.values_at(other, place)))
    sparse, other = (a, b) if is_sparse(a) else (b, a)
    c = content(sparse)
    where = c if isinstance(c, Coo) else _in_lines(c)
    return make(c.with_values(c.values * at.values_at(other.expand(c.size), where)))


def _in_lines(c):
    from lampas.sparse.conversion import _in_lines as in_lines

    return in_lines(c)


def _product_gradient(g, args, _):
    a, b = args
    return [_fit(multiply(g, b), a), _fit(multiply(g, a), b)]


def _fit(g, x):
    return g.to(x.dtype)


_mul = node("MulBackward0", _product, _product_gradient)


@rule("mul", "multiply", "__mul__", "__rmul__")
def multiply(self, other, *, out=None):
    """The product with a number, a dense or a sparse tensor of the same size."""
    if out is not None:
        raise NotImplementedError("mul of sparse tensors with out=")
    if not is_sparse(self):
        self, other = (other, self) if _number(self) is not None else (self, other)
    if is_sparse(self) and _number(other) is not None:
        return _times(self, _number(other))
    sparse, dense = (self, other) if is_sparse(self) else (other, self)
    fits = self.shape == other.shape or (
        not is_sparse(dense) and lampas.broadcast_shapes(self.shape, other.shape) == sparse.shape
    )
    if not fits:
        raise RuntimeError(
            f"mul operands have incompatible sizes {list(self.shape)} and {list(other.shape)}"
        )
    if self.shape != other.shape:
        refuse_gradient("mul of a sparse and a broadcast tensor", self, other)
    return _mul(self, other)


# ---- sums ----


def _joined(a, b, alpha):
    first, second = at.as_coo(content(a)), at.as_coo(content(b))
    kind = lampas.result_type(first.values, second.values)
    if first.sparse_dim != second.sparse_dim:
        raise RuntimeError(
            "add: expected 'self' and 'other' to have same number of sparse dimensions, but 'self' has "
            f"{first.sparse_dim} sparse dimensions while 'other' has {second.sparse_dim}"
        )
    if first.coalesced and second.coalesced:
        sizes = at.sparse_sizes(first)
        keys = lampas.cat([at.keys(first.indices, sizes), at.keys(second.indices, sizes)])
        values = lampas.cat([first.values.to(kind), second.values.to(kind) * alpha])
        return make(at.summed(keys, values, sizes, first.size))
    indices = lampas.cat([first.indices, second.indices], 1)
    values = lampas.cat([first.values.to(kind), second.values.to(kind) * alpha])
    return make(Coo(indices, values, first.size))


def _sum_value(a, b, alpha):
    if not is_sparse(a):  # dense + sparse
        c = at.as_coo(content(b))
        return a + alpha * at.dense(c).to(b.dtype)
    made = _joined(a, b, alpha)
    if isinstance(content(a), Compressed):
        from lampas.sparse.conversion import compressed_from

        return make(compressed_from(content(made), content(a).layout))
    return made


def _sum_gradient(g, args, _):
    a, b, alpha = args
    return [g.to(a.dtype), (g if alpha == 1 else g * alpha).to(b.dtype)]


_add = node("AddBackward0", _sum_value, _sum_gradient)
_sub = node("SubBackward0", _sum_value, _sum_gradient)


def _sum(record, self, other, alpha):
    if is_sparse(self) and not is_sparse(other):
        raise RuntimeError("add(sparse, dense) is not supported. Use add(dense, sparse) instead.")
    shape = self.shape if isinstance(self, Tensor) else ()
    if tuple(shape) != tuple(other.shape):
        note = (
            ""
            if is_sparse(self)
            else " (FYI: dense-sparse addition does not currently support broadcasting)"
        )
        raise RuntimeError(
            f"add: expected 'self' and 'other' to have same size, but self has size {list(shape)} "
            f"while other has size {list(other.shape)}{note}"
        )
    if is_sparse(self) and content(self).layout is not content(other).layout:
        raise unsupported("add", [self, other])
    return record(self, other, alpha)


@rule("add", "__add__")
def add(self, other, *, alpha=1, out=None):
    """sparse + sparse (their entries side by side) or dense + sparse."""
    if out is not None:
        raise NotImplementedError("add of sparse tensors with out=")
    return _sum(_add, self, other, alpha)


RULES["__radd__"] = lambda self, other: add(other, self)


@rule("sub", "subtract", "__sub__")
def subtract(self, other, *, alpha=1, out=None):
    """sparse - sparse or dense - sparse."""
    if out is not None:
        raise NotImplementedError("sub of sparse tensors with out=")
    return _sum(_sub, self, other, -alpha)


@rule("__rsub__")
def subtract_from(self, other):
    return subtract(other, self)


# ---- in place, copies, types ----


@rule("zero_")
def zero_(self):
    from lampas.sparse.construction import like

    return in_place("zero_", self, lambda: like(self))


def _plain_copy(x):
    c = content(x)
    if isinstance(c, Coo):
        return make(Coo(c.indices.clone(), c.values.clone(), c.size, c.coalesced))
    return make(Compressed(c.layout, c.outer.clone(), c.inner.clone(), c.values.clone(), c.size))


_clone = node("CloneBackward0", _plain_copy, lambda g, args, _: [g])


@rule("clone")
def clone(self, *, memory_format=None):
    return _clone(self)


@rule("detach", "data.get", "detach_copy")
def detach(self):
    return make(content(self))


@rule("detach_")
def detach_(self):
    if self.is_leaf:
        return self.requires_grad_(False)
    raise NotImplementedError("detach_: a sparse tensor that was computed")


@rule("copy_")
def copy_(self, src, non_blocking=False):
    """Takes over the elements of another sparse tensor."""
    if not (is_sparse(self) and is_sparse(src)) or content(self).layout is not content(src).layout:
        raise RuntimeError("copy_() between dense and sparse Tensors is not implemented! "
                           f"Found self type = {self.type()} and src type = {src.type()}")  # fmt: skip
    return in_place("copy_", self, lambda: _plain_copy(src.to(self.dtype)))


_cast = node(
    "ToCopyBackward0",
    lambda x, dtype: make(content(x).with_values(content(x).values.to(dtype))),
    lambda g, args, _: [g.to(args[0].dtype)],
)


@rule("to")
def to(self, *args, copy=False, **options):
    """The tensor in another type; the device is the CPU."""
    probe = lampas.empty(0, dtype=self.dtype)
    args = [content(a).values if is_sparse(a) else a for a in args]
    options.pop("memory_format", None)
    target = probe.to(*args, **options)
    if target.device.type != "cpu":
        raise NotImplementedError(f"sparse tensors on {target.device}")
    if target.dtype == self.dtype:
        return clone(self) if copy else self
    return _cast(self, target.dtype)


def _add_casts():
    names = {
        "double": "float64", "float": "float32", "half": "float16", "bfloat16": "bfloat16",
        "long": "int64", "int": "int32", "short": "int16", "char": "int8", "byte": "uint8",
        "bool": "bool", "cfloat": "complex64", "cdouble": "complex128",
    }  # fmt: skip
    for name, dtype in names.items():
        rule(name)(lambda self, dtype=getattr(_core, dtype), **_: to(self, dtype))


_add_casts()
rule("cpu")(lambda self, **_: self)


@rule("type")
def type_(self, dtype=None, non_blocking=False):
    if dtype is not None:
        return to(self, dtype)
    return content(self).values.type().replace("torch.", "torch.sparse.")


@rule("type_as")
def type_as(self, other):
    return to(self, other.dtype)


@rule("tensor")
def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """torch.tensor of a sparse tensor: a copy."""
    made = clone(detach(data))
    return (made if dtype is None else to(made, dtype)).requires_grad_(requires_grad)


def accumulated(a, b):
    """a + b for gradients that meet: the sparse one is added to the dense one."""
    if is_sparse(a) and not is_sparse(b):
        a, b = b, a
    return add(a, b)
