"""Carries arguments from PyTorch to Lampas as they lie in memory, functions by their names, results back."""

import functools
import importlib
import types

import torch

import lampas

_BY_BITS = {torch.bfloat16: torch.int16, torch.complex32: torch.int32}  # NumPy lacks these


class Absent(Exception):
    """Lampas does not have the name."""


class CannotCarry(Exception):
    """A value or function that has no counterpart by name."""


def to_lampas(value):
    """Tensors with their strides, offset and gradient flag; dtypes and the like by name."""
    if isinstance(value, torch.Tensor):
        return tensor_to_lampas(value)
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return by_name(str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return lampas.device(str(value))
    if isinstance(value, torch.Generator):
        return lampas.Generator()
    if isinstance(value, dict):
        return {key: to_lampas(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        kind = lampas.Size if isinstance(value, torch.Size) else type(value)
        return kind([to_lampas(entry) for entry in value])
    if callable(value):
        return function_to_lampas(value)
    return value


def tensor_to_lampas(x):
    if type(x) not in (torch.Tensor, torch.nn.Parameter) or x.layout is not torch.strided:
        raise CannotCarry(f"a {type(x).__name__} of layout {x.layout}")
    if x.is_conj() or x.is_neg():
        x = x.resolve_conj().resolve_neg().detach().requires_grad_(x.requires_grad)
    dtype = by_name(str(x.dtype).removeprefix("torch."))
    if x.device.type == "meta":
        return lampas.empty_strided(x.shape, x.stride(), dtype=dtype, device="meta")
    content = torch.empty(0, dtype=torch.uint8).set_(x.detach().untyped_storage())
    flat = lampas.from_numpy(content.numpy()).clone().view(dtype)
    mine = flat.as_strided(tuple(x.shape), x.stride(), x.storage_offset())
    return mine.requires_grad_(x.requires_grad)


def tensor_to_torch(x):
    """A plain tensor with the same values and dtype, contiguous."""
    x = x.detach()
    dtype = getattr(torch, str(x.dtype).removeprefix("torch."))
    if dtype in _BY_BITS:
        bits = x.contiguous().view(by_name(str(_BY_BITS[dtype]).removeprefix("torch.")))
        return torch.from_numpy(bits.numpy()).view(dtype)
    return torch.from_numpy(x.resolve_conj().resolve_neg().numpy().copy())


def by_name(path):
    """Lampas's object of a dotted name below `torch`. Absent where there is none."""
    value, module = lampas, "lampas"
    for part in path.split("."):
        module += f".{part}"
        if not hasattr(value, part):
            try:
                importlib.import_module(module)
            except ImportError:
                raise Absent(path) from None
        value = getattr(value, part)
    return value


@functools.cache
def _names():
    """id of PyTorch's public functions -> dotted name."""
    spaces = [
        "",
        "nn.functional",
        "linalg",
        "fft",
        "special",
        "signal.windows",
        "Tensor",
        "nn.utils",
    ]
    found = {}
    for path in spaces:
        space = functools.reduce(getattr, filter(None, path.split(".")), torch)
        for name in sorted(dir(space), key=lambda name: name.startswith("_")):
            if callable(getattr(space, name, None)):
                found.setdefault(id(getattr(space, name)), f"{path}.{name}".lstrip("."))
    return found


def function_to_lampas(function):
    """The counterpart of a public function; a lambda of the database with `torch` meaning Lampas."""
    name = _names().get(id(function))
    if name is not None:
        return by_name(name)
    if isinstance(function, functools.partial):
        return functools.partial(
            function_to_lampas(function.func),
            *to_lampas(function.args),
            **to_lampas(function.keywords),
        )
    home = getattr(function, "__module__", "") or ""
    if home in ("_operator", "builtins"):
        return function
    if not isinstance(function, types.FunctionType) or not home.startswith("torch.testing"):
        raise CannotCarry(f"{function!r} has no public name")
    names = {**function.__globals__, "torch": lampas, "wrapper_set_seed": _called}
    cells = tuple(
        types.CellType(_inside(cell.cell_contents)) for cell in function.__closure__ or ()
    )
    copy = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, cells
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _called(function, *args, **kwargs):
    """In the place of the database's wrapper that seeds, with its seed."""
    lampas.manual_seed(42)
    return function(*args, **kwargs)


def _inside(value):
    try:
        return to_lampas(value)
    except CannotCarry:
        return value
