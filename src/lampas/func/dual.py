"""Forward-mode differentiation: a level that carries a tangent beside each tensor.

No operator needs a rule. One call y = f(xs) is recorded on aliases of xs; its backward, with cotangents u
that are symbols, is g(u) = J^T u; being linear in u, g has the derivative J, and pulling the tangents
through g by another backward gives J t. Views apply themselves to the tangent, so that writing to either
is seen by the other. The tangent of a gradient is the gradient of the tangent: for g = v dy/dx it is
v d(ty)/dx + tv dy/dx, since both orders of differentiation agree.
"""

import lampas
from lampas import _core
from lampas.autograd.function import Function, applied
from lampas.func import levels
from lampas.func.levels import Level, Notes, Tensor, mapped, name_of, tensors_of

# Linear in their first argument and sharing its memory (or choosing from it): they act on tangents.
VIEWS = frozenset(
    """view reshape view_as reshape_as expand expand_as broadcast_to permute transpose swapaxes swapdims t T mT
    H mH adjoint numpy_T movedim moveaxis squeeze unsqueeze flatten unflatten ravel select narrow slice
    __getitem__ unbind split split_with_sizes chunk tensor_split diagonal unfold as_strided real imag
    view_as_real view_as_complex contiguous alias""".split()
)
WRITTEN_VIEWS = frozenset(
    "unsqueeze_ squeeze_ t_ transpose_ swapaxes_ swapdims_ as_strided_".split()
)
# The tangent plays no part: values for Python, and detach(), which cuts it off.
PLAIN = frozenset(
    """detach detach_ register_hook data item tolist numpy __bool__ __int__ __float__ __index__ requires_grad requires_grad_
    retain_grad grad =grad =requires_grad =data data_ptr new_empty new_zeros new_ones new_full zeros_like
    ones_like empty_like full_like rand_like randn_like randint_like""".split()
)


_CUT = "none"  # noted of a view: it has no tangent


class Dual(Level):
    """One level of dual numbers."""

    def __init__(self, functional=False):
        self.functional = functional
        self._tangents = Notes()

    def close(self):
        self._tangents.clear()

    def inner(self, x):
        return x

    def changed(self, x, change, whole):
        t = self.tangent(x)
        y = change(x)
        return y if t is None else self.attach(y, t)

    # ---- tangents ----

    def tangent(self, x):
        """The tangent of x, or None. A view of a tensor with a tangent has the view of it."""
        t = self._tangents.get(x)
        if t is _CUT:
            return None
        if t is not None or not x._is_view():
            return t
        base = x._base
        whole = self._tangents.get(base)
        return None if whole is None or whole is _CUT else _same_view(x, base, whole)

    def cut(self, x):
        """x as a tensor that has no tangent, even where it is a view of one that has."""
        return self._tangents.put(x, _CUT)

    def attach(self, x, t):
        self._tangents.put(x, t)
        return x

    def own_tangent(self, x):
        """The tangent of x for writing; zeros, shared with the tensor that x is a view of, if there is none."""
        t = self.tangent(x)
        if t is None:
            base = x._base if x._is_view() else None
            if base is None:
                t = lampas.zeros_like(x)
            else:
                whole = lampas.zeros_like(base)
                self.attach(base, whole)
                t = _same_view(x, base, whole)
        self.attach(x, t)
        return t

    # ---- calls ----

    def takes_part(self, function, tensors):
        return any(self.tangent(x) is not None for x in tensors)

    def shown(self, x):
        t = self.tangent(x)
        with levels.outside(self):
            return f"{repr(x)[:-1]}, tangent={t!r})"

    def whole(self, function, args, kwargs):
        return self.call(function, args, kwargs)

    def call(self, function, args, kwargs):
        name = name_of(function)
        if levels.draws(function) and isinstance(function, levels.Composite):
            return function(*args, **kwargs)
        if name in PLAIN:
            result = function(*args, **kwargs)
            return self.cut(result) if name in ("detach", "detach_", "data") else result
        if function is _core._run_backward:
            return self._backward(function, *args)
        if name == "apply" and isinstance(getattr(function, "__self__", None), type):
            return self._apply(function, args, kwargs)
        if name in WRITTEN_VIEWS:
            function(self.own_tangent(args[0]), *args[1:], **kwargs)
            return function(*args, **kwargs)
        if name == "__deepcopy__":
            return self.attach(
                function(*args, **kwargs), function(self.tangent(args[0]), *args[1:])
            )
        if name in VIEWS and not self._key_has_tangent(args[1:], kwargs):
            return self._view(function, args, kwargs)
        if _writes(name):
            return self._write(function, args, kwargs)
        if kwargs.get("out") is not None:
            return self._write_out(function, args, kwargs)
        return self._record(function, args, kwargs)

    def _key_has_tangent(self, rest, kwargs):
        return any(self.tangent(x) is not None for x in tensors_of((rest, kwargs)))

    def _view(self, function, args, kwargs):
        t = self.tangent(args[0])
        result = function(*args, **kwargs)
        if result is args[0]:
            return result
        pushed = function(t, *args[1:], **kwargs)
        for y, ty in zip(tensors_of(result), tensors_of(pushed)):
            self.attach(y, ty)
        return result

    def _aliases(self, tensors, linked):
        """{id: (alias on the tape, tangent)} of the tensors that have a tangent."""
        found = {}
        for x in tensors:
            if id(x) in found:
                continue
            t = self.tangent(x)
            if t is not None and (x.is_floating_point() or x.is_complex()):
                alias = levels.tracked(x if linked else levels.off_tape(x))
                found[id(x)] = (alias, t)
        return found

    def _record(self, function, args, kwargs):
        tensors = tensors_of((args, kwargs))
        grad_mode = lampas.is_grad_enabled()
        attached = grad_mode and any(x.requires_grad for x in tensors)
        with lampas.enable_grad():
            known = self._aliases(tensors, attached)
            swap = lambda x: known[id(x)][0] if id(x) in known else x  # noqa: E731
            result = function(*mapped(args, swap), **mapped(kwargs, swap))
            outputs = [y for y in tensors_of(result) if y.requires_grad]
            create = attached or (grad_mode and any(t.requires_grad for _, t in known.values()))
            push = _push_pointwise if _diagonal(function, outputs, known) else push_forward
            pushed = push(outputs, known.values(), create)
        held = [t for _, t in known.values()]
        tangents = {id(y): _own(t, held) for y, t in zip(outputs, pushed)}
        originals = {id(alias): x for x in tensors for alias, _ in [known.get(id(x), (None, 0))]}

        def settle(y):
            if id(y) in originals and originals[id(y)] is not None:
                return originals[id(y)]
            t = tangents.get(id(y))
            if not attached and y.requires_grad:
                y = levels.off_tape(y)
            return y if t is None else self.attach(y, t)

        return mapped(result, settle)

    def _write(self, function, args, kwargs):
        target, tensors = args[0], tensors_of((args, kwargs))
        grad_mode = lampas.is_grad_enabled()
        linked = grad_mode and any(x.requires_grad for x in tensors)
        gpus = {x.device.index for x in tensors if x.is_cuda}
        forked = lampas.random.fork_rng(gpus, enabled=levels.draws(function))  # it runs twice
        with lampas.enable_grad(), forked:
            known = self._aliases(tensors, linked)
            swap = lambda x: known[id(x)][0] if id(x) in known else x  # noqa: E731
            copy = swap(target).clone() if target.requires_grad or id(target) in known else None
            if copy is None:
                copy = levels.off_tape(target).clone()
            function(copy, *mapped(args[1:], swap), **mapped(kwargs, swap))
            create = linked or (grad_mode and any(t.requires_grad for _, t in known.values()))
            pushed = push_forward([copy] if copy.requires_grad else [], known.values(), create)
        result = function(*args, **kwargs)
        if target.is_floating_point() or target.is_complex():
            own = self.own_tangent(target)
            if pushed:
                own.copy_(pushed[0])
            else:
                own.zero_()
        return result

    def _write_out(self, function, args, kwargs):
        rest = {k: v for k, v in kwargs.items() if k != "out"}
        fresh = self._record(function, args, rest)
        result = function(*args, **kwargs)
        for y, new in zip(tensors_of(kwargs["out"]), tensors_of(fresh)):
            t = self.tangent(new)
            self._tangents.drop(y) if t is None else self.attach(y, t)
        return result

    # ---- gradients and user-written functions ----

    def _backward(self, run, roots, grads, inputs, retain, create, accumulate, unused):
        more, cotangents = [], []
        for y, v in zip(roots, grads):
            ty = self.tangent(y)
            if ty is not None and ty.requires_grad:
                more.append(ty)
                cotangents.append(lampas.ones_like(y) if v is None else v)
            tv = None if v is None else self.tangent(v)
            if tv is not None:
                more.append(y)
                cotangents.append(tv)
        found = levels.call(
            run, roots, grads, inputs, bool(more) or retain, create, accumulate, unused
        )
        if not more or accumulate:
            return found
        pushed = levels.call(
            run, tuple(more), tuple(cotangents), inputs, retain, create, False, True
        )
        return tuple(
            g if g is None or t is None else self.attach(_fresh(g, roots, grads), t)
            for g, t in zip(found, pushed)
        )

    def _apply(self, function, args, kwargs):
        cls = function.__self__
        if cls.jvp is Function.jvp:
            if not cls.__module__.startswith("lampas."):
                cls.jvp(None)
            return self._record(function, args, kwargs)
        ctx, result = applied(cls, args, kwargs)
        given = [self._tangent_or_zeros(a, ctx.materialize_grads) for a in args]
        pushed = cls.jvp(_ForwardContext(ctx), *given)
        pushed = pushed if isinstance(pushed, tuple) else (pushed,)
        outputs = result if isinstance(result, tuple) else (result,)
        if len(pushed) != len(outputs):
            raise RuntimeError(
                f"Function's jvp returned an invalid number of forward gradients (expected {len(outputs)} but got "
                f"{len(pushed)})"
            )
        for y, t in zip(outputs, pushed):
            if t is not None and isinstance(y, Tensor):
                check_tangent(y, t)
                self.attach(y, t)
        return result

    def _tangent_or_zeros(self, a, materialize):
        if not isinstance(a, Tensor):
            return None
        t = self.tangent(a)
        if t is None and materialize and (a.is_floating_point() or a.is_complex()):
            return lampas.zeros_like(a)
        return t


class _ForwardContext:
    """The ctx of an autograd.Function as its jvp sees it: `saved_tensors` are those of save_for_forward."""

    def __init__(self, ctx):
        object.__setattr__(self, "_ctx", ctx)

    @property
    def saved_tensors(self):
        return tuple(getattr(self._ctx, "_saved_for_forward", ()))

    def __getattr__(self, name):
        return getattr(self._ctx, name)

    def __setattr__(self, name, value):
        setattr(self._ctx, name, value)


def push_forward(outputs, sources, create):
    """The tangents of recorded outputs; sources: pairs (alias on the tape, its tangent)."""
    if not outputs:
        return []
    xs, ts = [x for x, _ in sources], [t for _, t in sources]
    us = [lampas.zeros_like(y).detach().requires_grad_() for y in outputs]
    grad = lampas.autograd.grad
    pulled = grad(outputs, xs, us, create_graph=True, allow_unused=True)
    pairs = [(g, t) for g, t in zip(pulled, ts) if g is not None and g.requires_grad]
    if not pairs:
        return [lampas.zeros_like(y).detach() for y in outputs]
    gs, ts = zip(*pairs)
    ts = [t if t.dtype == g.dtype else t.to(g.dtype) for g, t in pairs]
    return list(
        grad(gs, us, ts, retain_graph=True, create_graph=create, allow_unused=True,
             materialize_grads=True)
    )  # fmt: skip


_POINTWISE = frozenset(row["name"] for row in _core._rows())


def _diagonal(function, outputs, known):
    """Is the Jacobian diagonal and real? Then it is its own transpose."""
    if len(known) != 1 or len(outputs) != 1 or name_of(function) not in _POINTWISE:
        return False
    ((x, t),) = known.values()
    y = outputs[0]
    return x.shape == y.shape and x.dtype == y.dtype == t.dtype and not x.is_complex()


def _push_pointwise(outputs, sources, create):
    """As push_forward, by one backward pass."""
    ((x, t),) = sources
    return list(
        lampas.autograd.grad(outputs, [x], [t], retain_graph=True, create_graph=create,
                             materialize_grads=True)
    )  # fmt: skip


def check_tangent(x, t):
    """Raises unless t is shaped as x."""
    if tuple(t.shape) != tuple(x.shape):
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(x.shape)} while the given forward gradient is of size {list(t.shape)}."
        )


def _own(t, held):
    """t in memory of its own, since it may be written in place: pulling back may give what it was given."""
    inner, owned = levels.bare(t), [levels.bare(h) for h in held]
    spread = any(step == 0 and n > 1 for n, step in zip(inner.shape, inner.stride()))
    if spread or any(inner is h or _core._shares_storage(inner, h) for h in owned):
        return t.clone()
    return t


def _writes(name):
    return (
        name.endswith("_") and not name.endswith("__") or name in ("__setitem__", "=real", "=imag")
    )


def _same_view(x, base, whole):
    """Of `whole`, laid out as `base`, what x is of base."""
    offset = x.storage_offset() - base.storage_offset() + whole.storage_offset()
    return whole.as_strided(x.size(), x.stride(), offset)


def _fresh(g, *others):
    """g itself unless the caller holds it already, as a root or a cotangent."""
    return levels.off_tape(g) if any(g is o for group in others for o in group) else g


def make_dual(level, x, t):
    """A view of x that carries t at this level."""
    check_tangent(x, t)
    for each, text in (
        (x, "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level 0 is not supported."),
        (t, "Setting a forward grad that itself has a forward gradient at the same level0 is not supported."),
    ):  # fmt: skip
        if level.tangent(each) is not None:
            raise RuntimeError(text)
    with levels.outside(level):
        dual = x.view_as(x)
        if t.stride() != x.stride() and x.numel() > 1:
            t = lampas.empty_like(x, dtype=t.dtype).copy_(t)
    return level.attach(dual, t)
