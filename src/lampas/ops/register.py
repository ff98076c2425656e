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
    shown = _with_out(plain, spoken) if out else _explaining(plain, spoken)
    table = NAMESPACES.setdefault(namespace, {}) if namespace else FUNCTIONS
    for name in (plain.__name__, *aliases):
        if public:
            table[name] = shown
        if method:
            setattr(_core.Tensor, name, _explaining(plain, spoken, bound=True))
        if inplace:
            writing = _in_place(plain, name)
            setattr(_core.Tensor, name + "_", writing)
            if public:
                table[name + "_"] = writing
    return shown


def _with_out(function, spoken):
    @functools.wraps(function)
    def with_out(*args, out=None, **kwargs):
        try:
            result = function(*args, **kwargs)
        except (AttributeError, TypeError):
            better = explained(function, spoken, args, kwargs)
            if better is None:
                raise
            raise better from None
        if out is None:
            return result
        written = _core._write_out(function.__name__, out, result)
        kind = type(result)
        return written if not isinstance(result, tuple) or kind is tuple else kind(written)

    return with_out


def _explaining(function, spoken, bound=False):
    if not takes_tensors(function, bound):
        return function

    @functools.wraps(function)
    def explaining(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except (AttributeError, TypeError):
            better = explained(function, spoken, args, kwargs, bound)
            if better is None:
                raise
            raise better from None

    return explaining


def _in_place(function, name):
    @functools.wraps(function)
    def writing(self, *args, **kwargs):
        _core._check_write(self)
        return _core._assign(name + "_", self, function(self, *args, **kwargs))

    writing.__name__ = writing.__qualname__ = name + "_"
    return writing
