"""A batch as a message: its structure pickled, the memory of large tensors and arrays in segments.

Small memory travels inside the pickle. A tensor that was collated straight into a segment
(`shared_empty`) is not copied again.
"""

import ctypes
import io
import pickle
import struct
import threading
from multiprocessing.reduction import ForkingPickler

import lampas
from lampas.multiprocessing.reductions import check_leaf, reduce_over_storage, storage_over
from lampas.storage import TypedStorage
from lampas.utils.data._utils import segments

LARGE = 1 << 14  # bytes of a storage from which a segment pays
_LONGEST_BODY = 1 << 15  # of a pickle; a longer one takes a segment as well
_HEAD = struct.Struct("=QBI")  # task, whether the pickle is in a segment, number of segments
_USE = struct.Struct("=QQ")  # number of a segment, bytes used

_lender = None  # of this process, where it is a worker


def start_lending():
    """Makes this process a worker that sends batches; returns what keeps its segments."""
    global _lender
    _lender = segments.Lender()
    return _lender


def shared_empty(shape, dtype):
    """In a worker a new tensor in a segment; None elsewhere, or where that does not pay.

    Threads that a dataset started get None as well: a segment is chosen without a lock.
    """
    if _lender is None or threading.current_thread() is not threading.main_thread():
        return None
    count = dtype.itemsize
    for n in shape:
        count *= n
    segment = _lender.acquire(count) if count >= LARGE else None
    if segment is None:
        return None
    return lampas.frombuffer(segment.buffer(count), dtype=dtype).view(shape)


# --- the worker's side ---
def pack(task, data, lender):
    """The body of a message, and how many bytes of segments it uses."""
    uses = _Uses(lender)
    try:
        file = io.BytesIO()
        _Pickler(file, uses).dump(data)
        values = file.getbuffer()
        in_segment = len(values) > _LONGEST_BODY and uses.copy(values)
    except BaseException:
        lender.take_back([number for number, _ in uses.entries])
        raise
    head = [_HEAD.pack(task, in_segment, len(uses.entries))]
    head += [_USE.pack(*use) for use in uses.entries]
    if not in_segment:
        head.append(values)
    return b"".join(head), sum(size for _, size in uses.entries)


class _Uses:
    """The segments of one message, in the pickle's order."""

    def __init__(self, lender):
        self.lender = lender
        self.entries = []  # (number, bytes)

    def note(self, number, size):
        self.lender.lend(number)
        self.entries.append((number, size))

    def copy(self, values):
        """Copies bytes into a segment. False where the message has too many already."""
        segment = self.lender.acquire(values.nbytes)
        if segment is None:
            return False
        memoryview(segment.buffer(values.nbytes)).cast("B")[:] = values
        self.note(self.lender.number_of(segment.address), values.nbytes)
        return True

    def place(self, buffer):
        """Whether the buffer stays in the pickle."""
        raw = buffer.raw()
        if raw.nbytes < LARGE:
            return True
        address = None if raw.readonly else ctypes.addressof(ctypes.c_char.from_buffer(raw))
        number = self.lender.number_of(address)
        if number is None:
            return not self.copy(raw)
        self.note(number, raw.nbytes)
        return False


class _Pickler(pickle.Pickler):
    """Puts large buffers into segments and notes them in `uses`."""

    def __init__(self, file, uses):
        # Not a method of its own: a cycle would keep the batch alive.
        super().__init__(file, protocol=5, buffer_callback=uses.place)
        self._uses = uses
        self._storages = {}  # address -> the object that stands for this storage in the pickle
        self._reducers = getattr(ForkingPickler, "_extra_reducers", {})

    def reducer_override(self, obj):
        if isinstance(obj, lampas.Tensor):
            check_leaf(obj)
            return self._reduce_tensor(obj)
        if isinstance(obj, lampas.UntypedStorage):
            return storage_from, (pickle.PickleBuffer(obj),)
        if type(obj) is TypedStorage:
            return TypedStorage._over, (self._storage(obj.untyped()), obj.dtype)
        reducer = self._reducers.get(type(obj))
        return NotImplemented if reducer is None else reducer(obj)

    def _reduce_tensor(self, tensor):
        if tensor.is_meta or not tensor.is_cpu:
            return reduce_over_storage(tensor)
        storage = tensor.untyped_storage()
        if storage.nbytes() != tensor.numel() * tensor.element_size():
            if self._uses.lender.number_of(storage.data_ptr()) is None:
                tensor = _alone(tensor)
                storage = tensor.untyped_storage()
        if type(tensor) is not lampas.Tensor or tensor.__dict__:
            return reduce_over_storage(tensor)
        layout = (tensor.storage_offset(), tuple(tensor.shape), tensor.stride())
        return tensor_from, (self._storage(storage), tensor.dtype, *layout, tensor.requires_grad)

    def _storage(self, storage):
        # Views of one storage must refer to one object. (Empty storages share address 0 or one.)
        if not storage.nbytes():
            return storage
        return self._storages.setdefault(storage.data_ptr(), storage)


def _alone(tensor):
    """The tensor in memory of its own: a slice does not drag the rest of its storage along."""
    with lampas.no_grad():
        copy = tensor.detach().clone()
        if type(tensor) is not lampas.Tensor:
            copy = lampas.Tensor._make_subclass(type(tensor), copy, tensor.requires_grad)
        elif tensor.requires_grad:
            copy.requires_grad_()
        if tensor.__dict__:
            copy.__dict__.update(tensor.__dict__)
    return copy


# --- the loader's side ---
def task_of(body):
    """(task, numbers of the segments) of a message, without reading it."""
    task, _, count = _HEAD.unpack_from(body)
    start = _HEAD.size
    return task, [_USE.unpack_from(body, start + i * _USE.size)[0] for i in range(count)]


def unpack(body, borrower):
    """The batch in a message."""
    _, in_segment, count = _HEAD.unpack_from(body)
    end = _HEAD.size + count * _USE.size
    uses = _USE.iter_unpack(memoryview(body)[_HEAD.size : end])
    buffers = [borrower.buffer(number, size) for number, size in uses]
    values = buffers.pop() if in_segment else memoryview(body)[end:]
    return pickle.loads(values, buffers=buffers)


def storage_from(values):
    """A storage over a segment's buffer, or one with the values of a small storage."""
    if isinstance(values, ctypes.Array):
        return storage_over(values)
    storage = lampas.UntypedStorage(len(values))
    memoryview(storage)[:] = values
    return storage


def tensor_from(storage, dtype, offset, size, stride, requires_grad):
    tensor = lampas._core._tensor_from_storage(storage, dtype, offset, size, stride)
    return tensor.requires_grad_() if requires_grad else tensor
