"""Checkpointing: forward keeps no intermediate results, backward computes them again.

Source: Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost", 2016.
"""

import contextlib
import enum
import warnings

import lampas
from lampas import unavailable
from lampas.utils._pytree import tree_map

__all__ = [
    "CheckpointError",
    "CheckpointFunction",
    "CheckpointPolicy",
    "DefaultDeviceType",
    "GraphExecGroup",
    "SelectiveCheckpointContext",
    "get_device_states",
    "set_checkpoint_early_stop",
    "set_device_states",
    "tree_map",
    "checkpoint",
    "checkpoint_sequential",
    "check_backward_validity",
    "detach_variable",
    "noop_context_fn",
    "create_selective_checkpoint_contexts",
    "set_checkpoint_debug_enabled",
]


class CheckpointError(RuntimeError):
    """Computing again did not save what forward had saved."""


class CheckpointPolicy(enum.Enum):
    """What a policy may say about the results of an operator."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


class DefaultDeviceType:
    """The kind of device whose random state a checkpoint keeps when its arguments name none."""

    _kind = "cpu"

    @staticmethod
    def set_device_type(device="cpu"):
        """Chooses the kind."""
        DefaultDeviceType._kind = device

    @staticmethod
    def get_device_type():
        """The kind."""
        return DefaultDeviceType._kind


def get_device_states(*args):
    """(indices, random states) of the devices of the tensors among `args`, other than the CPU."""
    devices = {t.get_device() for t in args if isinstance(t, lampas.Tensor) and t.is_cuda}
    return sorted(devices), [lampas.cuda.get_rng_state(index) for index in sorted(devices)]


def set_device_states(devices, states, *, device_type=None):
    """Puts random states back that get_device_states gave."""
    for index, state in zip(devices, states):
        lampas.cuda.set_rng_state(state, index)


_early_stop = None  # what set_checkpoint_early_stop says, over what checkpoint() was given


@contextlib.contextmanager
def set_checkpoint_early_stop(enable):
    """Context: whether computing again ends as soon as all that is needed is there, for checkpoints made in it."""
    global _early_stop
    before, _early_stop = _early_stop, enable
    try:
        yield
    finally:
        _early_stop = before


def noop_context_fn():
    """The default `context_fn`: nothing around forward, nothing around computing again."""
    return contextlib.nullcontext(), contextlib.nullcontext()


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled):
    """Accepted for compatibility."""
    yield


def detach_variable(inputs):
    """The inputs, tensors detached but requiring gradients as before."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            "Only tuple of tensors is supported. Got Unsupported input type: ",
            type(inputs).__name__,
        )
    return tuple(
        x.detach().requires_grad_(x.requires_grad) if isinstance(x, lampas.Tensor) else x
        for x in inputs
    )


def check_backward_validity(inputs):
    """Warns when no input requires gradients: then nothing flows through a re-entrant checkpoint."""
    if not any(isinstance(x, lampas.Tensor) and x.requires_grad for x in inputs):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2
        )


class _RandomState:
    """The random stream as it is now; a `with` block replays from it and then goes on as before."""

    def __init__(self, keep):
        self._then = lampas.get_rng_state() if keep else None

    def __enter__(self):
        if self._then is not None:
            self._now = lampas.get_rng_state()
            lampas.set_rng_state(self._then)

    def __exit__(self, *_):
        if self._then is not None:
            lampas.set_rng_state(self._now)


class CheckpointFunction(lampas.autograd.Function):
    """The re-entrant form: backward runs forward again and starts a backward pass of its own."""

    @staticmethod
    def forward(ctx, run_function, preserve_rng_state, *args):
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.random = _RandomState(preserve_rng_state)
        ctx.others = [None if isinstance(a, lampas.Tensor) else a for a in args]
        ctx.places = [i for i, a in enumerate(args) if isinstance(a, lampas.Tensor)]
        ctx.save_for_backward(*(args[i] for i in ctx.places))
        with lampas.no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx, *grads):
        inputs = list(ctx.others)
        for i, x in zip(ctx.places, ctx.saved_tensors):
            inputs[i] = x
        inputs = detach_variable(tuple(inputs))
        with ctx.random, lampas.enable_grad():
            outputs = ctx.run_function(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        pairs = [
            (y, g)
            for y, g in zip(outputs, grads)
            if isinstance(y, lampas.Tensor) and y.requires_grad
        ]
        if not pairs:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        lampas.autograd.backward(*zip(*pairs))
        return (None, None, *(x.grad if isinstance(x, lampas.Tensor) else None for x in inputs))


class _Stop(Exception):
    """Ends a recomputation once everything that forward saved has been made again."""


class _Frame:
    """What one call of checkpoint saved: places only; filled by computing again when backward comes."""

    def __init__(self, function, args, kwargs, preserve_rng_state, context, early_stop, compare):
        self.function, self.args, self.kwargs = function, args, kwargs
        self.random = _RandomState(preserve_rng_state)
        self.context, self.early_stop, self.compare = context, early_stop, compare
        self.described = []  # (shape, dtype, device) of each saved tensor, in order
        self.values = None

    def pack(self, tensor):
        self.described.append((tensor.shape, tensor.dtype, tensor.device))
        return _Place(self, len(self.described) - 1)

    def value(self, index):
        if self.values is None or index not in self.values:
            self._compute_again()
        return self.values.pop(index)

    def _compute_again(self):
        self.values, count = {}, 0
        wanted = len(self.described)

        def keep(tensor):
            nonlocal count
            if count >= wanted:
                count += 1
                return tensor
            self.values[count] = (
                tensor.detach() if tensor.is_leaf and not tensor.requires_grad else tensor
            )
            count += 1
            if count == wanted and self.early_stop:
                raise _Stop
            return tensor

        hooks = lampas.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        with self.random, lampas.enable_grad(), self.context, contextlib.suppress(_Stop), hooks:
            self.function(*self.args, **self.kwargs)
        self._check(count)

    def _check(self, count):
        wanted = len(self.described)
        if count != wanted:
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {wanted}\n"
                f"Number of tensors saved during recomputation: {count}."
            )
        if not self.compare:
            return
        for index, (shape, dtype, device) in enumerate(self.described):
            again = self.values[index]
            if (again.shape, again.dtype, again.device) != (shape, dtype, device):
                raise CheckpointError(
                    "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata "
                    f"than during the forward pass.\ntensor at position {index}:\n"
                    f"saved metadata: {{'shape': {shape}, 'dtype': {dtype}, 'device': {device}}}\n"
                    f"recomputed metadata: {{'shape': {again.shape}, 'dtype': {again.dtype}, 'device': {again.device}}}"
                )


class _Place:
    """Stands for the index-th tensor that a frame saved."""

    __slots__ = ("frame", "index")

    def __init__(self, frame, index):
        self.frame, self.index = frame, index


def checkpoint(
    function,
    *args,
    use_reentrant=None,
    context_fn=noop_context_fn,
    determinism_check="default",
    debug=False,
    early_stop=True,
    **kwargs,
):
    """`function(*args, **kwargs)`, whose intermediate results are computed again when backward needs them.

    preserve_rng_state (default True): the second run draws the same random numbers.
    use_reentrant: True starts a nested backward pass (tensors only as positional arguments, no
    `autograd.grad`); False hooks into what is saved and has none of these limits.
    context_fn: gives two context managers, for forward and for computing again.
    determinism_check: "default" compares shapes and dtypes of both runs, "none" does not.
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch "
            "2.9, calling checkpoint without use_reentrant will raise an exception. use_reentrant=False is "
            "recommended, but if you need to preserve the current default behavior, you can pass "
            "use_reentrant=True. Refer to docs for more details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug:
            raise ValueError(
                "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
            )
        return CheckpointFunction.apply(function, preserve, *args)
    before, again = context_fn()
    if not lampas.is_grad_enabled():
        with before:
            return function(*args, **kwargs)
    if _early_stop is not None:
        early_stop = _early_stop
    frame = _Frame(function, args, kwargs, preserve, again, early_stop, determinism_check != "none")
    hooks = lampas.autograd.graph.saved_tensors_hooks(
        frame.pack, lambda place: place.frame.value(place.index)
    )
    with hooks, before:
        return function(*args, **kwargs)


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """Runs a list of functions (or nn.Sequential) in `segments` checkpointed pieces, the last one plainly."""
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed "
            "explicitly. In version 2.9 we will raise an exception if use_reentrant is not passed. "
            "use_reentrant=False is recommended, but if you need to preserve the current default behavior, you "
            "can pass use_reentrant=True. Refer to docs for more details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    functions = list(
        functions.children() if isinstance(functions, lampas.nn.Sequential) else functions
    )
    size = len(functions) // segments
    start = 0
    for _ in range(segments - 1):
        piece = _chain(functions[start : start + size])
        input = checkpoint(piece, input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
        start += size
    return _chain(functions[start:])(input)


def _chain(functions):
    def run(x):
        for function in functions:
            x = function(x)
        return x

    return run


class GraphExecGroup:
    """Context: several backward calls in it that share checkpoints count as one.

    RuntimeError where one is entered inside another.
    """

    _current = None

    def __enter__(self):
        if GraphExecGroup._current is not None:
            inside = GraphExecGroup._current
            raise RuntimeError(
                f"GraphExecGroup contexts cannot be nested. Already inside group {inside}"
            )
        GraphExecGroup._current = self
        return self

    def __exit__(self, *_):
        GraphExecGroup._current = None

    @classmethod
    def _get_current_group(cls):
        return GraphExecGroup._current


class SelectiveCheckpointContext:
    """What a policy is told beside the operator: whether forward runs again, and the result."""

    def __init__(self, *, is_recompute, op_output=None):
        self.is_recompute, self.op_output = is_recompute, op_output


create_selective_checkpoint_contexts = unavailable.function(
    "torch.utils.checkpoint.create_selective_checkpoint_contexts",
    "operators are not shown to a policy; checkpoint whole blocks",
)
capture_logs = unavailable.function(
    "torch.utils.checkpoint.capture_logs", "operators are not recorded by name"
)
