"""What Python adds to the core's graph nodes: hooks with a handle that takes them off."""

from lampas import _core


class RemovableHandle:
    """Takes a node's hook off again, by `remove()` or at the end of a `with` block."""

    def __init__(self, node, id):
        self._node, self.id = node, id

    def remove(self):
        if self._node is not None:
            self._node._remove_hook(self.id)
            self._node = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def register_hook(self, fn):
    """Calls `fn(grad_inputs, grad_outputs)` after this node ran; a returned tuple replaces grad_inputs."""
    return RemovableHandle(self, self._register_hook(fn))


def register_prehook(self, fn):
    """Calls `fn(grad_outputs)` before this node runs; a returned tuple replaces them."""
    return RemovableHandle(self, self._register_prehook(fn))


_core.Node.register_hook = register_hook
_core.Node.register_prehook = register_prehook
