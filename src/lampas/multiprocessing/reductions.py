"""Tensors in shared memory, and how they pass through queues, pipes and process arguments.

A tensor in shared memory travels as a file descriptor: both sides see each other's writes. Any
other tensor travels as a copy. The segments themselves are in `memory`.
"""

from multiprocessing import reduction

import lampas
from lampas import _core, _utils
from lampas.multiprocessing import memory


def is_shared(storage):
    """Whether a storage lies in a shared segment."""
    return storage.data_ptr() in memory.segments


def share_memory_(tensor):
    """Moves the tensor's memory into a shared segment. Other tensors over the old memory stay."""
    storage = tensor.untyped_storage()
    if storage.device.type == "meta":
        raise RuntimeError("_share_fd_: only available on CPU")
    if is_shared(storage) or storage.device.type != "cpu":
        return tensor
    shared = empty_storage(storage.nbytes())
    memoryview(shared)[: storage.nbytes()] = memoryview(storage)
    with lampas.no_grad():
        layout = (tensor.dtype, tensor.storage_offset(), tuple(tensor.shape), tensor.stride())
        _core._set_storage(tensor, _core._tensor_from_storage(shared, *layout))
    return tensor


def empty_storage(size):
    """A storage of (at least one and) `size` bytes in a new shared segment."""
    return storage_over(memory.create(size).buffer(max(size, 1)))


def storage_over(buffer):
    """A storage over a writable buffer, which it keeps alive."""
    return lampas.frombuffer(buffer, dtype=lampas.uint8).untyped_storage()


def check_leaf(tensor):
    """RuntimeError for a tensor whose history cannot follow it into another process."""
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd "
            "does not support crossing process boundaries.  If you just want to transfer the data, "
            "call detach() on the tensor before serializing (e.g., putting it on the queue)."
        )


def reduce_tensor(tensor):
    """How a tensor is pickled between processes: over its storage when that is shared."""
    check_leaf(tensor)
    if not is_shared(tensor.untyped_storage()):
        return tensor.__reduce_ex__(2)
    return reduce_over_storage(tensor)


def reduce_over_storage(tensor):
    """How a tensor is pickled with its storage as an object of its own."""
    if type(tensor) is not lampas.Tensor or not tensor.__dict__:
        return _utils.reduce_tensor(tensor)
    # Not as a file has it, which names the class Tensor: its path is PyTorch's.
    plain = _utils.reduce_tensor(tensor.detach().requires_grad_(tensor.requires_grad))
    return _with_attributes, (*plain, tensor.__dict__)


def _with_attributes(rebuild, arguments, attributes):
    tensor = rebuild(*arguments)
    tensor.__dict__.update(attributes)
    return tensor


def reduce_storage(storage):
    """How a storage is pickled between processes: a file descriptor, or its bytes."""
    segment = memory.segments.get(storage.data_ptr())
    if segment is None or segment.fd is None:
        return _storage_of_bytes, (bytes(memoryview(storage)),)
    handle = reduction.DupFd(segment.fd)
    return _storage_of_handle, (handle, segment.size, storage.nbytes())


def _storage_of_bytes(values):
    storage = lampas.UntypedStorage(len(values))
    memoryview(storage)[:] = values
    return storage


def _storage_of_handle(handle, segment_size, size):
    segment = memory.attach(handle.detach(), segment_size)
    if memory.get_sharing_strategy() == "file_system":
        segment.close_fd()
    return storage_over(segment.buffer(size))


def init_reductions():
    """Tells the pickler of `multiprocessing` about tensors."""
    for cls in (lampas.Tensor, lampas.nn.Parameter):
        reduction.ForkingPickler.register(cls, reduce_tensor)
    reduction.ForkingPickler.register(lampas.UntypedStorage, reduce_storage)
