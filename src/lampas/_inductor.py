"""`torch._inductor`: PyTorch's compiler, which is not here. Questions say so."""

import contextlib

from lampas import unavailable
from lampas.compiler import cudagraph_mark_step_begin

__all__ = ["config", "cudagraph_mark_step_begin", "list_mode_options"]
globals().update(
    unavailable.names(
        "torch._inductor",
        "compile aoti_compile_and_package list_options",
        hint="nothing is compiled",
    )
)


def list_mode_options(mode=None, dynamic=None):
    """No modes."""
    return {} if mode is None else {mode: {}}


class _Switches:
    """Switches that may be set to anything."""

    @contextlib.contextmanager
    def patch(self, *changes, **named):
        """Context: nothing is compiled under it either."""
        yield


config = _Switches()
