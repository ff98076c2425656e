"""Writing a checkpoint's zip file: stored records under one folder, at aligned places.

Only `write` is asked of the file, each byte is written once and in order. Reading is in `archive`.
"""

import collections
import struct

from lampas import _core

ALIGNMENT = 64  # of a record's first byte in the file, so that it can be mapped
WIDE = 0xFFFFFFFF  # sizes and places from here on need the 64-bit fields
MANY = 0xFFFF  # so does this number of records
_FIRST_DAY = 0x21  # 1 January 1980: files with one content are equal
_UTF8 = 0x800
# The names of the fields are those of PKWARE's APPNOTE.TXT, 4.3.7, 4.3.12 and 4.3.14 to 4.3.16.
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_WIDE_END = struct.Struct("<4sQ2H2L4Q")
_WIDE_LOCATOR = struct.Struct("<4sLQL")

_Entry = collections.namedtuple("_Entry", "path crc size place")


class ArchiveWriter:
    """Writes records `folder/name`, then with `close` the directory.

    Without `checksums` every CRC-32 in the file is 0.
    """

    def __init__(self, file, folder, checksums=True):
        self._file = file
        self._folder = folder
        self._has_checksums = checksums
        self._entries = []
        self._place = 0

    def write(self, records):
        """Write pairs (name, data)."""
        for name, data in records:
            self._record(name, data, _core._crc32(data) if self._has_checksums else 0)

    def checksum(self):
        """A number of 40 digits that follows from what was written so far."""
        content = struct.pack(f"<{len(self._entries)}L", *(entry.crc for entry in self._entries))
        low, high = _core._crc32(content), _core._crc32(content, 0x9E3779B9)
        return f"{low:020d}{high:020d}"

    def close(self):
        start = self._place
        for entry in self._entries:
            self._put(_directory_entry(entry))
        self._put(_directory_end(len(self._entries), start, self._place - start))

    def _record(self, name, data, checksum):
        path = f"{self._folder}/{name}".encode()
        entry = _Entry(path, checksum, len(data), self._place)
        wide = _is_wide(entry.size)
        extra = struct.pack("<2H2Q", 1, 16, entry.size, entry.size) if wide else b""
        extra += self._padding(len(path) + len(extra))
        shown = WIDE if wide else entry.size
        lengths = (len(path), len(extra))
        fixed = (45 if wide else 20, _flags(path), 0, 0, _FIRST_DAY)
        self._put(_LOCAL.pack(b"PK\3\4", *fixed, entry.crc, shown, shown, *lengths) + path + extra)
        self._put(data)
        self._entries.append(entry)

    def _padding(self, variable):
        """An extra field ("FB", length, fill) that puts the record's data on an aligned place."""
        fill = -(self._place + _LOCAL.size + variable + 4) % ALIGNMENT
        return struct.pack("<2sH", b"FB", fill) + b"Z" * fill

    def _put(self, data):
        self._place += len(data)
        written = self._file.write(data)
        # An unbuffered file may take less than it was given.
        while type(written) is int and written < len(data):
            data = memoryview(data)[written:]
            written = self._file.write(data)


def _is_wide(number):
    return number >= WIDE


def _flags(path):
    return 0 if path.isascii() else _UTF8


def _directory_entry(entry):
    size, place, extra = entry.size, entry.place, b""
    if _is_wide(entry.size):
        size, extra = WIDE, struct.pack("<2Q", entry.size, entry.size)
    if _is_wide(entry.place):
        place, extra = WIDE, extra + struct.pack("<Q", entry.place)
    version = 45 if extra else 20
    if extra:
        extra = struct.pack("<2H", 1, len(extra)) + extra
    fixed = (version, version, _flags(entry.path), 0, 0, _FIRST_DAY)
    lengths = (len(entry.path), len(extra), 0)
    return (
        _CENTRAL.pack(b"PK\1\2", *fixed, entry.crc, size, size, *lengths, 0, 0, 0, place)
        + entry.path
        + extra
    )


def _directory_end(count, start, size):
    end = b""
    if count >= MANY or _is_wide(start) or _is_wide(size):
        end = _WIDE_END.pack(b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
        end += _WIDE_LOCATOR.pack(b"PK\6\7", 0, start + size, 1)
        count, size, start = 0xFFFF, WIDE, WIDE
    return end + _END.pack(b"PK\5\6", 0, 0, count, count, size, start, 0)
