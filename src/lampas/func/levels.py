"""Open transforms (forward-mode levels, vmaps) as a stack, and which of them takes a call.

The core hands over every call that has a marked tensor among its arguments, or draws random numbers
(core/python/override.cc). The innermost level that takes part handles it; what it calls in turn is seen by
the levels around it only, down to the plain operator. The levels are in `dual` and `batch`.
"""

import contextlib
import threading
import weakref

from lampas import _core

Tensor = _core.Tensor
Composite = type(_core._python_operator(len, "lampas"))

# Answered from what a tensor looks like, which is the same for every level.
LOOKS = frozenset(
    """shape dtype device ndim itemsize nbytes size stride dim ndimension numel nelement element_size __len__
    storage_offset is_floating_point is_complex is_signed is_inference is_contiguous is_conj is_neg _is_view
    is_cpu is_cuda is_meta is_sparse is_sparse_csr is_quantized is_mkldnn is_nested is_mps is_xpu is_xla
    is_vulkan layout names _version _base output_nr retains_grad grad_fn is_leaf as_subclass""".split()
)


# Written in Python over parts of the core that no level sees: levels take them as operators.
NATIVE = frozenset("detach detach_ register_hook __deepcopy__".split())


class _Local(threading.local):
    stack = ()


_local = _Local()


def stack():
    """The levels that see this thread's calls, outermost first."""
    return _local.stack


def _set(levels):
    _local.stack = levels
    _core._set_transforms(len(levels))


@contextlib.contextmanager
def outside(level):
    """Context whose calls only the levels around `level` see."""
    before = _local.stack
    _set(before[: before.index(level)])
    try:
        yield
    finally:
        _set(before)


class Level:
    """One open transform, a context manager. `takes_part` and `call` say what it does."""

    functional = False  # opened by a transform of `func`, inside of which backward() is refused

    def __enter__(self):
        _install()
        _set((*_local.stack, self))
        return self

    def __exit__(self, *_):
        _set(_local.stack[: _local.stack.index(self)])
        self.close()

    def close(self):
        """Forgets what it knew of tensors."""

    def composite(self, function, args, kwargs):
        """The result of an operator written in Python: its body is run. One that looks at values, which a batch
        does not allow, is taken as one operator instead."""
        if function.__name__ == "__repr__":
            return self.shown(args[0])
        try:
            return function.__wrapped__(*args, **kwargs)
        except RuntimeError as error:
            if not getattr(error, "of_batch", False):
                raise
        with outside(self):
            return self.whole(function, args, kwargs)


class Notes:
    """What a level knows of tensors, by identity; a note dies with its tensor."""

    def __init__(self):
        self._notes = {}

    def get(self, x):
        entry = self._notes.get(id(x))
        return None if entry is None else entry[1]

    def put(self, x, note):
        key, notes = id(x), self._notes
        notes[key] = (weakref.ref(x, lambda _: notes.pop(key, None)), note)
        return _core._carry(x)

    def drop(self, x):
        self._notes.pop(id(x), None)

    def clear(self):
        self._notes.clear()


def name_of(function):
    """`add`, `__getitem__`, `T` for a getter, `=real` for a setter."""
    name = getattr(function, "__name__", "")
    if name == "__get__":
        return function.__self__.__name__
    if name == "__set__":
        return "=" + function.__self__.__name__
    return name


def mapped(values, change):
    """The same nest of tuples, lists, dicts and slices with every tensor x replaced by change(x)."""
    if isinstance(values, Tensor):
        return change(values)
    kind = type(values)
    if kind is tuple or kind is list:
        return kind([mapped(v, change) for v in values])
    if kind is dict:
        return {k: mapped(v, change) for k, v in values.items()}
    if isinstance(values, tuple):  # a named result
        return rebuilt(values, [mapped(v, change) for v in values])
    return values


def rebuilt(like, values):
    """A tuple, list or named tuple of the kind of `like`."""
    kind = type(like)
    return kind._make(values) if hasattr(kind, "_make") else kind(values)


def tensors_of(values, found=None):
    """The tensors of a nest, left to right."""
    found = [] if found is None else found
    if isinstance(values, Tensor):
        found.append(values)
    elif isinstance(values, (tuple, list)):
        for value in values:
            tensors_of(value, found)
    elif isinstance(values, dict):
        for value in values.values():
            tensors_of(value, found)
    return found


def dispatch(function, args, kwargs):
    """What the innermost level that takes part makes of the call; NotImplemented when none does."""
    levels = _local.stack
    tensors = tensors_of((args, kwargs))
    if isinstance(function, Composite) and function.__name__ not in NATIVE and not draws(function):
        return _composite(levels, function, args, kwargs, tensors)
    if name_of(function) in LOOKS:
        return NotImplemented
    for depth in range(len(levels) - 1, -1, -1):
        level = levels[depth]
        if not level.takes_part(function, tensors):
            continue
        _set(levels[:depth])
        try:
            return level.call(function, args, kwargs)
        finally:
            _set(levels)
    return NotImplemented


def _composite(levels, function, args, kwargs, tensors):
    for level in reversed(levels):
        if level.takes_part(function, tensors):
            result = level.composite(function, args, kwargs)
            if result is not NotImplemented:
                return result
    return NotImplemented


def call(function, *args, **kwargs):
    """A function that the core does not hand over by itself, such as the backward engine."""
    if _local.stack and _core._carries(tensors_of((args, kwargs))):
        result = dispatch(function, args, kwargs)
        if result is not NotImplemented:
            return result
    return function(*args, **kwargs)


def call_marked(marker, function, args, kwargs):
    """As `call`, where the levels know the function by the name of `marker`."""
    if _core._carries(tensors_of((args, kwargs))):
        result = dispatch(marker, args, kwargs)
        if result is not NotImplemented:
            return result
    return function(*args, **kwargs)


def off_tape(x):
    """x without its gradient history; unlike detach(), it keeps what the levels know."""
    return _everywhere(x, lambda y: y.detach())


def tracked(x):
    """x as a tensor of its own on the tape, linked to x where x is on it, in every batch that is open."""
    if not _local.stack:
        return _alias(x)
    return _everywhere(x, _alias, whole=True)


def _alias(x):
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_()


def _everywhere(x, change, whole=False):
    levels = _local.stack
    if not levels:
        return change(x)
    try:
        return _changed(x, change, whole, levels)
    finally:
        _set(levels)


def _changed(x, change, whole, levels):
    """change applied to the tensor inside all wrappings; `whole`: in every batch, even where it had none."""
    _set(levels)
    if not levels:
        return change(x)
    return levels[-1].changed(x, lambda y: _changed(y, change, whole, levels[:-1]), whole)


def refuse_backward():
    """Raises inside transforms of `func`, which have no leaves."""
    if any(level.functional for level in _local.stack):
        raise RuntimeError(
            "backward() called inside a functorch transform. This is not supported, please use functorch.grad or "
            "functorch.vjp instead or call backward() outside of functorch transforms."
        )


def bare(x):
    """The tensor that is on the tape: inside all batches."""
    for level in reversed(_local.stack):
        x = level.inner(x)
    return x


_random = None  # the functions that draw random numbers, once a level was opened


def _install():
    global _random
    if _random is None:
        _random = frozenset(
            f
            for space in (_core, Tensor)
            for name, f in vars(space).items()
            if isinstance(f, _CALLABLES) and _draws(name, f)
        )
        _core._set_transform_handler(dispatch, _random)


_CALLABLES = (type(_core.add), type(Tensor.add))
_DRAWING = frozenset(
    """dropout dropout_ native_dropout rrelu_with_noise rrelu rrelu_ _standard_gamma _sample_dirichlet
    rand_like randn_like randint_like multinomial poisson binomial""".split()
)


def _draws(name, function):
    return name in _DRAWING or "torch.Generator generator" in (function.__doc__ or "")


def draws(function):
    """Does the function draw random numbers?"""
    if isinstance(function, Composite):
        return function.__name__ in _DRAWING
    return isinstance(function, _CALLABLES) and function in _random
