"""The graph that backward walks: nodes, edges, hooks on what is saved for backward."""

import threading
from collections import namedtuple

from lampas import _core

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "save_on_cpu",
    "saved_tensors_hooks",
]

Node = _core.Node

GradientEdge = namedtuple(
    "GradientEdge", ("node", "output_nr", "ownership_token"), defaults=(None,)
)
GradientEdge.__doc__ = "Where the gradient of a tensor flows: input `output_nr` of `node`."

_state = threading.local()  # .disabled: the message of disable_saved_tensors_hooks


def get_gradient_edge(tensor):
    """The GradientEdge of a tensor that requires gradients."""
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require gradients"
        )
    return GradientEdge(*_core._gradient_edge(tensor))


def increment_version(tensor):
    """Marks one tensor (or each of several) as changed in place."""
    _core._mark_written([tensor] if isinstance(tensor, _core.Tensor) else list(tensor))


class saved_tensors_hooks:
    """Inside, what is saved for backward goes through `pack_hook`, and comes back through `unpack_hook`.

    pack_hook(tensor) may return anything; unpack_hook(that) must return a tensor of the same values.
    """

    def __init__(self, pack_hook, unpack_hook):
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self):
        message = getattr(_state, "disabled", None)
        if message is not None:
            raise RuntimeError(message)
        _core._push_saved_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *_):
        _core._pop_saved_hooks()


class save_on_cpu(saved_tensors_hooks):
    """Inside, saved tensors wait for backward in the CPU's memory."""

    def __init__(self, pin_memory=False, device_type="cuda"):
        super().__init__(lambda x: (x.device, x.cpu()), lambda packed: packed[1].to(packed[0]))


class disable_saved_tensors_hooks:
    """Inside, entering `saved_tensors_hooks` raises RuntimeError(error_message)."""

    def __init__(self, error_message):
        self.error_message = error_message

    def __enter__(self):
        self._before = getattr(_state, "disabled", None)
        _state.disabled = self.error_message

    def __exit__(self, *_):
        _state.disabled = self._before


def allow_mutation_on_saved_tensors():
    """Not offered: saved tensors must not be changed in place before backward."""
    raise NotImplementedError("torch.autograd.graph.allow_mutation_on_saved_tensors")
