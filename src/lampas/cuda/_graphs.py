"""Graphs of a device's work, for `lampas.cuda` where there is a GPU.

What a stream is given during a capture is noted, and done as a whole by each replay, on the same
memory: tensors that a graph reads are filled anew, those it writes are read after it.
"""

import warnings

import lampas
from lampas import _core
from lampas.cuda._streams import Stream, StreamContext

__all__ = ["CUDAGraph", "graph", "graph_pool_handle", "make_graphed_callables"]
_MODES = {"global": 0, "thread_local": 1, "relaxed": 2}


def graph_pool_handle():
    """The name of a new pool of memory, which several graphs may share."""
    return _core._cuda_new_pool(False)


def _pool_id(pool):
    if pool is None:
        return 0, 0
    return tuple(getattr(pool, "id", pool))


class CUDAGraph:
    """Work captured once and replayed. keep_graph: let `debug_dump` and `instantiate` see it later."""

    def __init__(self, keep_graph=False):
        self._graph = _core._cuda_new_graph(bool(keep_graph))

    def capture_begin(self, pool=None, capture_error_mode="global"):
        """Captures what the current stream is given; it may not be the default one.

        pool: `graph_pool_handle()` or another graph's `pool()`, to share memory with graphs that
        never run at the same time. capture_error_mode: what of unsafe calls of the driver is refused
        meanwhile, those of every thread ("global"), of this one ("thread_local"), or none ("relaxed").
        """
        if capture_error_mode not in _MODES:
            raise RuntimeError(
                "Unknown capture error mode. Expected `global`, `thread_local`, or `relaxed`, got "
                f"{capture_error_mode}"
            )
        _core._cuda_capture_begin(self._graph, *_pool_id(pool), _MODES[capture_error_mode])

    def capture_end(self):
        """Ends the capture. Warns where nothing was captured."""
        if not _core._cuda_capture_end(self._graph):
            warnings.warn(
                "The CUDA Graph is empty. This usually means that the graph was attempted to be "
                "captured on wrong device or stream.",
                stacklevel=2,
            )

    def instantiate(self):
        """Makes the graph ready to run; `replay` does it where it was not done."""
        _core._cuda_graph_instantiate(self._graph)

    def replay(self):
        """Gives the captured work to the current stream. The host does not wait."""
        _core._cuda_graph_replay(self._graph)

    def reset(self):
        """Forgets the graph; its memory is free when no tensor lies in it."""
        _core._cuda_graph_reset(self._graph)

    def pool(self):
        """The name of the graph's pool of memory."""
        return _core._cuda_graph_pool(self._graph)

    def enable_debug_mode(self):
        """Keeps the captured graph for `debug_dump`."""
        _core._cuda_graph_debug(self._graph)

    def debug_dump(self, debug_path):
        """Writes the captured graph as a Graphviz file."""
        _core._cuda_graph_dump(self._graph, debug_path)


class graph:
    """Context: its work is captured into a `CUDAGraph`.

    stream: the stream to capture on; None: one that all such contexts share.
    """

    default_capture_stream = None

    def __init__(self, cuda_graph, pool=None, stream=None, capture_error_mode="global"):
        if stream is None and graph.default_capture_stream is None:
            graph.default_capture_stream = Stream()
        self.capture_stream = stream or graph.default_capture_stream
        self.stream_ctx = StreamContext(self.capture_stream)
        self.cuda_graph = cuda_graph
        self.pool = pool
        self.capture_error_mode = capture_error_mode

    def __enter__(self):
        import gc

        _core._cuda_synchronize(self.capture_stream.device_index)
        gc.collect()  # memory and events that are given up during a capture would have to wait
        _core._cuda_empty_cache()
        self.stream_ctx.__enter__()
        try:
            self.cuda_graph.capture_begin(self.pool, self.capture_error_mode)
        except BaseException:
            self.stream_ctx.__exit__()
            raise

    def __exit__(self, *error):
        try:
            self.cuda_graph.capture_end()
        finally:
            self.stream_ctx.__exit__(*error)
        return False


# --- functions and modules whose forward and backward are graphs ---


def make_graphed_callables(
    callables, sample_args, num_warmup_iters=3, allow_unused_input=False, pool=None
):
    """Functions or modules that replay graphs of their forward and backward.

    Args:
        callables: one, or a tuple; modules are changed, functions returned anew.
        sample_args: the tuple of tensors that the one is called with (for several: a tuple of such
            tuples). Later calls need the same shapes, dtypes and requires_grad; their values are
            copied into these tensors.
        num_warmup_iters: calls before the capture. allow_unused_input: whether arguments may have no
            influence on the results.

    Raises:
        RuntimeError: modules with hooks, or with buffers that require a gradient; arguments that are
            no tensors.
    """
    several = isinstance(callables, tuple)
    if not several:
        callables, sample_args = (callables,), (sample_args,)
    if lampas.is_autocast_enabled("cuda") and lampas.is_autocast_cache_enabled():
        raise RuntimeError(
            "make_graphed_callables does not support the autocast caching. Please set `cache_enabled=False`."
        )
    graphed = [_Graphed(f, args, allow_unused_input) for f, args in zip(callables, sample_args)]
    pool = graph_pool_handle() if pool is None else pool
    lampas.cuda.synchronize()
    side = Stream()
    with StreamContext(side):
        for each in graphed:
            for _ in range(num_warmup_iters):
                each.warm_up()
    lampas.cuda.synchronize()
    # Backward graphs follow in the order in which they will run, as all share memory.
    for each in graphed:
        each.capture_forward(pool)
    for each in reversed(graphed):
        each.capture_backward(pool)
    made = tuple(each.callable() for each in graphed)
    return made if several else made[0]


def _check(module):
    hooks = module._backward_hooks, module._forward_hooks, module._forward_pre_hooks
    if any(hooks):
        raise RuntimeError(
            "Modules must not have hooks registered at the time they are passed. However, registering hooks "
            "on modules after passing them through make_graphed_callables is allowed."
        )
    if any(buffer.requires_grad for buffer in module.buffers()):
        raise RuntimeError(
            "In any :class:`~torch.nn.Module` passed to "
            ":func:`~make_graphed_callables`, only parameters may be trainable. All buffers must have "
            "``requires_grad=False``."
        )


class _Graphed:
    """One callable, the tensors its graphs read and write, and the graphs."""

    def __init__(self, function, args, allow_unused):
        from lampas.utils import _pytree

        self.function = function
        self.is_module = isinstance(function, lampas.nn.Module)
        parameters = ()
        if self.is_module:
            _check(function)
            parameters = tuple(function.parameters())
        self.args = tuple(args)
        self.given = tuple(_pytree.tree_leaves(self.args))
        if not all(isinstance(arg, lampas.Tensor) for arg in self.given):
            raise RuntimeError(
                "In the beta API, sample_args for each callable must contain only Tensors. "
                "Other types are not allowed."
            )
        self.inputs = self.given + parameters
        self.allow_unused = allow_unused
        self.forward_graph, self.backward_graph = CUDAGraph(), CUDAGraph()

    def _run(self):
        from lampas.utils import _pytree

        outputs, self.structure = _pytree.tree_flatten(self.function(*self.args))
        return tuple(outputs)

    def _gradients(self, outputs, cotangents):
        wanted = [x for x in self.inputs if x.requires_grad]
        roots = [y for y in outputs if y.requires_grad]
        if not roots or not wanted:
            return None
        return lampas.autograd.grad(
            roots, wanted, [g for g in cotangents if g is not None], allow_unused=self.allow_unused
        )

    def warm_up(self):
        outputs = self._run()
        self._gradients(outputs, self._cotangents(outputs))

    def _cotangents(self, outputs):
        return tuple(lampas.zeros_like(y) if y.requires_grad else None for y in outputs)

    def capture_forward(self, pool):
        with graph(self.forward_graph, pool=pool):
            self.outputs = self._run()

    def capture_backward(self, pool):
        self.cotangents = self._cotangents(self.outputs)
        self.gradients = (None,) * len(self.inputs)
        if not any(x.requires_grad for x in self.inputs) or not any(
            g is not None for g in self.cotangents
        ):
            self.backward_graph = None
            return
        with graph(self.backward_graph, pool=pool):
            found = iter(self._gradients(self.outputs, self.cotangents))
        self.gradients = tuple(next(found) if x.requires_grad else None for x in self.inputs)
        self.outputs = tuple(y.detach() for y in self.outputs)

    def callable(self):
        from lampas.utils import _pytree

        state, step = self, _step_of(self)
        parameters = self.inputs[len(self.given) :]

        def replayed(*args):
            given = _pytree.tree_leaves(args)
            return _pytree.tree_unflatten(step.apply(*given, *parameters), state.structure)

        if not self.is_module:
            return replayed
        module, eager, training = self.function, self.function.forward, self.function.training

        def forward(*args):
            return replayed(*args) if module.training == training else eager(*args)

        module.forward = forward
        return module


def _step_of(state):
    """The autograd function that replays a callable's graphs."""

    class Graphed(lampas.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            for mine, given in zip(state.given, inputs):
                if mine.data_ptr() != given.data_ptr():
                    mine.detach().copy_(given.detach())
            state.forward_graph.replay()
            return tuple(y.detach() for y in state.outputs)

        @staticmethod
        @lampas.autograd.function.once_differentiable
        def backward(ctx, *gradients):
            for mine, given in zip(state.cotangents, gradients):
                if mine is not None and given is not None and mine.data_ptr() != given.data_ptr():
                    mine.copy_(given)
            if state.backward_graph is not None:
                state.backward_graph.replay()
            return tuple(None if g is None else g.detach() for g in state.gradients)

    return Graphed
