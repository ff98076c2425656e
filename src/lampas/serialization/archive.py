"""The zip file of a checkpoint: stored records under one folder, each checked when it is read."""

import io
import os
import struct
import zipfile
import zlib

ALIGNMENT = 64  # of a storage's first byte in the file, so that it can be mapped
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_DAMAGED = (
    "PytorchStreamReader failed reading zip archive: {}. If you are seeing this error, there is a "
    "high likelihood that your checkpoint file is corrupted. This can happen if the checkpoint was "
    "not saved properly, was transferred incorrectly, or the file was modified after saving."
)


class ArchiveWriter:
    """Writes records `folder/name`, uncompressed and aligned."""

    def __init__(self, file, folder):
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._folder = folder
        self._checksums = []

    def write(self, name, data):
        data = memoryview(data).cast("B") if not isinstance(data, bytes) else data
        info = zipfile.ZipInfo(f"{self._folder}/{name}")
        info.extra = self._padding(info, len(data))
        self._zip.writestr(info, data)
        self._checksums.append(info.CRC)

    def close(self):
        self._zip.close()

    def checksum(self):
        """A number of 40 digits that follows from what was written so far."""
        content = struct.pack(f"<{len(self._checksums)}L", *self._checksums)
        low, high = zlib.crc32(content), zlib.crc32(content, 0x9E3779B9)
        return f"{low:020d}{high:020d}"

    def _padding(self, info, size):
        """An extra field ("FB", length, fill) that puts the record's data on an aligned place."""
        header = _LOCAL_HEADER.size + len(info.filename.encode())
        if size * 1.05 > zipfile.ZIP64_LIMIT:
            header += 20  # the field with the 64-bit sizes comes first
        fill = -(self._zip.fp.tell() + header + 4) % ALIGNMENT
        return struct.pack("<2sH", b"FB", fill) + b"Z" * fill


class ArchiveReader:
    """Reads records of a zip in a seekable file. RuntimeError for whatever is wrong with it."""

    def __init__(self, file):
        self._file = file
        try:
            self._records = self._directory()
        except zipfile.BadZipFile:
            raise RuntimeError(_DAMAGED.format("failed finding central directory")) from None
        except (ValueError, OverflowError, struct.error, NotImplementedError, EOFError) as error:
            raise RuntimeError(_DAMAGED.format(error)) from None

    def _directory(self):
        self._file.seek(0, os.SEEK_END)
        size = self._file.tell()
        with zipfile.ZipFile(self._file) as directory:
            infos = directory.infolist()
        folders = {info.filename.partition("/")[0] for info in infos}
        if len(folders) != 1:
            raise ValueError("its records are not in one folder")
        records = {info.filename.partition("/")[2]: info for info in infos}
        if len(records) != len(infos):
            raise ValueError("it has two records of one name")
        if any(".." in name.split("/") for name in records):
            raise ValueError("a record's name leads out of its folder")
        if any(info.compress_type or info.flag_bits & 1 for info in infos):
            raise ValueError("it has compressed or encrypted records, which checkpoints never have")
        if sum(info.file_size for info in infos) > size:
            raise ValueError("its records are larger than the file")
        return records

    def __contains__(self, name):
        return name in self._records

    def size(self, name):
        """The record's number of bytes."""
        return self._info(name).file_size

    def read(self, name):
        """The record's bytes."""
        data = bytearray(self.size(name))
        self.read_into(name, memoryview(data))
        return data

    def read_into(self, name, view):
        """Fill a writable view, as large as the record, with its bytes."""
        self._file.seek(self.offset(name))
        done = 0
        while done < len(view):
            count = self._file.readinto(view[done:])
            if not count:
                raise RuntimeError(_DAMAGED.format(f"record {name} is cut short"))
            done += count
        if zlib.crc32(view) != self._info(name).CRC:
            raise RuntimeError(_DAMAGED.format(f"record {name} has a wrong checksum"))

    def offset(self, name):
        """Where the record's bytes begin in the file."""
        info = self._info(name)
        if info.header_offset < 0:
            raise RuntimeError(_DAMAGED.format(f"record {name} begins before the file"))
        self._file.seek(info.header_offset)
        header = self._file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise RuntimeError(_DAMAGED.format(f"record {name} has no header"))
        name_length, extra_length = _LOCAL_HEADER.unpack(header)[-2:]
        return info.header_offset + _LOCAL_HEADER.size + name_length + extra_length

    def _info(self, name):
        if name not in self._records:
            raise RuntimeError(f"PytorchStreamReader failed locating file {name}: file not found")
        return self._records[name]


def seekable(file):
    """`file` as something that can be searched and read into memory; reads it where it must."""
    if hasattr(file, "readinto") and hasattr(file, "seek"):
        return file
    return io.BytesIO(file.read())
