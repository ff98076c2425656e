"""The arguments of `Module.to`, turned into a function on tensors."""

import warnings

import lampas
from lampas import Tensor


def arguments(args, kwargs):
    """(device, dtype, non_blocking, memory format) of any of the call forms."""
    kwargs = dict(kwargs)
    memory_format = kwargs.pop("memory_format", None)
    device = dtype = None
    rest = list(args)
    if rest and isinstance(rest[0], Tensor) or "tensor" in kwargs or "other" in kwargs:
        like = rest.pop(0) if rest else kwargs.pop("tensor", None) or kwargs.pop("other")
        device, dtype = like.device, like.dtype
    elif rest and isinstance(rest[0], lampas.dtype):
        dtype = rest.pop(0)
    else:
        if rest:
            device = rest.pop(0)
        if rest and (rest[0] is None or isinstance(rest[0], lampas.dtype)):
            dtype = rest.pop(0)
    device = kwargs.pop("device", device)
    dtype = kwargs.pop("dtype", dtype)
    non_blocking = rest.pop(0) if rest else kwargs.pop("non_blocking", False)
    if rest:
        rest.pop(0)  # copy: no meaning here
    kwargs.pop("copy", None)
    wrong = (
        rest
        or kwargs
        or not (dtype is None or isinstance(dtype, lampas.dtype))
        or not (device is None or isinstance(device, (str, int, lampas.device)))
    )
    if wrong:
        shown = ", ".join(type(value).__name__ for value in args)
        shown += "".join(f", {key}={type(value).__name__}" for key, value in kwargs.items())
        raise TypeError(
            "to() received an invalid combination of arguments - got "
            f"({shown}), but expected one of:\n"
            " * (torch.device device = None, torch.dtype dtype = None, "
            "bool non_blocking = False, bool copy = False, *, "
            "torch.memory_format memory_format = None)\n"
            " * (torch.dtype dtype, bool non_blocking = False, bool copy = False, *, "
            "torch.memory_format memory_format = None)\n"
            " * (Tensor tensor, bool non_blocking = False, bool copy = False, *, "
            "torch.memory_format memory_format = None)\n"
        )
    if device is not None and not isinstance(device, lampas.device):
        device = lampas.device(device)
    return device, dtype, non_blocking, memory_format


def converter(*args, **kwargs):
    """The function that `Module.to` applies to each parameter and buffer."""
    device, dtype, non_blocking, memory_format = arguments(args, kwargs)
    if dtype is not None:
        if not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )
        if dtype.is_complex:
            warnings.warn(
                "Complex modules are a new feature under active development whose design may "
                "change, and some modules might not work as expected when using complex tensors "
                "as parameters or buffers. Please file an issue at "
                "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml "
                "if a complex module does not work as expected.",
                stacklevel=3,
            )

    def convert(tensor):
        wanted = dtype if tensor.is_floating_point() or tensor.is_complex() else None
        options = {"non_blocking": non_blocking}
        if device is not None:
            options["device"] = device
        if wanted is not None:
            options["dtype"] = wanted
        if memory_format is not None and tensor.dim() in (4, 5):
            options["memory_format"] = memory_format
        try:
            return tensor.to(**options)
        except NotImplementedError as error:
            if str(error) == "Cannot copy out of meta tensor; no data!":
                raise NotImplementedError(
                    f"{error} Please use torch.nn.Module.to_empty() instead of "
                    "torch.nn.Module.to() when moving module from meta to a different device."
                ) from None
            raise

    return convert
