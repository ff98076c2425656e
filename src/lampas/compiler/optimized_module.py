"""`torch.compile(module)`: a module that replays the recorded calls of the one inside."""

from lampas.compiler.compilation import Compilation
from lampas.nn import Module


class OptimizedModule(Module):
    """The compiled form of a module, which stands in `_orig_mod` and keeps the parameters.

    Attributes that this one lacks are those of the module inside; keys of its state are prefixed
    with "_orig_mod.", as in PyTorch.
    """

    def __init__(self, mod, fullgraph=False, graphs=True):
        super().__init__()
        self._modules["_orig_mod"] = mod
        self.__dict__["_compilation"] = Compilation(mod.__call__, fullgraph, graphs=graphs)
        self.__dict__["training"] = mod.training

    def __call__(self, *args, **kwargs):
        return self._compilation.call(*args, **kwargs)

    def forward(self, *args, **kwargs):
        """What the module inside gives."""
        return self._compilation.call(*args, **kwargs)

    def __getattr__(self, name):
        if name == "_orig_mod":
            return self._modules["_orig_mod"]
        return getattr(self._modules["_orig_mod"], name)

    def __setattr__(self, name, value):
        if name == "_orig_mod" or name in type(self).__dict__:
            return super().__setattr__(name, value)
        return setattr(self._modules["_orig_mod"], name, value)

    def __delattr__(self, name):
        delattr(self._modules["_orig_mod"], name)

    def __len__(self):
        return len(self._modules["_orig_mod"])

    def train(self, mode=True):
        """Set the mode of both modules."""
        self.__dict__["training"] = bool(mode)
        self._modules["_orig_mod"].train(mode)
        return self

    def __reduce__(self):
        return OptimizedModule, (self._modules["_orig_mod"], self._compilation.fullgraph)
