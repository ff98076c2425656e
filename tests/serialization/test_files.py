"""Reading by several threads, checksums, mapped records: what the core does for checkpoints."""

import errno
import io
import mmap
import os
import resource
import struct
import zlib

import pytest
from checkpoints import written

import lampas
from lampas import _core

PIECE = 1 << 18  # bytes that are read and summed at once


@pytest.mark.parametrize(
    "count", [*range(70), 127, 4096, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 3]
)
def test_checksum(count):
    data = os.urandom(count)
    assert _core._crc32(data) == zlib.crc32(data)
    assert _core._crc32(memoryview(data)[1:], 0x9E3779B9) == zlib.crc32(data[1:], 0x9E3779B9)


def test_read_at(tmp_path):
    path = tmp_path / "a"
    content = os.urandom(3 * PIECE + 11)
    path.write_bytes(content)
    with open(path, "rb") as file:
        for place, count in ((0, len(content)), (5, 2 * PIECE), (len(content), 0), (7, 1)):
            data = bytearray(count)
            checksum = _core._read_at(file.fileno(), place, data)
            assert data == content[place : place + count] and checksum == zlib.crc32(data)
        for place, count in ((1, len(content)), (len(content), 1), (1 << 40, PIECE * 2)):
            assert _core._read_at(file.fileno(), place, bytearray(count)) is None
        with pytest.raises((BufferError, TypeError)):
            _core._read_at(file.fileno(), 0, b"read-only")
        with pytest.raises(OSError):
            _core._read_at(file.fileno(), -5, bytearray(4))
    with pytest.raises(OSError) as caught:
        _core._read_at(-1, 0, bytearray(4))
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_file_of_the_system_is_read_as_any_other(tmp_path, torch, buffering):
    path = tmp_path / "a.pt"
    state = {"large": torch.arange(1_000_000), "small": torch.ones(3), "empty": torch.ones(0)}
    torch.save(state, path)
    with open(path, "rb", buffering=buffering) as file:
        loaded = lampas.load(file)
    assert all(loaded[name].tolist() == state[name].tolist() for name in state)


class Decoded(io.FileIO):
    """A file whose descriptor has other bytes than it reads."""

    def readinto(self, buffer):
        data = bytes(byte ^ 0x55 for byte in super().read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size=-1):
        return bytes(byte ^ 0x55 for byte in super().read(size))

    def readall(self):
        return self.read()


def test_a_descriptor_alone_is_not_trusted(tmp_path):
    path = tmp_path / "a.pt"
    raw = written(lampas, lampas.arange(10)).getvalue()
    path.write_bytes(bytes(byte ^ 0x55 for byte in raw))
    with Decoded(path) as file:
        assert lampas.load(file).tolist() == list(range(10))
    with Decoded(path) as file, io.BufferedReader(file) as buffered:
        assert lampas.load(buffered).tolist() == list(range(10))


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_damage_in_any_piece(tmp_path, position):
    path = tmp_path / "a.pt"
    lampas.save(lampas.zeros(PIECE), path)
    with open(path, "r+b") as file:
        file.seek(int(path.stat().st_size * position))
        file.write(b"\1")
    with pytest.raises(RuntimeError, match="wrong checksum, its bytes were changed"):
        lampas.load(path)


@pytest.mark.parametrize("options", [{}, {"mmap": True}])
def test_a_file_that_was_cut(tmp_path, torch, options):
    path = tmp_path / "a.pt"
    torch.save(torch.zeros(PIECE), path)
    for left in (path.stat().st_size - 1, PIECE * 3, PIECE):
        os.truncate(path, left)
        for library in (torch, lampas):
            with pytest.raises(
                RuntimeError, match="PytorchStreamReader failed reading zip archive"
            ):
                library.load(path, **options)


@pytest.fixture
def moved(tmp_path):
    """A checkpoint of float64 whose record lies three bytes after an aligned place."""
    raw = written(lampas, lampas.arange(100.0, dtype=lampas.float64)).getvalue()
    values = struct.pack("<100d", *range(100))
    start = raw.index(b"archive/data/0") - 30
    length = struct.unpack_from("<H", raw, start + 28)[0]
    content = bytearray(raw)
    struct.pack_into("<H", content, start + 28, length + 3)
    begin = raw.index(values)
    struct.pack_into("<H", content, begin - length + 2, length - 4 + 3)
    content[begin:begin] = b"ZZZ"
    end = content.rindex(b"PK\5\6")
    directory = struct.unpack_from("<L", content, end + 16)[0] + 3
    struct.pack_into("<L", content, end + 16, directory)
    at = directory
    while content[at : at + 4] == b"PK\1\2":
        place = struct.unpack_from("<L", content, at + 42)[0]
        if place > start:
            struct.pack_into("<L", content, at + 42, place + 3)
        at += 46 + sum(struct.unpack_from("<3H", content, at + 28))
    path = tmp_path / "moved.pt"
    path.write_bytes(content)
    return path


def test_a_record_at_an_odd_place_is_copied(moved):
    for options in ({}, {"mmap": True}):
        loaded = lampas.load(moved, **options)
        assert loaded.data_ptr() % 8 == 0 and loaded.tolist() == [float(i) for i in range(100)]
    shared = lampas.serialization.set_default_mmap_options(mmap.MAP_SHARED)
    with shared, pytest.raises(NotImplementedError, match="not aligned"):
        lampas.load(moved, mmap=True)


def test_a_mapped_file_outlives_its_name(tmp_path):
    path = tmp_path / "a.pt"
    lampas.save({"a": lampas.arange(300_000), "b": lampas.ones(5)}, path)
    loaded = lampas.load(path, mmap=True)
    lampas.save({"a": lampas.zeros(300_000)}, path)  # another file takes the name
    part = loaded["a"][-2:]
    del loaded
    assert part.tolist() == [299_998, 299_999]


def test_writes_to_a_mapped_tensor_stay_here(tmp_path):
    path = tmp_path / "a.pt"
    lampas.save(lampas.zeros(300_000), path)
    before = path.read_bytes()
    lampas.load(path, mmap=True).fill_(7)
    assert path.read_bytes() == before


def test_no_room_for_a_large_file(tmp_path):
    """The room is asked for before anything is written; the old file stands."""
    path = tmp_path / "a.pt"
    lampas.save(lampas.ones(3), path)
    before, limit = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limit[1]))
    try:
        with pytest.raises(OSError, match="the checkpoint was not saved") as caught:
            lampas.save(lampas.ones(4_000_000), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert caught.value.errno == errno.EFBIG
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.pt"]


def test_a_reserved_file_has_no_slack(tmp_path):
    path = tmp_path / "a.pt"
    lampas.save(lampas.ones(4_000_000), path)
    status = path.stat()
    assert status.st_size < 16_010_000 and status.st_blocks * 512 < status.st_size + (1 << 20)
