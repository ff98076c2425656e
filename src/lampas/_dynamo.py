"""`torch._dynamo`: the inner names of `torch.compile`. Its switches are kept; few have an effect.

What would need an FX graph raises NotImplementedError.
"""

import contextlib
import importlib.machinery
import sys
import types

from lampas import _core, unavailable
from lampas.compiler import (
    allow_in_graph,
    assume_constant_result,
    compile,
    disable,
    is_compiling,
    list_backends,
    reset,
    set_stance,
)
from lampas.compiler.compilation import TorchDynamoException, Unsupported
from lampas.compiler.optimized_module import OptimizedModule

__all__ = [
    "allow_in_graph", "assume_constant_result", "config", "disable", "disallow_in_graph",
    "forbid_in_graph", "graph_break", "is_compiling", "list_backends", "optimize", "reset", "run", "set_stance",
]  # fmt: skip
__path__ = []  # it has submodules, made below
globals().update(unavailable.names("torch._dynamo", "explain export", "", "no FX graph is made"))
disallow_in_graph = forbid_in_graph = run = allow_in_graph


def graph_break(msg=""):
    """The function that calls this runs uncompiled."""
    _core._recording_meets("a graph break is asked for")


def optimize(backend="inductor", *, nopython=False, **options):
    """`torch.compile` as a decorator."""
    return compile(backend=backend, fullgraph=nopython)


def _mark(name):
    def mark(t, index=None, **options):
        return None

    mark.__name__ = mark.__qualname__ = name
    mark.__doc__ = "Every shape is recorded by itself, so the mark has no effect."
    return mark


for (
    _name
) in "mark_dynamic maybe_mark_dynamic mark_static mark_static_address mark_unbacked".split():
    globals()[_name] = _mark(_name)


class _Switches(types.ModuleType):
    """A module of switches that are kept and read back; unknown ones may be set."""

    def __init__(self, name, **values):
        super().__init__(name, "Switches of the compiler.")
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)
        self.__dict__.update(values)
        sys.modules[name] = self

    @contextlib.contextmanager
    def patch(self, *changes, **named):
        """Context or decorator: other values for a while, as `patch(name=value)`, a dict, or a pair."""
        if len(changes) == 2:
            changes = ({changes[0]: changes[1]},)
        for change in changes:
            named.update(change)
        kept = dict(self.__dict__)
        self.__dict__.update(named)
        try:
            yield
        finally:
            self.__dict__.clear()
            self.__dict__.update(kept)


config = _Switches(
    "lampas._dynamo.config",
    suppress_errors=False, verbose=False, cache_size_limit=8, recompile_limit=8,
    accumulated_cache_size_limit=256, optimize_ddp=True, capture_scalar_outputs=False,
    capture_dynamic_output_shape_ops=False, assume_static_by_default=True,
    automatic_dynamic_shapes=True, inline_inbuilt_nn_modules=True, disable=False,
    skip_fwd_side_effects_in_bwd_under_checkpoint=False, force_parameter_static_shapes=True,
    allow_unspec_int_on_nn_module=False,
)  # fmt: skip


class TransformGetItemToIndex(contextlib.nullcontext):
    """Context for traces in which `x[tensor]` is an index operator; here it is one anyway."""


_MODULES = {
    "_trace_wrapped_higher_order_op": {"TransformGetItemToIndex": TransformGetItemToIndex},
    "eval_frame": {"OptimizedModule": OptimizedModule, "disable": disable},
    "utils": {
        "is_compile_supported": unavailable.answering(
            "torch._dynamo.utils.is_compile_supported", True
        )
    },
    "exc": {
        name: type(name, (TorchDynamoException,), {"__module__": "torch._dynamo.exc"})
        for name in ("InvalidBackend", "TensorifyScalarRestartAnalysis")
    }
    | {"TorchDynamoException": TorchDynamoException, "Unsupported": Unsupported},
}
for _name, _members in _MODULES.items():
    unavailable.module(f"lampas._dynamo.{_name}", _members)
