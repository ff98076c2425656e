"""The pickler of `save`: PyTorch's names for our classes, storages beside the pickle."""

import collections
import pickle
from _compat_pickle import REVERSE_IMPORT_MAPPING, REVERSE_NAME_MAPPING

import lampas
from lampas._utils import _rebuild_tensor_v2, reduce_tensor
from lampas.serialization import names
from lampas.serialization.allowed import _get_layout
from lampas.serialization.storage import location_tag
from lampas.storage import CLASSES, TypedStorage, class_of

_PLAIN = {str, int, float, bool, type(None), bytes, dict, list, tuple, set, type}


def _int(value):
    """The opcode of an int of at most 64 bits."""
    if 0 <= value < 256:
        return pickle.BININT1 + bytes((value,))
    if -(1 << 31) <= value < 1 << 31:
        return pickle.BININT + value.to_bytes(4, "little", signed=True)
    return pickle.LONG1 + b"\x09" + value.to_bytes(9, "little", signed=True)


def _ints(values):
    """The opcodes of a tuple of ints."""
    if not values:
        return pickle.EMPTY_TUPLE
    return pickle.MARK + b"".join(map(_int, values)) + pickle.TUPLE


class Pickler(pickle._Pickler):
    """Writes one object. Afterwards `storages` maps the keys it used to the storages.

    The pickler in Python, not the one in C: only its way of writing names can be changed.
    """

    def __init__(self, file, protocol=2):
        super().__init__(file, protocol=protocol)
        self.storages = {}
        self._keys = {}

    def persistent_id(self, obj):
        """The reference that stands in the pickle for a storage."""
        if type(obj) is TypedStorage:
            storage, cls = obj.untyped(), class_of(obj.dtype)
        elif type(obj) is lampas.UntypedStorage:
            storage, cls = obj, lampas.UntypedStorage
        else:
            return None
        itemsize = cls.dtype.itemsize if cls is not lampas.UntypedStorage else 1
        count = storage.nbytes() // itemsize
        return "storage", cls, self._key(storage), location_tag(storage), count

    def _key(self, storage):
        # Views of one storage share its address; empty storages have none and share nothing. A
        # part of a storage that begins where the whole does is another storage.
        size = storage.nbytes()
        place = (storage.data_ptr(), size, str(storage.device)) if size else object()
        key = self._keys.setdefault(place, str(len(self._keys)))
        # The reference keeps the memory from being handed out again while the pickle is written.
        self.storages.setdefault(key, storage)
        return key

    def save(self, obj, save_persistent_id=True):
        if type(obj) is lampas.Tensor and self.proto >= 2 and id(obj) not in self.memo:
            function, args = reduce_tensor(obj)
            if function is _rebuild_tensor_v2:
                self._save_tensor(obj, args)
                return
        super().save(obj, save_persistent_id)

    def _save_tensor(self, tensor, args):
        """The call that rebuilds a tensor, written at once: the general way costs 20 calls of
        `save`. Its parts are not memoized, nothing else refers to them."""
        storage, offset, size, stride, requires_grad, _ = args
        self.save(_rebuild_tensor_v2)
        self.write(pickle.MARK + pickle.MARK)
        for part in self.persistent_id(storage):
            if type(part) is int:
                self.write(_int(part))
            else:
                self.save(part)
        geometry = _int(offset) + _ints(size) + _ints(stride)
        flag = pickle.NEWTRUE if requires_grad else pickle.NEWFALSE
        self.write(pickle.TUPLE + pickle.BINPERSID + geometry + flag)
        self.save(collections.OrderedDict)
        self.write(pickle.EMPTY_TUPLE + pickle.REDUCE + pickle.TUPLE + pickle.REDUCE)
        self.memoize(tensor)

    def reducer_override(self, obj):
        if type(obj) in _PLAIN:
            return NotImplemented
        if isinstance(obj, lampas.Tensor):
            return reduce_tensor(obj)
        if isinstance(obj, lampas.dtype):
            return names.dtype_name(obj)
        if isinstance(obj, lampas.device):
            index = () if obj.index is None else (obj.index,)
            return lampas.device, (obj.type, *index)
        if isinstance(obj, lampas.layout):
            return _get_layout, (str(obj),)
        if isinstance(obj, lampas.Size):
            return lampas.Size, (tuple(obj),)
        if isinstance(obj, lampas.Generator):
            return lampas.Generator, (obj.device,), (obj.initial_seed(), None, obj.get_state())
        return NotImplemented

    def save_global(self, obj, name=None):
        module, name = self._path(obj, name)
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            if self.proto < 3:  # these are read by Python 2 as well
                module, name = REVERSE_NAME_MAPPING.get((module, name), (module, name))
                module = REVERSE_IMPORT_MAPPING.get(module, module)
            line = f"{module}\n{name}\n".encode("ascii" if self.proto < 3 else "utf-8")
            self.write(pickle.GLOBAL + line)
        self.memoize(obj)

    def save_type(self, obj):
        for value in (None, NotImplemented, ...):
            if obj is type(value):
                return self.save_reduce(type, (value,), obj=obj)
        return self.save_global(obj)

    dispatch = {**pickle._Pickler.dispatch, type: save_type}
    dispatch[type(CLASSES["FloatStorage"])] = save_global
    dispatch[type(reduce_tensor)] = save_global

    def _path(self, obj, name):
        """Where a reader finds `obj`. PicklingError where it would find something else."""
        if isinstance(obj, lampas.dtype):
            return "torch", name
        if obj is lampas.UntypedStorage:
            return "torch.storage", "UntypedStorage"
        name = name or getattr(obj, "__qualname__", None) or obj.__name__
        module = names.to_torch(pickle.whichmodule(obj, name), name)
        if "<locals>" in name:
            raise AttributeError(f"Can't pickle local object '{name}'")
        try:
            found = names.resolve(module, name)
        except (ImportError, AttributeError):
            raise pickle.PicklingError(
                f"Can't pickle {obj!r}: attribute lookup {name} on {module} failed"
            ) from None
        if found is not obj:
            raise pickle.PicklingError(
                f"Can't pickle {obj!r}: it's not the same object as {module}.{name}"
            )
        return module, name
