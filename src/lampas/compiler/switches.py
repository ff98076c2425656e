"""Whether functions are recorded now: the stance, `disable`, the limit of recordings."""

import functools
import weakref

from lampas import _core

__all__ = [
    "disable",
    "is_compiling",
    "live",
    "most_recordings",
    "recording_allowed",
    "reset",
    "set_stance",
]

live = weakref.WeakSet()  # every compilation, for reset()
_STANCES = (
    "default",
    "force_eager",
    "eager_on_recompile",
    "fail_on_recompile",
    "eager_then_compile",
)
_state = {"stance": "default"}


def recording_allowed():
    """Whether a function that meets new arguments may be recorded."""
    watched = _core._torch_function_modes() or _core._transforms() or _core._profiling()
    return not (watched or _core._is_recording()) and _state["stance"] == "default"


def most_recordings():
    """How many kinds of arguments a function is recorded for before it runs as it is."""
    import lampas

    return lampas._dynamo.config.recompile_limit


def is_compiling():
    """Whether the code that asks is being recorded."""
    return _core._is_recording()


def reset():
    """Forget all recordings of all functions."""
    for compilation in list(live):
        compilation.reset()


def disable(fn=None, recursive=True, *, reason=None):
    """Decorator: a compiled function that calls `fn` runs as it is, uncompiled."""
    if fn is None:
        return functools.partial(disable, recursive=recursive, reason=reason)
    plain = getattr(fn, "_torchdynamo_orig_callable", fn)
    name = getattr(plain, "__qualname__", type(plain).__name__)

    @functools.wraps(plain)
    def disabled(*args, **kwargs):
        _core._recording_meets(f"{name} is under torch.compiler.disable")
        return plain(*args, **kwargs)

    return disabled


class set_stance:
    """How compiled functions behave from now on, or in a context or decorated function.

    stance: "default" records and replays; "force_eager" runs the functions as they are; the others
        of PyTorch run them as they are where nothing recorded fits.

    Raises:
        RuntimeError: an unknown stance.
    """

    def __init__(self, stance="default", *, skip_guard_eval_unsafe=False, force_backend=None):
        if stance not in _STANCES:
            raise RuntimeError(f"invalid torch.compile stance '{stance}'")
        self.stance = stance
        self._before = _state["stance"]
        _state["stance"] = stance

    def __enter__(self):
        _state["stance"] = self.stance
        return self

    def __exit__(self, *_):
        _state["stance"] = self._before
        return False

    def __call__(self, function):
        _state["stance"] = self._before

        @functools.wraps(function)
        def under_stance(*args, **kwargs):
            with set_stance(self.stance):
                return function(*args, **kwargs)

        return under_stance
