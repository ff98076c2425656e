"""Parameter and Buffer: tensors that a Module registers by itself, and their unsized forms."""

import lampas
from lampas import Tensor
from lampas._core import _disabled_torch_function_impl


class _ParameterMeta(type(Tensor)):
    # A tensor subclass keeps its own type as a parameter; an attribute marks it instead.
    def __instancecheck__(cls, instance):
        return type.__instancecheck__(cls, instance) or (
            cls is Parameter
            and isinstance(instance, Tensor)
            and getattr(instance, "_is_param", False)
        )


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A tensor that becomes part of `Module.parameters()` when assigned to a module attribute.

    `data` defaults to an empty tensor; gradients are wanted unless `requires_grad` is False.
    """

    def __new__(cls, data=None, requires_grad=True):
        if data is None:
            data = lampas.empty(0)
        if type(data) is Tensor or type(data) is Parameter:
            if requires_grad and not (data.is_floating_point() or data.is_complex()):
                raise RuntimeError(
                    "Only Tensors of floating point and complex dtype can require gradients"
                )
            return Tensor._make_subclass(cls, data, requires_grad)
        marked = data.detach().requires_grad_(requires_grad)
        if type(marked) is not type(data):
            raise RuntimeError(
                f"Creating a Parameter from an instance of type {type(data).__name__} "
                "requires that detach() returns an instance of the same type, but return "
                f"type {type(marked).__name__} was found instead. To use the type as a "
                "Parameter, please correct the detach() semantics defined by "
                "its __torch_dispatch__() implementation."
            )
        marked._is_param = True
        return marked

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        data = self.data.clone(memory_format=lampas.preserve_format)
        result = type(self)(data, self.requires_grad)
        memo[id(self)] = result
        return result

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()

    def __reduce_ex__(self, proto):
        from collections import OrderedDict

        hooks = OrderedDict()  # hooks are never saved; the slot keeps the file format
        state = getattr(self, "__dict__", None)
        if not state:
            return lampas._utils._rebuild_parameter, (self.data, self.requires_grad, hooks)
        arguments = (self.data, self.requires_grad, hooks, state)
        return lampas._utils._rebuild_parameter_with_state, arguments

    # What is computed from a parameter is a plain tensor.
    __torch_function__ = _disabled_torch_function_impl


class _UninitializedTensor:
    """What unsized parameters and buffers share: no shape until `materialize` is called."""

    __slots__ = ()
    cls_to_become = None
    _allowed = frozenset(
        (
            "__hash__", "size", "copy_", "is_complex", "is_floating_point", "half", "float",
            "double", "char", "short", "int", "long", "cuda", "cpu", "to", "get_device",
        )
    )  # fmt: skip

    def materialize(self, shape, device=None, dtype=None):
        """Allocates the data and turns this object into an ordinary parameter or buffer."""
        device = self.data.device if device is None else device
        dtype = self.data.dtype if dtype is None else dtype
        self.data = lampas.empty(shape, device=device, dtype=dtype)
        self.__class__ = self.cls_to_become

    @property
    def shape(self):
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. "
            "This error usually happens in `load_state_dict` when trying to load "
            "an uninitialized parameter into an initialized one. "
            "Call `forward` to initialize the parameters before accessing their attributes."
        )

    def share_memory_(self):
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. "
            "Call `forward` to initialize the parameters before calling "
            "`module.share_memory()`."
        )

    def __repr__(self):
        return f"<{self.__class__.__name__}>"

    def __reduce_ex__(self, proto):
        return self.__class__, (self.requires_grad,)

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in cls._allowed or type(func).__name__ == "method-wrapper" or name in (
            "__get__", "__set__", "requires_grad_", "detach", "type"
        ):  # fmt: skip
            return super().__torch_function__(func, types, args, kwargs or {})
        raise ValueError(
            f"Attempted to use an uninitialized parameter in {func}. "
            "This error happens when you are using a `LazyModule` or "
            "explicitly manipulating `torch.nn.parameter.UninitializedParameter` "
            "objects. When using LazyModules Call `forward` with a dummy batch "
            "to initialize the parameters before calling torch functions"
        )


def _keeping_class(name):
    """A conversion after which an uninitialized tensor still is one, of the new type or device."""
    convert = getattr(Tensor, name)

    def converted(self, *args, **kwargs):
        result = convert(self.data, *args, **kwargs)
        kept = Tensor._make_subclass(type(self), result, self.requires_grad)
        kept.__dict__.update(self.__dict__)
        return kept

    converted.__name__ = converted.__qualname__ = name
    return converted


for _name in (
    "to",
    "cpu",
    "cuda",
    "half",
    "bfloat16",
    "float",
    "double",
    "detach",
    "cfloat",
    "cdouble",
):
    setattr(_UninitializedTensor, _name, _keeping_class(_name))


def is_lazy(tensor):
    """Whether the tensor is a parameter or buffer whose shape is not known yet."""
    return isinstance(tensor, _UninitializedTensor)


class UninitializedParameter(_UninitializedTensor, Parameter):
    """A parameter of unknown shape, as lazy modules hold before their first call."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad=True, device=None, dtype=None):
        data = lampas.empty(0, device=device, dtype=dtype)
        return Tensor._make_subclass(cls, data, requires_grad)

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        result = type(self)(self.requires_grad, self.data.device, self.data.dtype)
        memo[id(self)] = result
        return result


class _BufferMeta(type(Tensor)):
    # A buffer is a plain tensor; an attribute marks it.
    def __instancecheck__(cls, instance):
        return type.__instancecheck__(cls, instance) or (
            cls is Buffer
            and isinstance(instance, Tensor)
            and getattr(instance, "_is_buffer", False)
        )


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that a module registers as buffer when assigned to an attribute.

    `persistent` says whether it is part of the module's `state_dict`.
    """

    def __new__(cls, data=None, *, persistent=True):
        if data is None:
            data = lampas.empty(0)
        marked = data.detach().requires_grad_(data.requires_grad)
        marked.persistent = persistent
        marked._is_buffer = True
        return marked

    __torch_function__ = _disabled_torch_function_impl


class UninitializedBuffer(_UninitializedTensor, Tensor):
    """A buffer of unknown shape, as lazy modules hold before their first call."""

    cls_to_become = Tensor

    def __new__(cls, requires_grad=False, device=None, dtype=None, persistent=True):
        data = lampas.empty(0, device=device, dtype=dtype)
        result = Tensor._make_subclass(cls, data, requires_grad)
        result.persistent = persistent
        result._is_buffer = True
        return result
