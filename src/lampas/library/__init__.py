"""`torch.library`: operators of a program's own, called as functions or as `torch.ops.<space>.<name>`.

A custom operator is Python: it runs as it is written, with the gradient that
`register_autograd` gives it. Calls are checked against the schema (`schemas`); there are no dispatch
keys but "the kernel".
"""

import contextlib
import functools

import lampas
from lampas import unavailable
from lampas.library.schemas import Schema, infer_schema

__all__ = [
    "CustomOpDef", "Library", "custom_op", "define", "impl", "infer_schema", "register_autograd", "register_fake",
    "register_kernel",
]  # fmt: skip
_operators = {}  # "space::name" -> CustomOpDef
globals().update(
    unavailable.names(
        "torch.library",
        "opcheck register_vmap register_torch_dispatch register_autocast triton_op wrap_triton "
        "get_ctx get_kernel fallthrough_kernel",
    )
)


class CustomOpDef:
    """An operator: a kernel, and what was registered for it."""

    def __init__(self, qualname, kernel=None, schema=None):
        space, _, self._name = qualname.partition("::")
        if not space or not self._name:
            raise ValueError(
                f'Expected `qualname` to be of the form "namespace::name", but got {qualname}. The '
                "qualname passed to the torch.library APIs must consist of a namespace and a name, "
                "e.g. aten::sin"
            )
        self._qualname, self._kernel = qualname, kernel
        self._schema = None if schema is None else Schema(qualname, schema)
        self._fake = self._backward = self._setup_context = self._special = None
        self._off = set()
        _operators[qualname] = self

    def name(self):
        """`space::name`."""
        return self._qualname

    @property
    def _opoverload(self):
        return self

    @contextlib.contextmanager
    def set_kernel_enabled(self, device_type, enabled=True):
        """Context: with enabled=False, what `register_kernel` set for the device is not used."""
        before, self._off = (
            self._off,
            self._off - {device_type} if enabled else self._off | {device_type},
        )
        try:
            yield
        finally:
            self._off = before

    @property
    def default(self):
        """The operator's only overload: itself."""
        return self

    def overloads(self):
        """The names of its overloads."""
        return ["default"]

    def register_fake(self, fn):
        """Keeps a function that gives results without values; meta tensors are sent to it."""
        self._fake = fn
        return fn

    def register_kernel(self, device_types=None, func=None):
        """Sets the kernel, for any device; the one that was given first stays behind it."""
        if func is None:
            return functools.partial(self.register_kernel, device_types)
        if self._kernel is None:
            self._kernel = func
        else:
            self._special = func
        return func

    def register_autograd(self, backward, /, *, setup_context=None):
        """Sets the gradient: `backward(ctx, *grads)`; `setup_context(ctx, inputs, output)` saves."""
        self._backward, self._setup_context = backward, setup_context

    def _run(self, *args, **kwargs):
        tensors = [x for x in args if isinstance(x, lampas.Tensor)]
        if self._fake is not None and any(x.is_meta for x in tensors):
            return self._fake(*args, **kwargs)
        if self._kernel is None:
            raise NotImplementedError(
                f"Could not run '{self._qualname}' with arguments from the 'CPU' backend: no kernel is "
                "registered for it"
            )
        if self._special is not None and "cpu" not in self._off:
            return self._special(*args, **kwargs)
        return self._kernel(*args, **kwargs)

    def __call__(self, *args, **kwargs):
        if self._schema is not None:
            args, kwargs = self._schema.checked(args, kwargs)
        if self._backward is None:
            return self._run(*args, **kwargs)
        return _with_gradient(self, kwargs).apply(*args)

    def __repr__(self):
        return f"<CustomOpDef({self._qualname})>"


def _with_gradient(operator, kwargs):
    """The operator as an autograd.Function of its positional arguments."""
    keep = operator._setup_context or (lambda ctx, inputs, output: None)

    class Custom(lampas.autograd.Function):
        @staticmethod
        def forward(ctx, *args):
            output = operator._run(*args, **kwargs)
            options = {"keyword_only_inputs": kwargs} if kwargs else {}
            keep(ctx, args, output, **options)
            return output

        @staticmethod
        def backward(ctx, *grads):
            return operator._backward(ctx, *grads)

    Custom.__name__ = operator._name
    return Custom


def custom_op(name, fn=None, /, *, mutates_args, device_types=None, schema=None, tags=None):
    """Makes a function the operator `name` ("space::name"); also a decorator.

    mutates_args: names of the arguments that it writes. The schema is made from the annotations where
    it is not given: ValueError for what cannot be written (`infer_schema`).
    """
    if fn is None:
        return lambda function: custom_op(name, function, mutates_args=mutates_args, schema=schema)
    if schema is None:
        schema = infer_schema(fn, mutates_args=mutates_args)
    return functools.wraps(fn)(CustomOpDef(name, fn, schema))


def operator(qualname):
    """The operator of that name; RuntimeError for one that is not defined."""
    found = _operators.get(qualname)
    if found is None:
        raise RuntimeError(f"operator {qualname} does not exist")
    return found


def _of(op):
    """The operator that an argument `op` means: its name, itself, or `torch.ops.space.name`."""
    if isinstance(op, CustomOpDef):
        return op
    return operator(op if isinstance(op, str) else op._qualname)


def define(qualname, schema=None, *, lib=None, tags=()):
    """Declares an operator; `impl` gives its kernel."""
    if schema is None:  # the name and the schema in one text, as Library.define takes it
        qualname, _, rest = qualname.partition("(")
        schema = "(" + rest
    _declare(qualname.strip(), schema)


def _declare(qualname, schema):
    before = _operators.get(qualname)
    if before is not None:
        raise RuntimeError(
            f"Tried to register an operator ({Schema(qualname, schema)}) with the same name and overload "
            "name multiple times. Each overload's schema should only be registered with a single call "
            "to def()."
        )
    CustomOpDef(qualname, schema=schema)


def impl(qualname, types, func=None, *, lib=None):
    """Sets the kernel of an operator; also a decorator."""
    if func is None:
        return functools.partial(impl, qualname, types)
    if types != "Meta" and types != "meta":
        _of(qualname).register_kernel(types, func)
    else:
        _of(qualname).register_fake(func)
    return func


def register_fake(op, func=None, /, *, lib=None, **options):
    """As CustomOpDef.register_fake; also a decorator."""
    if func is None:
        return functools.partial(register_fake, op)
    return _of(op).register_fake(func)


impl_abstract = register_fake


def register_kernel(op, device_types, func=None, /, *, lib=None):
    """As CustomOpDef.register_kernel; also a decorator."""
    return _of(op).register_kernel(device_types, func)


def register_autograd(op, backward, /, *, setup_context=None, lib=None):
    """As CustomOpDef.register_autograd."""
    _of(op).register_autograd(backward, setup_context=setup_context)


class Library:
    """Operators of one namespace: `Library("space", "DEF")`, then `define` and `impl`."""

    def __init__(self, ns, kind, dispatch_key=""):
        if kind not in ("DEF", "IMPL", "FRAGMENT"):
            raise ValueError(f"Unsupported kind: {kind}")
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key

    def define(self, schema, alias_analysis="", *, tags=()):
        """Declares `name(Tensor x, ...) -> Tensor`; returns the name."""
        name = schema.partition("(")[0].strip()
        _declare(f"{self.ns}::{name}", schema[len(name) :])
        return name

    def impl(self, op_name, fn, dispatch_key="", *, with_keyset=False, allow_override=False):
        """Sets the kernel of an operator of this namespace (or its meta function)."""
        name = op_name if isinstance(op_name, str) else op_name._qualname
        qualname = name if "::" in name else f"{self.ns}::{name}"
        key = dispatch_key or self.dispatch_key
        if key.startswith("Autograd"):
            raise NotImplementedError(
                f"torch.library.Library.impl for {key}: use register_autograd"
            )
        impl(qualname.partition(".")[0], key, fn)

    def _destroy(self):
        for qualname in [name for name in _operators if name.startswith(f"{self.ns}::")]:
            del _operators[qualname]
