"""The functions that a file names to rebuild tensors, under PyTorch's paths, and their inverse.

A storage in a file is a `TypedStorage`; how its bytes travel is decided by the pickler.
"""

import collections

import lampas
from lampas._exceptions import ExceptionWrapper, KeyErrorMessage  # noqa: F401
from lampas.storage import TypedStorage


class _ClassProperty:
    """A property of a class that is computed; see `classproperty`."""

    def __init__(self, function):
        self.fget = function

    def __get__(self, instance, owner=None):
        return self.fget.__get__(None, owner or type(instance))()


def classproperty(func):
    """Decorator: a method that is read as a property of the class and of its instances."""
    return _ClassProperty(
        func if isinstance(func, (classmethod, staticmethod)) else classmethod(func)
    )


def _element_size(dtype):
    """The number of bytes of one element."""
    if not isinstance(dtype, lampas.dtype):
        raise RuntimeError(f"expected torch.dtype, but got {type(dtype)}")
    return dtype.itemsize


def _get_device_index(device, optional=False, allow_cpu=False):
    """The index in a device or its name; -1 for the CPU where that is allowed.

    optional: None where there is no index (no accelerator is current). ValueError otherwise.
    """
    if isinstance(device, int):
        return device
    if isinstance(device, str):
        device = lampas.device(device)
    if isinstance(device, lampas.device):
        if device.type == "cpu":
            if allow_cpu:
                return -1
            raise ValueError(f"Expected a non cpu device, but got: {device}")
        if device.index is not None:
            return device.index
    if optional:
        return None
    raise ValueError(
        f"Expected a torch.device with a specified index or an integer, but got:{device}"
    )


def reduce_tensor(tensor):
    """How to pickle `tensor`: a function of this module and its arguments."""
    if tensor.layout is not lampas.strided:
        return reduce_sparse(tensor)
    state = dict(getattr(tensor, "__dict__", ()))
    if isinstance(tensor, lampas.nn.Parameter) and type(tensor) is lampas.nn.Parameter:
        head = (tensor.detach(), tensor.requires_grad, collections.OrderedDict())
        if state:
            return _rebuild_parameter_with_state, (*head, state)
        return _rebuild_parameter, head
    plain = _reduce_plain(tensor)
    if type(tensor) is lampas.Tensor and not state:
        return plain
    from lampas._tensor import _rebuild_from_type_v2

    return _rebuild_from_type_v2, (plain[0], type(tensor), plain[1], state)


def reduce_sparse(tensor):
    """How to pickle a sparse tensor: its parts, as PyTorch does; whether it requires grad is lost."""
    size, tensor = tuple(tensor.shape), tensor.detach()
    if tensor.layout is lampas.sparse_coo:
        parts = (tensor._indices(), tensor._values(), tensor.size(), tensor.is_coalesced())
    elif tensor.layout is lampas.sparse_csr:
        parts = (tensor.crow_indices(), tensor.col_indices(), tensor.values(), size)
    else:
        parts = (tensor.ccol_indices(), tensor.row_indices(), tensor.values(), size)
    return _rebuild_sparse_tensor, (tensor.layout, parts)


def _rebuild_sparse_tensor(layout, data):
    """A sparse tensor from its parts, which are checked: they may come from a file."""
    if layout is lampas.sparse_coo:
        indices, values, size, *coalesced = data
        return lampas.sparse_coo_tensor(
            indices,
            values,
            size,
            check_invariants=True,
            is_coalesced=coalesced[0] if coalesced else None,
        )
    if layout in (lampas.sparse_csr, lampas.sparse_csc):
        outer, inner, values, size = data
        return lampas.sparse_compressed_tensor(
            outer, inner, values, size, layout=layout, check_invariants=True
        )
    raise NotImplementedError(f"rebuilding sparse tensor for layout {layout}")


def _reduce_plain(tensor):
    size, stride, dtype = tuple(tensor.size()), tensor.stride(), tensor.dtype
    hooks = collections.OrderedDict()  # a tensor's hooks are not saved
    if tensor.device.type == "meta":
        return _rebuild_meta_tensor_no_storage, (dtype, size, stride, tensor.requires_grad)
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
        size, stride = tuple(tensor.size()), tensor.stride()
    storage = TypedStorage._over(tensor.untyped_storage(), dtype)
    head = (storage, tensor.storage_offset(), size, stride, tensor.requires_grad, hooks)
    if dtype in (lampas.uint16, lampas.uint32, lampas.uint64, lampas.complex32):
        return _rebuild_tensor_v3, (*head, dtype)
    return _rebuild_tensor_v2, head


def _rebuild_tensor(storage, storage_offset, size, stride):
    return _view(storage, storage.dtype, storage_offset, size, stride)


def _rebuild_tensor_v2(
    storage, storage_offset, size, stride, requires_grad, backward_hooks, metadata=None
):
    tensor = _view(storage, storage.dtype, storage_offset, size, stride)
    return _finish(tensor, requires_grad, metadata)


def _rebuild_tensor_v3(
    storage, storage_offset, size, stride, requires_grad, backward_hooks, dtype, metadata=None
):
    tensor = _view(storage, dtype, storage_offset, size, stride)
    return _finish(tensor, requires_grad, metadata)


def _rebuild_meta_tensor_no_storage(dtype, size, stride, requires_grad):
    return lampas.empty_strided(
        size, stride, dtype=dtype, device="meta", requires_grad=requires_grad
    )


def _rebuild_parameter(data, requires_grad, backward_hooks):
    return lampas.nn.Parameter(data, requires_grad)


def _rebuild_parameter_with_state(data, requires_grad, backward_hooks, state):
    parameter = lampas.nn.Parameter(data, requires_grad)
    parameter.__dict__.update(state)
    return parameter


def _view(storage, dtype, offset, size, stride):
    if not isinstance(storage, (TypedStorage, lampas.UntypedStorage)):
        raise TypeError(f"expected a storage, but got {type(storage).__name__}")
    if len(size) > 64:  # a stranger's file; few operators take more
        raise RuntimeError(f"Tensors of files have at most 64 dimensions, got {len(size)}")
    return lampas._core._tensor_from_storage(storage.untyped(), dtype, offset, size, stride)


def _finish(tensor, requires_grad, metadata):
    if metadata:
        if metadata.get("conj"):
            tensor = tensor.conj()
        if metadata.get("neg"):
            tensor = tensor._neg_view()
    if requires_grad:
        tensor.requires_grad_()
    return tensor
