"""`torch.compile` on a GPU: a replay that has warmed up is captured as a graph of the device's work.

Asked by core/python/compiled.cc after some replays of a recording all of whose tensors lie on GPUs.
From then on a call checks the recording's guards, fills the graph's inputs, launches it, and copies
its results: one launch for a whole training step. What a graph could not repeat stays a replay, and
`logging.getLogger("lampas.compile")` says why.
"""

import logging

import lampas
from lampas import _core
from lampas.utils import _pytree

__all__ = ["Capture", "warm"]
_log = logging.getLogger("lampas.compile")
_MOST_CAPTURES = 4  # of one function whose optimizers' options change


class Unsuited(Exception):
    """Why a replay cannot be a graph."""


def warm(name):
    """What a compilation named `name` offers its warm replays to: `(graph or None, result)`."""
    captures = 0

    def offer(run, inputs, objects, names, leaves):
        nonlocal captures
        captures += 1
        capture = None
        try:
            if captures > _MOST_CAPTURES:
                raise Unsuited("its optimizers' options change from call to call")
            capture = Capture(run, inputs, objects, names, leaves)
            result = capture.first()
        except (Unsuited, RuntimeError, NotImplementedError) as reason:
            text = str(reason).partition("\n")[0]
            cause = reason.__context__
            if isinstance(cause, RuntimeError):
                text = f"{str(cause).partition(chr(10))[0]}"
            _log.info("%s is replayed without a device graph: %s", name, text)
            if capture is not None:
                capture.undo()
            return None, run(inputs)
        _log.info("%s is replayed as a device graph", name)
        return capture, result

    return offer


class Capture:
    """One replay as a graph, with the memory it reads and writes.

    Args:
        run: makes the replay's calls for a tuple of inputs.
        inputs: tensors such as later calls will bring.
        objects: what the recording calls as a whole was given: optimizers.
        names: of all calls of the recording.
        leaves: tensors from around the function that may get gradients.
    """

    def __init__(self, run, inputs, objects, names, leaves):
        self.run = run
        self.optimizers = list({id(o): o for o in objects}.values())
        self.gradients = []
        self.counters = []
        self.has_backward = any("backward" in name for name in names)
        _check_inputs(inputs)
        for o in self.optimizers:
            if not isinstance(o, lampas.optim.Optimizer):
                raise Unsuited(f"it calls Python with a {type(o).__name__}")
        held = [p for o in self.optimizers for g in o.param_groups for p in g["params"]]
        self.leaves = list({id(p): p for p in (*leaves, *held)}.values())
        self.drops_gradients = "zero_grad" in names
        self._move_counters()
        self.options = self._options()
        with lampas.no_grad():
            self.inputs = tuple(x.detach().clone() for x in inputs)
        self.inputs_given = inputs

    def first(self):
        """Captures, and does the work of the call that brought the inputs."""
        self.gradients = [(p, p.grad) for p in self.leaves]
        versions = [(p, p._version) for p in self.leaves]
        before = [x._version for x in self.inputs]
        self.graph = lampas.cuda.CUDAGraph()
        with lampas.cuda.graph(self.graph, capture_error_mode="thread_local"):
            result = self.run(self.inputs)
        if [x._version for x in self.inputs] != before:
            raise Unsuited("it writes to an argument")
        self._check_gradients()
        leaves, self.structure = _pytree.tree_flatten(result)
        tensors = [y for y in leaves if isinstance(y, lampas.Tensor)]
        if any(y.requires_grad for y in tensors) and not self.has_backward:
            raise Unsuited("its result wants a gradient, which is asked for elsewhere")
        self.outputs = [y.detach() if isinstance(y, lampas.Tensor) else y for y in leaves]
        self.written = [p for p, version in versions if p._version != version]
        return self(self.inputs_given, fill=False)

    def __call__(self, inputs, fill=True):
        """The result for other inputs; NotImplemented where the capture is out of date."""
        if fill and self._options() != self.options:
            return NotImplemented
        with lampas.no_grad():
            if fill:
                for mine, given in zip(self.inputs, inputs):
                    mine.copy_(given)
            self.graph.replay()
            if fill:
                _core._mark_written(self.written)
            copies = [y.clone() if isinstance(y, lampas.Tensor) else y for y in self.outputs]
            return _pytree.tree_unflatten(copies, self.structure)

    def _check_gradients(self):
        """A gradient that a call adds to must stay where it is, or be dropped by the call itself."""
        for p, before in self.gradients:
            if before is None and p.grad is not None and not self.drops_gradients:
                raise Unsuited("it makes a gradient that the next call adds to")
            if before is not None and p.grad is not before and not self.drops_gradients:
                raise Unsuited("it adds to a gradient by making a new one")

    def undo(self):
        """After a capture that failed: gradients as they were, as nothing was computed."""
        for p, gradient in self.gradients:
            p.grad = gradient
        for group, state, counter in self.counters:
            group["capturable"] = False
            state["step"] = counter

    def _options(self):
        return [
            [(key, value) for key, value in group.items() if key != "params" and _is_fact(value)]
            for o in self.optimizers
            for group in o.param_groups
        ]

    def _move_counters(self):
        """Optimizers that count steps on the host do it on the device, as `capturable=True` says."""
        for o in self.optimizers:
            for group in o.param_groups:
                for p in group["params"]:
                    self._move_state(group, p, o.state.get(p, {}))

    def _move_state(self, group, p, state):
        for key, value in state.items():
            if not isinstance(value, lampas.Tensor) or value.is_cuda:
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    raise Unsuited("an optimizer keeps numbers on the host")
                continue
            if key != "step" or "capturable" not in group:
                raise Unsuited("an optimizer keeps its state on the host")
            self.counters.append((group, state, value))
        if "step" in state and not state["step"].is_cuda:
            group["capturable"] = True
            state["step"] = state["step"].to(p.device, lampas.float32)


def _is_fact(value):
    return value is None or isinstance(value, (bool, int, float, str, tuple))


def _check_inputs(inputs):
    for x in inputs:
        if x.requires_grad:
            raise Unsuited("an argument requires a gradient")
        if not x.is_cuda:
            raise Unsuited("an argument lies on the host")
    if any(hooked for hooked in (_core._torch_function_modes(), _core._transforms())):
        raise Unsuited("a mode watches its calls")
