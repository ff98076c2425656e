"""LazyModuleMixin: modules that learn their shapes from their first input."""

import itertools

from lampas.nn.modules.module import Module
from lampas.nn.parameter import is_lazy


class LazyModuleMixin(Module):  # a Module: an object can only turn into a class of its layout
    """Makes a module wait for its first call before it creates its parameters.

    A class using it creates `UninitializedParameter`s, defines `initialize_parameters(*args)`
    and may name in `cls_to_become` the class it turns into.
    """

    cls_to_become = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(
            self._infer_parameters, with_kwargs=True
        )

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        # Detaching an unsized parameter is impossible: it is stored as it is.
        for name, param in self._parameters.items():
            if param is not None:
                kept = is_lazy(param) or keep_vars
                destination[prefix + name] = param if kept else param.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                kept = is_lazy(buffer) or keep_vars
                destination[prefix + name] = buffer if kept else buffer.detach()

    def _lazy_load_hook(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        """Gives unsized parameters the shapes of the entries about to be loaded."""
        import lampas

        for name, value in itertools.chain(self._parameters.items(), self._buffers.items()):
            key = prefix + name
            if key in state_dict and value is not None:
                given = state_dict[key]
                if is_lazy(value) and not is_lazy(given):
                    with lampas.no_grad():
                        value.materialize(given.shape)

    def initialize_parameters(self, *args, **kwargs):
        """Creates the parameters from the shapes of the first input; for subclasses."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {self.__class__.__name__}"
        )

    def has_uninitialized_params(self):
        """Whether some parameter or buffer has no shape yet."""
        values = itertools.chain(self._parameters.values(), self._buffers.values())
        return any(is_lazy(value) for value in values)

    def _infer_parameters(self, module, args, kwargs=None):
        kwargs = kwargs or {}
        module.initialize_parameters(*args, **kwargs)
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        module._load_hook.remove()
        delattr(module, "_initialize_hook")
        delattr(module, "_load_hook")
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _replicate_for_data_parallel(self):
        raise RuntimeError(
            "Modules with uninitialized parameters can't be used with `DataParallel`. "
            "Run a dummy forward pass to correctly initialize the modules"
        )
