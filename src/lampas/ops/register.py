"""How a composite operator reaches users: one decorator makes its function, method, in-place and out= forms."""

import functools

from lampas import _core
from lampas.ops.call_errors import explained, takes_tensors

FUNCTIONS = {}  # name -> function, for the namespace `lampas`
NAMESPACES = {}  # "linalg" -> {name: function}, ...


def composite(
    function=None, *, public=True, method=False, inplace=False, out=False, aliases=(), namespace=""
):
    """Registers a Python function as an operator.

    public: it becomes `lampas.<name>` (or `lampas.<namespace>.<name>`).
    method: it becomes `Tensor.<name>`.
    inplace: `Tensor.<name>_` (and, when public, `lampas.<name>_`) writes the result into the tensor.
    out: the public function takes `out=`, a tensor or a tuple of tensors to write into.
    aliases: further names with the same forms.
    """
    if function is None:
        return functools.partial(
            composite,
            public=public,
            method=method,
            inplace=inplace,
            out=out,
            aliases=aliases,
            namespace=namespace,
        )
    plain = function
    spoken = f"{namespace}_{plain.__name__}" if namespace else plain.__name__
    place = f"lampas.{namespace}" if namespace else "lampas"
    shown = _operator(_with_out(plain) if out else plain, place, spoken)
    table = NAMESPACES.setdefault(namespace, {}) if namespace else FUNCTIONS
    for name in (plain.__name__, *aliases):
        if public:
            table[name] = shown
        if method:
            setattr(_core.Tensor, name, _operator(plain, place, spoken, bound=True))
        if inplace:
            writing = _core._python_operator(_in_place(plain, name), place)
            setattr(_core.Tensor, name + "_", writing)
            if public:
                table[name + "_"] = writing
    return shown


def _operator(function, place, spoken, bound=False):
    """The callable that users meet, which tells a wrong call in PyTorch's words."""
    plain = getattr(function, "__wrapped__", function)
    if not takes_tensors(plain, bound):
        return _core._python_operator(function, place)

    def explain(args, kwargs):
        return explained(plain, spoken, args, kwargs, bound)

    return _core._python_operator(function, place, explain)


def _with_out(function):
    @functools.wraps(function)
    def with_out(*args, out=None, **kwargs):
        result = function(*args, **kwargs)
        if out is None:
            return result
        if _core._transforms() and _core._carries((args, out)):
            return out.copy_(result)
        written = _core._write_out(function.__name__, out, result)
        kind = type(result)
        return written if not isinstance(result, tuple) or kind is tuple else kind(written)

    return with_out


def _in_place(function, name):
    @functools.wraps(function)
    def writing(self, *args, **kwargs):
        if _core._transforms() and _core._carries((self, args)):
            return self.copy_(function(self, *args, **kwargs))
        _core._check_write(self)
        recorded = _core.is_grad_enabled() and any(
            isinstance(x, _core.Tensor) and x.requires_grad for x in (self, *args)
        )
        old = _core._before_write(self) if recorded else self
        return _core._assign(name + "_", self, function(old, *args, **kwargs))

    writing.__name__ = writing.__qualname__ = name + "_"
    return writing
