"""The zip file of a checkpoint: stored records under one folder, each checked when it is read.

Writing one is in `archive_writer`.
"""

import io
import os
import struct
import zipfile

from lampas import _core

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_DAMAGED = (
    "PytorchStreamReader failed reading zip archive: {}. If you are seeing this error, there is a "
    "high likelihood that your checkpoint file is corrupted. This can happen if the checkpoint was "
    "not saved properly, was transferred incorrectly, or the file was modified after saving."
)


class ArchiveReader:
    """Reads records of a zip in a seekable file. RuntimeError for whatever is wrong with it."""

    def __init__(self, file):
        self._file = file
        self._handle = _handle(file)  # of a file of the system: read by several threads
        try:
            self._size = file.seek(0, os.SEEK_END)
            self._size = file.tell() if self._size is None else self._size
            self._records = self._directory()
        except zipfile.BadZipFile as error:
            raise RuntimeError(_DAMAGED.format(_directory_damage(error))) from None
        except (ValueError, OverflowError, struct.error, NotImplementedError, EOFError) as error:
            raise RuntimeError(_DAMAGED.format(error)) from None

    def _directory(self):
        with zipfile.ZipFile(self._file) as directory:
            infos = directory.infolist()
        folders = {info.filename.partition("/")[0] for info in infos}
        if len(folders) != 1:
            raise ValueError(f"its records are in {len(folders)} folders instead of one")
        records = {}
        for info in infos:
            name = info.filename.partition("/")[2]
            _check(info, name, records)
            records[name] = info
        if sum(info.compress_size for info in infos) > self._size:
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
        self.read_into(name, data)
        return data

    def read_into(self, name, data):
        """Fill a writable buffer, as large as the record, with its bytes."""
        start = self.offset(name)
        if self._handle is not None:
            checksum = _core._read_at(self._handle, start, data)
        else:
            checksum = self._read_through(start, memoryview(data))
        if checksum is None:
            raise RuntimeError(_DAMAGED.format(f"record {name} is cut short"))
        # 0 stands for none, after `set_crc32_options(False)` or `skip_data`.
        if self._info(name).CRC not in (0, checksum):
            raise RuntimeError(
                _DAMAGED.format(f"record {name} has a wrong checksum, its bytes were changed")
            )

    def _read_through(self, start, view):
        """Fill a view by the file's own methods. Its checksum, or None where the file ends."""
        self._file.seek(start)
        done = 0
        while done < len(view):
            count = self._file.readinto(view[done:])
            if not count:
                return None
            done += count
        return _core._crc32(view)

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
        path = self._file.read(name_length)
        if path not in (
            info.orig_filename.encode("utf-8"),
            info.orig_filename.encode("cp437", "replace"),
        ):
            raise RuntimeError(_DAMAGED.format(f"the header of record {name} has another name"))
        start = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
        if start + info.file_size > self._size:
            raise RuntimeError(_DAMAGED.format(f"record {name} is cut short"))
        return start

    def _info(self, name):
        if name not in self._records:
            raise RuntimeError(f"PytorchStreamReader failed locating file {name}: file not found")
        info = self._records[name]
        # No checkpoint is compressed. A few kilobytes could otherwise ask for all memory.
        if info.compress_type or info.flag_bits & 1 or info.file_size != info.compress_size:
            raise RuntimeError(
                _DAMAGED.format(f"record {name} is compressed or encrypted, which no checkpoint is")
            )
        return info


def _check(info, name, records):
    """ValueError for a record that no checkpoint has."""
    if name in records:
        raise ValueError(f"it has two records of the name {name!r}")
    if ".." in name.split("/"):
        raise ValueError(f"the record {name!r} leads out of its folder")


def _directory_damage(error):
    """What PyTorch says of a file without a directory; else what is wrong with the directory."""
    missing = "not a zip file" in str(error)
    return "failed finding central directory" if missing else f"invalid header: {error}"


def _handle(file):
    """The descriptor of a file that is only read, None for other objects: a `fileno` alone does
    not promise that the system's bytes are those that the object reads."""
    raw = file.raw if type(file) is io.BufferedReader else file
    return raw.fileno() if type(raw) is io.FileIO else None


def seekable(file):
    """`file` as something that can be searched and read into memory; reads it where it must."""
    if hasattr(file, "readinto") and hasattr(file, "seek"):
        return file
    return io.BytesIO(file.read())
