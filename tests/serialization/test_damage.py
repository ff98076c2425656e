"""Damaged checkpoints: every cut and every changed byte gives the right data or a clear error.

`LAMPAS_DAMAGE=9` changes each byte in 9 ways instead of 3.
"""

import io
import os
import pickle
import random
import zipfile

import pytest
from checkpoints import SAFE, plain, written
from hostile_files import archive

import lampas

CLEAR = (pickle.UnpicklingError, RuntimeError, NotImplementedError, EOFError, ValueError)
WAYS = int(os.environ.get("LAMPAS_DAMAGE", "3"))
SMALL = [
    "views", "empty", "scalar", "attributes", "shared parameters", "conjugated",
    "channels last", "plain values", "nested containers", "bools",
]  # fmt: skip


def flips(raw, ways):
    """Each byte changed, once in each of so many ways."""
    chosen = random.Random(0)
    for position in range(len(raw)):
        for mask in chosen.sample([1, 2, 4, 8, 16, 32, 64, 128, 255], ways):
            flipped = bytearray(raw)
            flipped[position] ^= mask
            yield position, bytes(flipped)


def outcome(content, expected, **options):
    """'right', 'refused', or what went wrong."""
    try:
        value = lampas.load(io.BytesIO(content), **options)
    except CLEAR as error:
        return "refused" if len(str(error)) > 10 else f"no reason: {error!r}"
    return "right" if plain(value) == expected else f"wrong: {value!r:.300}"


@pytest.mark.parametrize("name", SMALL)
def test_every_cut(name, torch):
    for source in (torch, lampas):
        raw = written(source, SAFE[name](source)).getvalue()
        expected = plain(lampas.load(io.BytesIO(raw)))
        for end in range(len(raw)):
            assert outcome(raw[:end], expected) == "refused", (source.__name__, end)


@pytest.mark.parametrize("name", SMALL)
def test_every_changed_byte(name, torch):
    raw = written(torch, SAFE[name](torch)).getvalue()
    expected = plain(lampas.load(io.BytesIO(raw)))
    for position, content in flips(raw, WAYS):
        assert outcome(content, expected) in ("right", "refused"), position


def test_every_changed_byte_of_our_file():
    raw = written(lampas, SAFE["views"](lampas)).getvalue()
    expected = plain(lampas.load(io.BytesIO(raw)))
    for position, content in flips(raw, 3):
        assert outcome(content, expected) in ("right", "refused"), position


def test_large_records_are_checked(torch):
    """Checksums of large records are computed in a thread: every one counts."""
    state = {str(i): torch.zeros(600_000) for i in range(3)}
    raw = written(torch, state).getvalue()
    assert plain(lampas.load(io.BytesIO(raw)))[0] == "dict"
    for part in (0.2, 0.5, 0.9):
        flipped = bytearray(raw)
        flipped[int(len(raw) * part)] ^= 1
        with pytest.raises(RuntimeError, match="wrong checksum, its bytes were changed"):
            lampas.load(io.BytesIO(flipped))


@pytest.mark.parametrize("name", ["views", "plain values", "nested containers"])
def test_the_old_format(name, torch):
    """It has no checksums: damage inside numbers cannot be seen, but nothing else may go wrong."""
    raw = written(torch, SAFE[name](torch), _use_new_zipfile_serialization=False).getvalue()
    for end in range(len(raw)):
        assert outcome(raw[:end], None) == "refused", end
    for position, content in flips(raw, WAYS):
        assert not outcome(content, None).startswith("no reason"), position


def test_mapped(torch, tmp_path):
    """Without checksums the archive's own structure is still checked."""
    path = tmp_path / "a.pt"
    raw = written(torch, SAFE["views"](torch)).getvalue()
    for position, content in list(flips(raw, 1))[::4]:
        path.write_bytes(content)
        try:
            lampas.load(path, mmap=True)
        except CLEAR as error:
            assert len(str(error)) > 10, position


def mutated(content, chosen):
    """A pickle with some bytes changed, left out, inserted or doubled."""
    content = bytearray(content)
    for _ in range(chosen.choice((1, 1, 2, 3, 8))):
        at, other = chosen.randrange(len(content)), chosen.randrange(len(content))
        piece = content[other : other + chosen.randrange(1, 40)]
        number = b"\x8a\x08" + chosen.randbytes(8)
        opcode = bytes([chosen.choice(OPCODES)])
        end = at + chosen.randrange(1, 6)
        start, stop, new = chosen.choice(
            (
                (at, at + 1, opcode),
                (at, at, opcode),
                (at, end, b""),
                (at, at, piece),
                (at, end, number),
            )
        )
        content[start:stop] = new or b""
    return bytes(content)


OPCODES = b"().0Nqh]}attRQbsuecX\x81\x85\x86\x87\x8f\x90\x91\x93\x94" + bytes(range(0, 256, 5))


@pytest.mark.parametrize("name", SMALL)
def test_changed_pickles(name, torch):
    """Pickles changed at random, under a right checksum: data, or a clear error."""
    file = zipfile.ZipFile(written(torch, SAFE[name](torch)))
    records = [(each, file.read(each)) for each in file.namelist()]
    chosen = random.Random(name)
    for _ in range(300 * WAYS // 3):
        content = mutated(records[0][1], chosen)
        raw = archive([(records[0][0], content), *records[1:]])
        try:
            lampas.load(io.BytesIO(raw))
        except CLEAR as error:
            assert len(str(error)) > 10, content


def test_files_without_checksums(torch):
    """`set_crc32_options(False)` writes zeros, which say nothing."""
    torch.serialization.set_crc32_options(False)
    lampas.serialization.set_crc32_options(False)
    try:
        files = [written(t, {"a": t.arange(3)}) for t in (torch, lampas)]
    finally:
        torch.serialization.set_crc32_options(True)
        lampas.serialization.set_crc32_options(True)
    for file in files:
        assert lampas.load(io.BytesIO(file.getvalue()))["a"].tolist() == [0, 1, 2]
        assert torch.load(io.BytesIO(file.getvalue()))["a"].tolist() == [0, 1, 2]


def test_not_checkpoints(tmp_path):
    for content in (b"", b"x", b"hello, world" * 100, b"\x80\x02.", bytes(5000), b"PK\x03\x04"):
        path = tmp_path / "a.pt"
        path.write_bytes(content)
        for options in ({}, {"mmap": True}):
            with pytest.raises(CLEAR):
                lampas.load(path, **options)
