"""`torch.compile` of one function: when it is recorded, when replayed, when run as it is.

The first call with new arguments runs the function and records its calls of the core; calls of the
same kind are then replayed by `_core.Compiled` without the function's Python code. What a function
can reach is in environment.py; what can be recorded is decided by core/python/recording.cc.
"""

import functools
import logging
import random
import sys

from lampas import _core
from lampas.compiler import switches
from lampas.compiler.environment import Environment, Unrecordable

__all__ = ["Compilation", "Unsupported"]

_log = logging.getLogger("lampas.compile")
_MOST_ATTEMPTS = 3  # of a function that changes what it can reach, as on its first call


class TorchDynamoException(RuntimeError):
    """Base of what a compiled function raises about being compiled."""

    __module__ = "torch._dynamo.exc"


class Unsupported(TorchDynamoException):
    """A function under `fullgraph=True` cannot be replayed; the message names why."""

    __module__ = "torch._dynamo.exc"


class Compilation:
    """A function and its recordings.

    Attributes:
        function: what was given.
        call: the callable to use in its place.
        obstacle: why the function runs as it is; None while it is recorded and replayed.

    graphs: whether replays whose tensors all lie on GPUs become graphs of the device's work.
    """

    def __init__(self, function, fullgraph=False, most_recordings=None, graphs=True):
        self.function = function
        self.fullgraph = fullgraph
        self.obstacle = None
        self.call = _core.Compiled(self._miss, self._warm() if graphs else None)
        self._limit = most_recordings
        self._recordings = 0
        self._attempts = 0
        self._busy = False  # recording, perhaps on another thread
        switches.live.add(self)

    def _warm(self):
        """What the core offers warm replays to; None where no GPU could hold them."""
        if not _core._cuda_device_count():
            return None
        from lampas.compiler import device_graphs

        return device_graphs.warm(self._name())

    def _name(self):
        return getattr(self.function, "__qualname__", None) or type(self.function).__name__

    def reset(self):
        """Forget every recording and every reason against one."""
        self.call.clear()
        self.obstacle = None
        self._recordings = self._attempts = 0

    def calls(self):
        """The names of the core's functions that each recording replays, in order."""
        return self.call.calls()

    def _miss(self, args, kwargs):
        if self.obstacle is not None or self._busy or not switches.recording_allowed():
            return self.function(*args, **kwargs)
        if self._recordings >= (self._limit or switches.most_recordings()):
            self._give_up(f"it was called with more than {self._recordings} kinds of arguments")
            return self.function(*args, **kwargs)
        return self._record(args, kwargs)

    def _record(self, args, kwargs):
        try:
            environment = Environment(self.function, args, kwargs)
        except Unrecordable as reason:
            self._give_up(str(reason))
            return self.function(*args, **kwargs)
        drawn = _random_states()
        self._busy = True
        try:
            self.call.begin(args, kwargs, environment.places)
            result = self.function(*args, **kwargs)
        except BaseException:
            self.call.end(None, None)
            raise
        finally:
            self._busy = False
        if _random_states() != drawn:
            _core._recording_meets("it draws from Python's or NumPy's random numbers")
        self._judge(self.call.end(result, environment.tensors))
        return result

    def _judge(self, reason):
        """Take note of a recording that succeeded (None) or of why it did not."""
        if reason is None:
            self._recordings += 1
            self._attempts = 0
        elif reason.startswith("it changes ") and self._attempts + 1 < _MOST_ATTEMPTS:
            self._attempts += 1  # perhaps only on a first call, as optimizers make their state
        else:
            self._give_up(reason)

    def _give_up(self, reason):
        self.obstacle = reason
        name = self._name()
        _log.info("%s runs uncompiled: %s", name, reason)
        if self.fullgraph:
            raise Unsupported(f"{name} cannot be compiled as one graph: {reason}")


def _random_states():
    """What would tell that Python's or NumPy's global random numbers were drawn."""
    states = [random.getstate()]
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        kind, keys, *rest = numpy.get_state()
        states.append((kind, keys.tobytes(), *rest))
    return states


def compiled_function(function, fullgraph, graphs=True):
    """`function` compiled: a function of the same name and signature."""
    compilation = Compilation(function, fullgraph, graphs=graphs)
    call = compilation.call

    @functools.wraps(function)
    def compiled(*args, **kwargs):
        return call(*args, **kwargs)

    compiled._torchdynamo_orig_callable = function
    compiled._lampas_compilation = compilation
    return compiled
