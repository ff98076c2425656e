"""`torch.fx`: names only. Programs are not traced into graphs, so using one raises NotImplementedError.

`wrap`, which marks a function as a leaf of a trace, works: there is nothing to trace.
"""

from lampas import unavailable
from lampas.utils import _pytree

_HINT = "programs are not traced into graphs"
_CLASSES = "Graph GraphModule Node Proxy Tracer Interpreter Transformer CodeGen ProxyableClassMeta"
globals().update(
    unavailable.names("torch.fx", "symbolic_trace replace_pattern map_arg", _CLASSES, _HINT)
)
_wrapped = []


def wrap(fn_or_name):
    """Returns its argument: a function, or the name of one."""
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError(
            "Unsupported type for global function! Must be either a callable or string name"
        )
    _wrapped.append(fn_or_name)
    return fn_or_name


def has_side_effect(fn):
    """Returns the function."""
    return fn


def _make_modules():
    here = globals()

    def names(module, functions="", types="", **members):
        path = f"fx.{module}"
        kept = {name: here[name] for name in [*functions.split(), *types.split()] if name in here}
        new = unavailable.names(f"torch.{path}", functions, types, _HINT)
        unavailable.module(f"lampas.{path}", {**new, **kept, **members})

    names("graph", types="Graph CodeGen")
    names("graph_module", "_copy_attr", "GraphModule _CodeOnlyModule")
    names("node", "map_arg map_aggregate", "Node", Target=object, Argument=object)
    names("proxy", types="Proxy TracerBase GraphAppendingTracer")
    names("interpreter", types="Interpreter Transformer")
    names("_symbolic_trace", "symbolic_trace", "Tracer", wrap=wrap)
    names("experimental")
    names(
        "experimental.proxy_tensor", "make_fx",
        get_proxy_mode=unavailable.answering("torch.fx.experimental.proxy_tensor.get_proxy_mode", None),
    )  # fmt: skip
    names("experimental.symbolic_shapes", **_symbolic_shapes())
    names("passes")
    names("passes.infra")
    names("passes.infra.pass_base", types="PassBase PassResult")
    names("_pytree", "tree_flatten_spec", register_pytree_flatten_spec=lambda *args: None)


def _symbolic_shapes():
    """Sizes are plain numbers here, so questions about symbols have plain answers."""

    def truth(a):
        return bool(a)

    def no_symbols(value):
        return set()

    error = type("GuardOnDataDependentSymNode", (RuntimeError,), {})
    return {
        **dict.fromkeys(
            ("guard_or_false", "guard_or_true", "statically_known_true", "guard_size_oblivious"),
            truth,
        ),
        "free_symbols": no_symbols,
        "free_unbacked_symbols": no_symbols,
        "is_symbolic": lambda value: False,
        "GuardOnDataDependentSymNode": error,
    }


_make_modules()
