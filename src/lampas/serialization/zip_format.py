"""A checkpoint as PyTorch writes it since 1.6: `data.pkl`, and a record for each storage."""

import io
import mmap
import os
import sys

import lampas
from lampas.serialization import options
from lampas.serialization.archive import ArchiveReader, seekable
from lampas.serialization.archive_writer import ALIGNMENT, ArchiveWriter
from lampas.serialization.messages import UNSAFE_MESSAGE
from lampas.serialization.references import storage_reference
from lampas.serialization.storage import (
    clean_bools,
    mapped_storage,
    restored,
    storage_bytes,
    swap_bytes,
)
from lampas.storage import TypedStorage

TORCHSCRIPT_REFUSED = (
    "Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``. "
)
MAGIC = b"PK\x03\x04"


def pickled(obj, protocol):
    """The pickle of an object, and the storages it refers to by key."""
    from lampas.serialization.pickler import Pickler

    content = io.BytesIO()
    pickler = Pickler(content, protocol)
    pickler.dump(obj)
    return content.getvalue(), pickler.storages


def write(file, folder, content, storages, with_byteorder=True):
    """The pickle `content` and its `storages` as records under `folder`."""
    computed = bool(options.get_crc32_options()) and not options.skips_data()
    out = ArchiveWriter(file, folder, checksums=computed)
    out.write(_records(content, storages, with_byteorder))
    out.write([(".data/serialization_id", out.checksum().encode())])
    out.close()


def _records(content, storages, with_byteorder):
    yield "data.pkl", content
    yield ".format_version", b"1"
    yield ".storage_alignment", str(ALIGNMENT).encode()
    if with_byteorder:
        yield "byteorder", sys.byteorder.encode()
    for key, storage in storages.items():
        skipped = options.skips_data()
        yield f"data/{key}", bytes(storage.nbytes()) if skipped else storage_bytes(storage)
    yield "version", b"3\n"


def read(file, maps, restore, read_pickle, pickle_options, weights_only):
    """The object in a zip; with `maps` its storages are those of the file, which is a real one."""
    reader = ArchiveReader(seekable(file))
    if "constants.pkl" in reader:
        if weights_only:
            raise RuntimeError(TORCHSCRIPT_REFUSED + UNSAFE_MESSAGE)
        raise NotImplementedError(
            "this is a TorchScript archive, which Lampas does not run; save the model's "
            "state_dict() with torch.save and load that"
        )
    swap = _byteorder(reader) != sys.byteorder
    mapped = _mapped(file) if maps else None
    if mapped is not None and swap:
        raise NotImplementedError("mmap of a checkpoint in the other byte order")
    loaded = {}

    def persistent_load(reference):
        dtype, key, location, count = storage_reference(reference)
        if key not in loaded:
            # A complex number is two numbers, each with a byte order of its own.
            width = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
            size = count * dtype.itemsize
            record = f"data/{key}"
            if reader.size(record) != size:
                raise RuntimeError(
                    f"storage {record} should have {size} bytes, but its record has "
                    f"{reader.size(record)}"
                )
            if mapped is not None:
                storage = _mapped_record(reader, record, mapped, width)
            else:
                storage = _read_record(reader, record, swap and width)
            loaded[key] = restored(restore, storage, location)
        if dtype is lampas.bool:
            clean_bools(loaded[key])
        return TypedStorage._over(loaded[key], dtype)

    content = bytes(reader.read("data.pkl"))
    return read_pickle(content, persistent_load, **pickle_options)[0]


def _byteorder(reader):
    if "byteorder" not in reader:
        return options.default_byteorder()
    order = reader.read("byteorder")
    if order not in (b"little", b"big"):
        raise ValueError(f"Unknown endianness type: {bytes(order[:40]).decode('ascii', 'replace')}")
    return order.decode("ascii")


def _read_record(reader, name, swap):
    """A new storage with a record's bytes; elements of `swap` bytes are turned around."""
    storage = lampas.UntypedStorage(reader.size(name))
    target = storage_bytes(storage)
    if options.skips_data():
        target[:] = bytes(len(target))
        return storage
    reader.read_into(name, target)
    if swap:
        swap_bytes(target, swap)
    return storage


def _mapped_record(reader, name, mapped, width):
    """A storage over a record in the mapped file. PyTorch's files and ours align records; another
    program's may not, and elements of `width` bytes must lie where such elements may."""
    start = reader.offset(name)
    if start % width == 0:
        return mapped_storage(mapped, start, reader.size(name))
    if options.maps_shared():
        raise NotImplementedError(f"shared mmap of the record {name}, which is not aligned")
    return _read_record(reader, name, 0)


def _mapped(file):
    """The open file in memory. Writes stay in this process unless `options` says otherwise.

    Every record is known to lie inside the file as it was opened. A file that another program cuts
    afterwards ends this one when the missing part is touched: that is how the system maps.
    """
    access = mmap.ACCESS_WRITE if options.maps_shared() else mmap.ACCESS_COPY
    return mmap.mmap(file.fileno(), 0, access=access)


def folder_name(path):
    """The folder that the records of a file at `path` stand in."""
    return os.path.splitext(os.path.basename(os.fsdecode(os.fspath(path))))[0] or "archive"
