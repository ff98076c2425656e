"""The format of before 2020: four pickles one after another, then the storages' raw bytes.

A storage is `int64 count, elements`. The still older tar files are recognised and refused.
"""

import pickle
import struct

import lampas
from lampas._utils import StorageRef
from lampas.serialization.names import StorageClass
from lampas.serialization.storage import storage_bytes, swap_bytes

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def read(data, restore, read_pickle, options):
    """The object in `data`. UnpicklingError, RuntimeError or EOFError for anything else."""
    if not data:
        raise EOFError("Ran out of input")
    if data[257:262] == b"ustar":
        raise NotImplementedError(
            "this file has the tar format of PyTorch before 0.1.10; load it with an old PyTorch "
            "and save it again"
        )
    if data[:1] != pickle.PROTO:
        raise pickle.UnpicklingError("the file is neither a zip archive nor a pickle")
    position, header = 0, []
    for _ in range(3):
        value, position = read_pickle(data, _no_storages, start=position, **options)
        header.append(value)
        _check_header(header)
    waiting = {}  # key -> (storage, element size, the storage where it was asked for)

    def persistent_load(reference):
        if not isinstance(reference, tuple) or not reference:
            raise RuntimeError(f"Unknown saved id: {reference!r}")
        if reference[0] == "module":  # (class, source file, source text), for warnings only
            return reference[1]
        dtype, key, location, count = storage_reference(reference)
        itemsize = dtype.itemsize if dtype is not None else 1
        if key not in waiting:
            if count * itemsize > len(data):
                raise RuntimeError(f"storage {key} is larger than the file")
            storage = lampas.UntypedStorage(count * itemsize)
            waiting[key] = (storage, itemsize, restore(storage, location))
        return storage_ref(waiting[key][2], dtype)

    result, position = read_pickle(data, persistent_load, start=position, **options)
    keys, position = read_pickle(data, _no_storages, start=position, **options)
    swap = header[2].get("little_endian", True) != _little_endian()
    _fill(data, position, keys, waiting, swap)
    return result


def write(file, folder, obj, storages, protocol):
    """`obj` in this format. `folder` and `storages` belong to the zip format."""
    system = {
        "protocol_version": _PROTOCOL,
        "little_endian": _little_endian(),
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    for value in (_MAGIC, _PROTOCOL, system):
        pickle.dump(value, file, protocol=protocol)
    pickler = _LegacyPickler(file, protocol)
    pickler.dump(obj)
    pickle.dump(sorted(pickler.storages), file, protocol=protocol)
    file.flush()
    for key in sorted(pickler.storages):
        storage = pickler.storages[key]
        file.write(struct.pack("<q", storage.nbytes() // pickler.sizes[key]))
        file.write(storage_bytes(storage))


def _LegacyPickler(file, protocol):
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
            self.sizes.setdefault(key, cls.dtype.itemsize if cls.dtype is not None else 1)
            return (*reference, None)

    return LegacyPickler(file, protocol)


def storage_reference(reference):
    """dtype (None: untyped), key, location and element count of a reference in a pickle."""
    well_formed = (
        isinstance(reference, tuple)
        and len(reference) in (5, 6)
        and reference[0] == "storage"
        and isinstance(reference[1], StorageClass)
        and isinstance(reference[2], str)
        and isinstance(reference[3], str)
        and type(reference[4]) is int
        and reference[4] >= 0
    )
    if not well_formed:
        raise pickle.UnpicklingError(f"malformed reference to a storage: {reference!r:.200}")
    if len(reference) == 6 and reference[5] is not None:
        raise NotImplementedError("views of storages, as PyTorch before 0.4 wrote them")
    return reference[1].dtype, reference[2], reference[3], reference[4]


def storage_ref(storage, dtype):
    """What the rebuilding functions get."""
    return StorageRef(storage, dtype if dtype is not None else lampas.uint8)


def _check_header(header):
    if header[0] != _MAGIC:
        raise RuntimeError("Invalid magic number; corrupt file?")
    if len(header) > 1 and header[1] != _PROTOCOL:
        raise RuntimeError(f"Invalid protocol version: {header[1]}")
    if len(header) > 2 and not isinstance(header[2], dict):
        raise RuntimeError("the file has no description of the system that wrote it")


def _fill(data, position, keys, waiting, swap):
    """Copy the raw bytes into the storages that the pickle referred to."""
    if not isinstance(keys, list) or any(key not in waiting for key in keys):
        raise RuntimeError("the file lists other storages than it refers to")
    for key in keys:
        storage, itemsize, restored = waiting[key]
        target = storage_bytes(storage)
        start, end = position + 8, position + 8 + len(target)
        if end > len(data):
            raise RuntimeError(f"the file ends inside storage {key}")
        if struct.unpack("<q", data[position:start])[0] * itemsize != len(target):
            raise RuntimeError(f"storage {key} has another size than the pickle says")
        content = bytearray(data[start:end])
        if swap:
            swap_bytes(content, itemsize)
        target[:] = content
        if restored is not None and restored.data_ptr() != storage.data_ptr():
            restored.copy_(storage)
        position = end


def _no_storages(reference):
    raise pickle.UnpicklingError("a storage where none can be")


def _little_endian():
    import sys

    return sys.byteorder == "little"
