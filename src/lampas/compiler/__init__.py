"""`torch.compile`: accepted, and the function is returned as it is, since lampas runs everything eagerly."""

from lampas import unavailable


def compile(
    model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, options=None, disable=False,
    **kwargs,
):  # fmt: skip
    """`model` itself (or a decorator that returns its function unchanged): nothing is compiled."""
    if model is None:
        return lambda function: function
    if not callable(model):
        raise AssertionError("torch.compile expects a callable")
    return model


def disable(fn=None, recursive=True, *, reason=None):
    """`fn` itself: nothing is compiled."""
    return (lambda function: function) if fn is None else fn


def allow_in_graph(fn):
    """`fn` itself."""
    return fn


assume_constant_result = nested_compile_region = allow_in_graph


def is_compiling():
    """False."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def list_backends(exclude_tags=("debug", "experimental")):
    """No backends."""
    return []


def reset():
    """Nothing is kept that could be reset."""


cudagraph_mark_step_begin = reset


load_compiled_function = unavailable.function(
    "torch.compiler.load_compiled_function", "nothing is compiled"
)


class set_stance:
    """Context or decorator that sets how to compile: it changes nothing."""

    def __init__(self, stance="default", **kwargs):
        self.stance = stance

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def __call__(self, function):
        return function
