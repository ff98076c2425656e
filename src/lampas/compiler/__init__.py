"""`torch.compile` and `torch.compiler`: functions recorded once and replayed in C++.

How a function is recorded is in compilation.py and core/python/recording.cc. Code that cannot be
recorded runs as it is, with the same results; `logging.getLogger("lampas.compile")` tells why.
"""

import functools

import lampas
from lampas import unavailable
from lampas.compiler.compilation import compiled_function
from lampas.compiler.switches import disable, is_compiling, reset, set_stance

__all__ = [
    "allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin", "disable",
    "is_compiling", "is_dynamo_compiling", "is_exporting", "list_backends", "load_compiled_function",
    "nested_compile_region", "reset", "set_stance", "substitute_in_graph",
]  # fmt: skip
_BACKENDS = ("cudagraphs", "inductor", "openxla", "tvm")
_EAGER_BACKENDS = ("aot_eager", "eager", "eager_noexcept")
_MODES = (None, "default", "lite", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune")


def compile(
    model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, options=None,
    disable=False, **kwargs,
):  # fmt: skip
    """A function that gives the results of `model`, by replaying the operators of an earlier call.

    The first call with arguments of a new kind (structure, shapes, strides, dtypes, requires_grad,
    values of numbers and strings) runs the Python code and records the operators it calls; later
    calls run those only, chains of pointwise ones as one pass over memory. Gradients, optimizer
    steps and random numbers inside it are repeated too; other effects of the Python code (appending
    to a list) happen in recorded calls only, and a function that has them is not replayed. Time,
    files and variables of installed libraries are taken to be constant.

    Args:
        model: a function, a module (an OptimizedModule is returned), or None to make a decorator.
        fullgraph: raise RuntimeError where the function cannot be replayed, instead of running it.
        dynamic, mode, options: accepted; every shape is recorded by itself. On a GPU a recording
            becomes a device graph after some calls (device_graphs.py), unless mode is
            "max-autotune-no-cudagraphs" or options say {"triton.cudagraphs": False}.
        backend: "eager" and its like run the function as it is.
        disable: return `model` itself.

    Raises:
        RuntimeError: both `mode` and `options`, or an unknown mode or backend.
        NotImplementedError: a callable `backend`, for there is no FX graph to hand to it.
    """
    if model is None:
        return functools.partial(
            compile, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode,
            options=options, disable=disable, **kwargs,
        )  # fmt: skip
    if not callable(model):
        raise AssertionError(f"A callable function is expected, but {type(model)} is provided.")
    _check(backend, mode, options)
    if disable:
        return model
    if backend in _EAGER_BACKENDS:
        return model
    from lampas.nn import Module

    if isinstance(model, Module):
        from lampas.compiler.optimized_module import OptimizedModule

        return OptimizedModule(model, fullgraph, _graphs_wanted(mode, options))
    return compiled_function(model, fullgraph, _graphs_wanted(mode, options))


def _graphs_wanted(mode, options):
    """Whether work on a GPU may become device graphs, as the arguments of `compile` say."""
    switch = (options or {}).get("triton.cudagraphs", True)
    return bool(switch) and mode != "max-autotune-no-cudagraphs"


def _check(backend, mode, options):
    if mode is not None and options is not None:
        raise RuntimeError(
            "Either mode or options can be specified, but both can't be specified at the same time."
        )
    if not isinstance(backend, str):
        raise NotImplementedError("torch.compile(backend=<callable>): there is no FX graph here")
    if backend not in _BACKENDS + _EAGER_BACKENDS:
        raise lampas._dynamo.exc.InvalidBackend(
            f"Invalid backend: {backend!r}, see `torch._dynamo.list_backends()` for available backends."
        )
    if mode not in _MODES:
        raise RuntimeError(f"Unrecognized mode={mode}, should be one of: {', '.join(_MODES[1:])}")


def allow_in_graph(fn):
    """`fn` itself: what it does is recorded anyway."""
    return fn


assume_constant_result = nested_compile_region = substitute_in_graph = allow_in_graph


def is_dynamo_compiling():
    """Whether the code that asks is being recorded."""
    return is_compiling()


def is_exporting():
    """False."""
    return False


def list_backends(exclude_tags=("debug", "experimental")):
    """The backends that `compile` takes; all of them are the same one."""
    return list(_BACKENDS)


def cudagraph_mark_step_begin():
    """Nothing: results of device graphs are copies, which a later step does not change."""


load_compiled_function = unavailable.function(
    "torch.compiler.load_compiled_function", "recordings live in one process"
)
