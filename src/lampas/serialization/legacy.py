"""The format of before 2020: four pickles one after another, then the storages' raw bytes.

A storage is `int64 count, elements`. The still older tar files are read by `legacy_tar`.
"""

import pickle
import struct
import sys

import lampas
from lampas.serialization.arguments import shown
from lampas.serialization.references import storage_reference
from lampas.serialization.storage import clean_bools, part, restored, storage_bytes, swap_bytes
from lampas.storage import TypedStorage

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001


def read(data, restore, read_pickle, options):
    """The object in `data` and where it ends.

    UnpicklingError, RuntimeError or EOFError for anything else. Nothing in this format shows
    damage inside a storage.
    """
    if not data:
        raise EOFError("Ran out of input")
    position, header = 0, []
    for _ in range(3):
        value, position = read_pickle(data, no_storages, start=position, **options)
        header.append(value)
        _check_header(header)
    storages = _Storages(data, restore)
    result, position = read_pickle(data, storages.persistent_load, start=position, **options)
    keys, position = read_pickle(data, no_storages, start=position, **options)
    swap = header[2].get("little_endian", True) != _little_endian()
    return result, storages.fill(position, keys, swap)


class _Storages:
    """The storages that the pickle refers to, filled when it is read to its end."""

    def __init__(self, data, restore):
        self._data = data
        self._restore = restore
        self._waiting = {}  # key -> (storage, element size, the storage where it was asked for)
        self._bools = set()  # keys of storages that tensors of bools stand on
        self._total = 0

    def persistent_load(self, reference):
        if not isinstance(reference, tuple) or not reference:
            raise RuntimeError(f"Unknown saved id: {shown(reference)}")
        if reference[0] == "module":  # (class, source file, source text), for warnings only
            return reference[1]
        dtype, key, location, count = storage_reference(reference)
        if key not in self._waiting:
            self._add(key, count, dtype.itemsize, location)
        if dtype is lampas.bool:
            self._bools.add(key)
        place = self._waiting[key][2]
        view = reference[5] if len(reference) == 6 else None
        return TypedStorage._over(place if view is None else _view(place, dtype, view), dtype)

    def _add(self, key, count, itemsize, location):
        self._total += count * itemsize
        if self._total > len(self._data):
            raise RuntimeError(f"storage {key} is larger than the file")
        storage = lampas.UntypedStorage(count * itemsize)
        place = restored(self._restore, storage, location)
        self._waiting[key] = (storage, itemsize, place)

    def fill(self, position, keys, swap):
        """Copy the raw bytes into the storages; where they end in the file."""
        listed = type(keys) is list and all(type(key) is str for key in keys)
        if not listed or set(keys) != set(self._waiting):
            raise RuntimeError("the file lists other storages than it refers to")
        for key in keys:
            storage, itemsize, place = self._waiting[key]
            target = storage_bytes(storage)
            read_storage(self._data, position, target, itemsize, swap, key)
            position += 8 + len(target)
            if key in self._bools:
                clean_bools(storage)
            if place.device.type != "meta" and place.data_ptr() != storage.data_ptr():
                place.copy_(storage)
        return position


def read_storage(data, position, target, itemsize, swap, key):
    """Fill `target` from `int64 count, elements` at `position`."""
    start, end = position + 8, position + 8 + len(target)
    if end > len(data):
        raise RuntimeError(f"the file ends inside storage {key}")
    count = struct.unpack("<q", data[position:start])[0]
    if count * itemsize != len(target):
        raise RuntimeError(
            f"storage {key} has {count} elements in the file, but {len(target) // itemsize} in its "
            "pickle"
        )
    target[:] = data[start:end]
    if swap:
        swap_bytes(target, itemsize)


def _view(storage, dtype, view):
    """A part of a storage, (key, offset, count) in elements, as PyTorch before 0.4 wrote them."""
    well_formed = isinstance(view, tuple) and len(view) == 3
    if not well_formed or not all(type(number) is int for number in view[1:]):
        raise pickle.UnpicklingError("malformed view of a storage")
    start, count = (number * dtype.itemsize for number in view[1:])
    if start < 0 or count < 0 or start + count > storage.nbytes():
        raise RuntimeError(f"a view of {count} bytes leads out of its storage")
    return part(storage, start, count)


def write(file, obj, protocol):
    """`obj` in this format."""
    system = {
        "protocol_version": PROTOCOL_VERSION,
        "little_endian": _little_endian(),
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    for value in (MAGIC_NUMBER, PROTOCOL_VERSION, system):
        pickle.dump(value, file, protocol=protocol)
    pickler = _pickler(file, protocol)
    pickler.dump(obj)
    pickle.dump(sorted(pickler.storages), file, protocol=protocol)
    for key in sorted(pickler.storages):
        storage = pickler.storages[key]
        file.write(struct.pack("<q", storage.nbytes() // pickler.sizes[key]))
        file.write(storage_bytes(storage))


def _pickler(file, protocol):
    from lampas.serialization.pickler import Pickler

    class LegacyPickler(Pickler):
        """References have a sixth part, and the element size is needed once more at the end."""

        def __init__(self, file, protocol):
            super().__init__(file, protocol)
            self.sizes = {}

        def persistent_id(self, obj):
            reference = super().persistent_id(obj)
            if reference is None:
                return None
            cls, key = reference[1], reference[2]
            itemsize = 1 if cls is lampas.UntypedStorage else cls.dtype.itemsize
            # One storage under two element sizes would be read with a wrong length.
            if self.sizes.setdefault(key, itemsize) != itemsize:
                raise RuntimeError(
                    "this format cannot hold views of one storage with dtypes of different sizes"
                )
            return (*reference, None)

    return LegacyPickler(file, protocol)


def _check_header(header):
    if type(header[0]) is not int or header[0] != MAGIC_NUMBER:
        raise RuntimeError("Invalid magic number; corrupt file?")
    if len(header) > 1 and header[1] != PROTOCOL_VERSION:
        raise RuntimeError(f"Invalid protocol version: {shown(header[1])}")
    if len(header) > 2 and not isinstance(header[2], dict):
        raise RuntimeError("the file has no description of the system that wrote it")


def no_storages(reference):
    raise pickle.UnpicklingError("a storage where none can be")


def _little_endian():
    return sys.byteorder == "little"
