"""From a list of samples to one batch: `default_collate`, `default_convert`, and the table of both.

NumPy is recognised only where a program has loaded it already: a sample cannot be an array before.
"""

import collections.abc
import contextlib
import copy
import sys

import lampas
from lampas.utils.data._utils import worker

default_collate_err_msg_format = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


def default_convert(data):
    """NumPy arrays and scalars inside `data` as tensors; everything else as it is."""
    if isinstance(data, lampas.Tensor):
        return data
    if _is_numpy(data):
        if hasattr(data, "shape") and data.shape == () and not _is_array(data):
            return lampas.as_tensor(data)
        return data if data.dtype.kind in "SUO" else lampas.as_tensor(data)
    if isinstance(data, collections.abc.Mapping):
        return _mapping_like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(value) for value in data))
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, collections.abc.Sequence) and not isinstance(data, (str, bytes)):
        return _sequence_like(data, [default_convert(value) for value in data])
    return data


def collate(batch, *, collate_fn_map=None):
    """Collate with a table from type (or tuple of types) to `f(batch, *, collate_fn_map)`.

    Types outside the table are taken apart: mappings by key, sequences by position.
    """
    first = batch[0]
    cls = type(first)
    found = _lookup(cls, collate_fn_map or {})
    if found is not None:
        return found(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, collections.abc.Mapping):
        columns = {
            key: collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map)
            for key in first
        }
        return _mapping_like(first, columns)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return cls(*(collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)))
    if isinstance(first, collections.abc.Sequence):
        size = len(first)
        if set(map(len, batch)) != {size}:
            text = "each element in list of batch should be of equal size"
            raise lampas.hints.hinted(RuntimeError(text))
        columns = [collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)]
        return columns if isinstance(first, tuple) else _sequence_like(first, columns)
    raise lampas.hints.hinted(TypeError(default_collate_err_msg_format.format(cls)))


def default_collate(batch):
    """Stack the samples of `batch`: tensors, arrays and numbers into tensors with a new first
    dimension, recursively through mappings, tuples and lists; strings stay a list.

    TypeError for what cannot be stacked.
    """
    return collate(batch, collate_fn_map=_map_for(batch))


def collate_tensor_fn(batch, *, collate_fn_map=None):
    shared = _stack_shared(batch)
    return lampas.stack(batch, 0) if shared is None else shared


def _stack_shared(batch):
    """In a worker: a large stack, made in shared memory so that sending it copies nothing."""
    if worker.get_worker_info() is None:
        return None
    from lampas.utils.data._utils import transport

    first = batch[0]
    if first.numel() * first.element_size() < transport.LARGE // 16:
        return None
    layout = (lampas.Tensor, first.shape, first.dtype, lampas.device("cpu"), False)
    if any((type(x), x.shape, x.dtype, x.device, x.requires_grad) != layout for x in batch):
        return None
    out = transport.shared_empty((len(batch), *first.shape), first.dtype)
    if out is not None:
        for row, x in zip(out.unbind(0), batch):
            row.copy_(x)
    return out


def collate_numpy_array_fn(batch, *, collate_fn_map=None):
    if batch[0].dtype.kind in "SUO":
        raise lampas.hints.hinted(TypeError(default_collate_err_msg_format.format(batch[0].dtype)))
    return collate([lampas.as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch, *, collate_fn_map=None):
    return lampas.as_tensor(batch)


def collate_float_fn(batch, *, collate_fn_map=None):
    return lampas.tensor(batch, dtype=lampas.float64)


def collate_int_fn(batch, *, collate_fn_map=None):
    return lampas.tensor(batch)


def collate_str_fn(batch, *, collate_fn_map=None):
    return batch


default_collate_fn_map = {
    lampas.Tensor: collate_tensor_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def _map_for(batch):
    """The default table, with NumPy's types once NumPy is loaded."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and numpy.ndarray not in default_collate_fn_map:
        default_collate_fn_map[numpy.ndarray] = collate_numpy_array_fn
        scalars = (numpy.bool_, numpy.number, numpy.object_)
        default_collate_fn_map[scalars] = collate_numpy_scalar_fn
    return default_collate_fn_map


def _lookup(cls, table):
    """The entry of the type itself, else of the first type it derives from."""
    if cls in table:
        return table[cls]
    return next((entry for types, entry in table.items() if issubclass(cls, types)), None)


def _is_numpy(value):
    return type(value).__module__ == "numpy"


def _is_array(value):
    return type(value).__name__ in ("ndarray", "memmap")


def _mapping_like(original, items):
    """`items` in a mapping of the original's type, where that type can hold them."""
    with contextlib.suppress(TypeError):
        if isinstance(original, collections.abc.MutableMapping):
            clone = copy.copy(original)
            clone.update(items)
            return clone
        return type(original)(items)
    return items


def _sequence_like(original, items):
    """`items` in a sequence of the original's type, where that type can hold them."""
    with contextlib.suppress(TypeError):
        if isinstance(original, collections.abc.MutableSequence):
            clone = copy.copy(original)
            for i, item in enumerate(items):
                clone[i] = item
            return clone
        if isinstance(original, range):
            return items
        return type(original)(items)
    return items
