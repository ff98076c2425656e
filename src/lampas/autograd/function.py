"""autograd.Function: operators whose backward the user writes in Python."""

import functools
import warnings

from lampas import _core
from lampas.autograd.grad_mode import no_grad

Tensor = _core.Tensor


class FunctionCtx(_core.FunctionContext):
    """What forward leaves for backward: saved tensors, flags and any attributes the user sets."""

    _to_save = ()
    _dirty = ()
    _fixed = ()
    materialize_grads = True
    needs_input_grad = ()

    def save_for_backward(self, *tensors):
        """Keeps tensors (inputs or outputs) for `ctx.saved_tensors` in backward."""
        self._to_save = tensors

    def save_for_forward(self, *tensors):
        """Keeps tensors for forward-mode differentiation."""
        self._saved_for_forward = tensors

    def mark_dirty(self, *tensors):
        """Says which inputs forward has changed in place."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors):
        """Says which outputs have no gradient."""
        self._fixed = tensors

    def set_materialize_grads(self, value):
        """False: gradients that did not arrive come as None instead of zeros."""
        self.materialize_grads = value

    @property
    def saved_variables(self):
        return self.saved_tensors


class Function:
    """Base class of user-defined operators. See `apply`."""

    generate_vmap_rule = False

    def __init__(self, *args, **kwargs):
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you "
            "should invoke them on the class itself. Instantiating an autograd function will raise an error in "
            "a future version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args, **kwargs):
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style "
            "autograd function with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    node_name = ""  # what `grad_fn.name()` says; by default the class's name and "Backward"

    @staticmethod
    def forward(*args, **kwargs):
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx, *grads):
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it "
            "with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx, *grads):
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @classmethod
    def apply(cls, *args, **kwargs):
        """Runs forward without recording, then records one node whose backward is `cls.backward`."""
        if _core._transforms():
            from lampas.func import levels

            return levels.call_marked(
                cls.apply, lambda *a, **k: applied(cls, a, k)[1], args, kwargs
            )
        return applied(cls, args, kwargs)[1]


def applied(cls, args, kwargs):
    """(ctx, result) of `cls.apply(*args, **kwargs)`."""
    ctx = FunctionCtx()
    ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
    recording = _core.is_grad_enabled() and any(ctx.needs_input_grad)
    split = cls.setup_context is not Function.setup_context
    with no_grad():
        if split:
            output = cls.forward(*args, **kwargs)
            cls.setup_context(ctx, args, output)
        else:
            output = cls.forward(ctx, *args, **kwargs)
    for tensor in ctx._dirty:
        if not any(tensor is a for a in args):
            raise RuntimeError("mark_dirty only accepts input tensors")
    if not recording:
        return ctx, _detached(output, args, ctx._dirty)
    several = isinstance(output, (tuple, list))
    outputs = tuple(output) if several else (output,)
    backward = cls.backward if cls.backward is not Function.backward else cls.vjp
    made = _core._record_function(
        cls.node_name or cls.__name__ + "Backward",
        ctx,
        functools.partial(backward, ctx),
        args,
        outputs,
        tuple(ctx._to_save),
        tuple(ctx._dirty),
        tuple(ctx._fixed),
        ctx.materialize_grads,
    )
    return ctx, (type(output)(made) if type(output) is list else made) if several else made[0]


def _detached(output, args, dirty):
    """Outputs of an unrecorded call: an input that is returned unchanged comes back as a new tensor."""

    def fresh(value):
        returned = isinstance(value, Tensor) and any(value is a for a in args)
        return value.detach() if returned and not any(value is d for d in dirty) else value

    return tuple(map(fresh, output)) if isinstance(output, tuple) else fresh(output)


def once_differentiable(backward):
    """Decorator for `backward`: it is not recorded, so its result cannot be differentiated again."""

    @functools.wraps(backward)
    def once(ctx, *grads):
        with no_grad():
            results = backward(ctx, *grads)
        wanted = _core.is_grad_enabled() and any(
            isinstance(g, Tensor) and g.requires_grad for g in grads
        )
        if not wanted:
            return results
        several = isinstance(results, tuple)
        tensors = results if several else (results,)
        made = tuple(_Once.apply(t, *grads) if isinstance(t, Tensor) else t for t in tensors)
        return made if several else made[0]

    return once


class _Once(Function):
    @staticmethod
    def forward(ctx, result, *grads):
        return result.clone()

    @staticmethod
    def backward(ctx, *grads):
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )


class NestedIOFunction(Function):
    """Not offered: functions of nested inputs."""

    @classmethod
    def apply(cls, *args, **kwargs):
        raise NotImplementedError("autograd.function.NestedIOFunction")


class InplaceFunction(Function):
    """A Function with an `inplace` flag."""

    def __init__(self, inplace=False):
        self.inplace = inplace
