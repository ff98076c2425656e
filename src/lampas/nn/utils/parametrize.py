"""Parameters that are functions of other tensors.

A parametrised module gets a class of its own, in which the tensor is a property that computes it
from `module.parametrizations.<name>`. Ready-made functions are in parametrizations.py.
"""

from contextlib import contextmanager
from copy import deepcopy

import lampas
from lampas.nn.modules.container import ModuleDict, ModuleList
from lampas.nn.parameter import Parameter

__all__ = [
    "cached",
    "ParametrizationList",
    "register_parametrization",
    "is_parametrized",
    "remove_parametrizations",
    "type_before_parametrizations",
    "transfer_parametrizations_and_params",
]

_cache_enabled = 0
_cache = {}


@contextmanager
def cached():
    """Inside the block every parametrised tensor is computed once and kept."""
    global _cache_enabled
    _cache_enabled += 1
    try:
        yield
    finally:
        _cache_enabled -= 1
        if not _cache_enabled:
            _cache.clear()


def _is_sequence(value):
    return hasattr(value, "__getitem__") and hasattr(value, "__len__")


def _register_parameter_or_buffer(module, name, X):
    if isinstance(X, Parameter):
        module.register_parameter(name, X)
    else:
        module.register_buffer(name, X)


def _replace_values(dest, src):
    """Give a tensor other data, and keep the object: optimizers hold on to it."""
    if dest is not src:
        dest.data = src.detach()


class ParametrizationList(ModuleList):
    """The functions of one tensor, applied in order, and the tensors they start from.

    Holds `original`, or `original0`, `original1`, ... when the first `right_inverse` gives a
    sequence.

    Raises:
        ValueError: no functions, a `right_inverse` that gives no tensors, or (unless `unsafe`)
            a result of another shape or dtype than the original.
    """

    def __init__(self, modules, original, unsafe=False):
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        with lampas.no_grad():
            new = original
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    continue
                try:
                    new = module.right_inverse(new)
                except NotImplementedError:
                    # The function cannot be assigned to: start from the tensor itself.
                    pass
        self._store(original, new)
        if not unsafe:
            self._check_result(shape, dtype)

    def _store(self, original, new):
        if not isinstance(new, lampas.Tensor) and not _is_sequence(new):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, lampas.Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            if original.dtype != new.dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                    f"original.dtype: {original.dtype}\n"
                    f"right_inverse(original).dtype: {new.dtype}"
                )
            if original.device != new.device:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the device.\n"
                    f"original.device: {original.device}\n"
                    f"right_inverse(original).device: {new.device}"
                )
            _replace_values(original, new)
            _register_parameter_or_buffer(self, "original", original)
            return
        for index, tensor in enumerate(new):
            if not isinstance(tensor, lampas.Tensor):
                raise ValueError(
                    "'right_inverse' must return a Tensor or a Sequence of tensors "
                    f"(list, tuple...). Got element {index} of the sequence with type "
                    f"{type(tensor).__name__}."
                )
            if isinstance(original, Parameter):
                tensor = Parameter(tensor, original.requires_grad)
            tensor.requires_grad_(original.requires_grad)
            _register_parameter_or_buffer(self, f"original{index}", tensor)

    def _check_result(self, shape, dtype):
        result = self()
        if not isinstance(result, lampas.Tensor):
            raise ValueError(
                f"A parametrization must return a tensor. Got {type(result).__name__}."
            )
        for kind, old, new in (("dtype", dtype, result.dtype), ("shape", shape, result.shape)):
            if old != new:
                raise ValueError(
                    f"Registering a parametrization may not change the {kind} of the tensor, "
                    f"unless `unsafe` flag is enabled.\n"
                    f"unparametrized {kind}: {old}\nparametrized {kind}: {new}"
                )

    def right_inverse(self, value):
        """Set the originals so that the functions give `value`, as far as they can.

        Raises:
            RuntimeError: a function without `right_inverse`.
            ValueError: one that gives something other than the originals' kind of tensors.
        """
        with lampas.no_grad():
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                value = module.right_inverse(value)
            if self.is_tensor:
                self._set_original(value)
            else:
                self._set_originals(value)

    def _set_original(self, value):
        if not isinstance(value, lampas.Tensor):
            raise ValueError(f"`right_inverse` should return a tensor. Got {type(value).__name__}")
        if value.dtype != self.original.dtype:
            raise ValueError(
                f"The tensor returned by `right_inverse` has dtype {value.dtype} "
                f"while `original` has dtype {self.original.dtype}"
            )
        _replace_values(self.original, value)

    def _set_originals(self, values):
        expected = "'right_inverse' must return a sequence of tensors"
        if isinstance(values, lampas.Tensor) or not _is_sequence(values):
            raise ValueError(f"{expected}. Got {type(values).__name__}.")
        if len(values) != self.ntensors:
            raise ValueError(
                f"{expected} of length {self.ntensors}. Got a sequence of length {len(values)}."
            )
        for index, value in enumerate(values):
            name = f"original{index}"
            original = getattr(self, name)
            if not isinstance(value, lampas.Tensor):
                raise ValueError(
                    f"{expected} or reference-type opaques. "
                    f"Got element {index} of type {type(value).__name__}."
                )
            if original.dtype != value.dtype:
                raise ValueError(
                    f"Tensor {index} returned by `right_inverse` has dtype {value.dtype} "
                    f"while `{name}` has dtype {original.dtype}"
                )
            _replace_values(original, value)

    def forward(self):
        """The tensor that the functions make of the originals."""
        if self.is_tensor:
            originals = (self.original,)
        else:
            originals = (getattr(self, f"original{i}") for i in range(self.ntensors))
        first, *others = self
        value = first(*originals)
        for module in others:
            value = module(value)
        return value


def _inject_new_class(module):
    """Give the module a class of its own, which can hold properties."""
    cls = type(module)

    def __deepcopy__(self, memo):
        copy = self.__new__(type(self))
        memo[id(self)] = copy
        copy.__dict__ = deepcopy(self.__dict__, memo)
        return copy

    def __getstate__(self):
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(). "
            "See:\nhttps://pytorch.org/tutorials/beginner/saving_loading_models.html"
            "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
        )

    members = {"__getstate__": __getstate__}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = __deepcopy__
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def _inject_property(module, tensor_name):
    def get_parametrized(self):
        if not _cache_enabled:
            return self.parametrizations[tensor_name]()
        key = (id(self), tensor_name)
        if key not in _cache:
            _cache[key] = self.parametrizations[tensor_name]()
        return _cache[key]

    def set_original(self, value):
        self.parametrizations[tensor_name].right_inverse(value)

    setattr(type(module), tensor_name, property(get_parametrized, set_original))


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """Make a parameter or buffer the result of a module applied to it; gives the module back.

    With a `right_inverse` the parametrisation can be assigned to, and starts from
    right_inverse(tensor). `unsafe` allows results of another shape or dtype.

    Raises:
        ValueError: no such tensor, or a change of shape or dtype without `unsafe`.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_further(module, tensor_name, parametrization)
        functions = module.parametrizations[tensor_name]
        functions.append(parametrization)
        functions.unsafe |= unsafe
        return module
    if tensor_name not in module._parameters and tensor_name not in module._buffers:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    original = getattr(module, tensor_name)
    functions = ParametrizationList([parametrization], original, unsafe=unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        _inject_new_class(module)
        module.parametrizations = ModuleDict()
    _inject_property(module, tensor_name)
    module.parametrizations[tensor_name] = functions
    return module


def _check_further(module, name, parametrization):
    """Check that one more function keeps shape and dtype, and that its inverse does."""
    before = getattr(module, name)
    after = parametrization(before)
    if not isinstance(after, lampas.Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(after).__name__}.")
    for kind in ("dtype", "shape"):
        if getattr(after, kind) != getattr(before, kind):
            raise ValueError(
                f"Registering a parametrization may not change the {kind} of the tensor, "
                "unless the `unsafe` flag is enabled.\n"
                f"module.{name}.{kind}: {getattr(before, kind)}\n"
                f"parametrization(module.{name}).{kind}: {getattr(after, kind)}"
            )
    if not hasattr(parametrization, "right_inverse"):
        return
    try:
        back = parametrization.right_inverse(after)
    except NotImplementedError:
        return
    if not isinstance(back, lampas.Tensor):
        raise ValueError(
            f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}"
        )
    for kind in ("dtype", "shape"):
        if getattr(back, kind) != getattr(before, kind):
            raise ValueError(
                f"The tensor returned by parametrization.right_inverse must have the same {kind} "
                f"as module.{name}, unless the `unsafe` flag is enabled.\n"
                f"module.{name}.{kind}: {getattr(before, kind)}\n"
                f"returned {kind}: {getattr(back, kind)}"
            )


def is_parametrized(module, tensor_name=None):
    """Whether the module, or one tensor of it, is parametrised."""
    parametrizations = getattr(module, "parametrizations", None)
    if not isinstance(parametrizations, ModuleDict):
        return False
    if tensor_name is None:
        return len(parametrizations) > 0
    return tensor_name in parametrizations


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """Make a tensor plain again, with its present value or with that of the original.

    Raises:
        ValueError: the tensor is not parametrised, or has several originals to choose from.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    functions = module.parametrizations[tensor_name]
    if functions.is_tensor:
        original = functions.original
        if leave_parametrized:
            with lampas.no_grad():
                _replace_values(original, getattr(module, tensor_name))
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor "
            "that is parametrized in terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register_parameter_or_buffer(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module):
    """The class that the module had before it was parametrised."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module, to_module, tensor_name=None):
    """Copy the parametrisations, and the tensors they start from, to another module."""
    if not is_parametrized(from_module):
        return to_module
    if tensor_name is None:
        names = list(from_module.parametrizations)
    else:
        from_module.parametrizations[tensor_name]  # KeyError for a tensor without any
        names = [tensor_name]
    for name in names:
        source = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach().clone()))
        for function in source:
            register_parametrization(to_module, name, function, unsafe=source.unsafe)
        target = to_module.parametrizations[name]
        for key in [key for key in dir(source) if key.startswith("original")]:
            with lampas.no_grad():
                _replace_values(getattr(target, key), getattr(source, key).clone())
    return to_module
