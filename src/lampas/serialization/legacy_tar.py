"""Reading the tar files of PyTorch before 0.1.10: members `storages`, `tensors` and `pickle`.

As PyTorch, only with `weights_only=False`. `storages` holds a count, then for each storage a
pickle (key, location, class) and `int64 count, elements`, then the list of views; `tensors` a
count, then for each tensor a pickle (key, storage key, class) and its raw geometry; `pickle` the
object, which refers to tensors by key.
"""

import io
import struct
import tarfile

import lampas
from lampas.serialization.legacy import no_storages, read_storage
from lampas.serialization.storage import clean_bools, part, restored, storage_bytes
from lampas.storage import CLASSES

REFUSED = "Cannot use ``weights_only=True`` with files saved in the legacy .tar format. "


def is_tar(start):
    """Whether a file that begins with these 512 bytes is a tar archive."""
    return start[257:262] == b"ustar"


def read(data, restore, read_pickle, options):
    """The object in the tar archive `data`. RuntimeError or UnpicklingError where it is damaged."""
    members = _members(data)
    read_part = _Reader(members, read_pickle, options)
    storages = _storages(read_part, restore)
    tensors = _tensors(read_part, storages)

    def persistent_load(reference):
        if isinstance(reference, tuple):  # (class, source file, source text)
            return reference[0]
        return tensors[int(reference)]

    return read_pickle(members["pickle"], persistent_load, **options)[0]


def _members(data):
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            return {
                name: tar.extractfile(name).read() for name in ("storages", "tensors", "pickle")
            }
    except (tarfile.TarError, KeyError, AttributeError, EOFError, ValueError, OSError) as error:
        raise RuntimeError(f"the tar archive is damaged: {error}") from None


class _Reader:
    """Pickles and raw numbers that follow each other in the members."""

    def __init__(self, members, read_pickle, options):
        self.members = members
        self._read_pickle, self._options = read_pickle, options
        self.places = dict.fromkeys(members, 0)

    def pickle(self, name):
        data, start = self.members[name], self.places[name]
        value, self.places[name] = self._read_pickle(
            data, no_storages, start=start, **self._options
        )
        return value

    def numbers(self, name, layout):
        size, start = struct.calcsize(layout), self.places[name]
        self.places[name] = start + size
        if start + size > len(self.members[name]):
            raise RuntimeError(f"the tar archive's member {name} is cut short")
        return struct.unpack(layout, self.members[name][start : start + size])


def _storages(reader, restore):
    """key -> (storage, dtype)"""
    storages, data = {}, reader.members["storages"]
    for _ in range(reader.pickle("storages")):
        key, location, cls = reader.pickle("storages")
        if cls not in CLASSES.values():
            raise RuntimeError(f"storage {key} has no element type")
        itemsize, position = cls.dtype.itemsize, reader.places["storages"]
        (count,) = reader.numbers("storages", "<q")
        if not 0 <= count * itemsize <= len(data):
            raise RuntimeError(f"storage {key} is larger than the file")
        storage = lampas.UntypedStorage(count * itemsize)
        read_storage(data, position, storage_bytes(storage), itemsize, False, key)
        if cls.dtype is lampas.bool:
            clean_bools(storage)
        reader.places["storages"] = position + 8 + count * itemsize
        storages[key] = (restored(restore, storage, location), cls.dtype)
    for key, root, offset, count in reader.pickle("storages"):
        storage, dtype = storages[root]
        size = dtype.itemsize
        storages[key] = (part(storage, offset * size, count * size), dtype)
    return storages


def _tensors(reader, storages):
    """key -> tensor"""
    tensors = {}
    for _ in range(reader.pickle("tensors")):
        key, storage_key, _ = reader.pickle("tensors")
        dimensions, _ = reader.numbers("tensors", "<ii")
        if not 0 <= dimensions <= 64:
            raise RuntimeError(f"a tensor of {dimensions} dimensions")
        size = reader.numbers("tensors", f"<{dimensions}q")
        stride = reader.numbers("tensors", f"<{dimensions}q")
        (offset,) = reader.numbers("tensors", "<q")
        storage, dtype = storages[storage_key]
        tensors[key] = lampas._core._tensor_from_storage(storage, dtype, offset, size, stride)
    return tensors
