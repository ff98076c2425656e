"""Files from a stranger: nothing runs, nothing crashes or hangs, the error says what is wrong."""

import io
import pickle
import struct
import sys
import warnings
import zipfile

import pytest
from hostile_files import (
    HOOKS,
    archive,
    called,
    checkpoint,
    nested_key,
    number,
    numbers,
    program,
    storage,
    tensor,
    text,
)

import lampas
from lampas import serialization

REFUSED = (pickle.UnpicklingError, RuntimeError, NotImplementedError)
DATA = ("a/data/0", b"12345678")
HUGE = 1 << 60


def eight(value):
    return struct.pack("<Q", value)


# name -> (pickle, part of the message)
PICKLES = {
    "os.system": (program(called("posix.system", text("ls") + b"\x85")), "module posix is blocked"),
    "os": (program(called("os.system", text("ls") + b"\x85")), "module os is blocked"),
    "sys": (program(called("sys.exit", b")")), "module sys is blocked"),
    "eval": (program(called("builtins.eval", text("1") + b"\x85")), "GLOBAL eval"),
    "eval, Python 2": (program(called("__builtin__.eval", text("1") + b"\x85")), "GLOBAL eval"),
    "getattr": (program(called("builtins.getattr", b")")), "GLOBAL getattr"),
    "import": (program(called("importlib.import_module", b")")), "importlib.import_module"),
    "torch.load": (program(called("torch.load", b")")), "GLOBAL torch.load"),
    "torch.hub": (program(called("torch.hub.load", b")")), "GLOBAL torch.hub.load"),
    "ours": (program(called("lampas.load", b")")), "GLOBAL lampas.load"),
    "bytes as pickle": (program(called("torch.storage._load_from_bytes", b")")), "_load_from_bytes"),
    "numpy scalar": (program(b"cnumpy.core.multiarray\nscalar\n"), "multiarray.scalar"),
    "numpy array": (program(b"cnumpy.core.multiarray\n_reconstruct\n"), "_reconstruct"),
    "STACK_GLOBAL": (b"\x80\x04" + text("posix") + text("system") + b"\x93).", "blocked"),
    "STACK_GLOBAL, dotted": (b"\x80\x04" + text("torch") + text("load.x") + b"\x93.", "torch.load.x"),
    "STACK_GLOBAL of numbers": (b"\x80\x04K\x01K\x02\x93.", "STACK_GLOBAL requires str"),
    "INST": (b"(" + text("ls") + b"iposix\nsystem\n.", "Unsupported operand 105"),
    "OBJ": (b"(ccollections\nOrderedDict\no.", "Unsupported operand 111"),
    "EXT1": (program(b"\x82\x01"), "Unsupported operand 130"),
    "EXT2": (program(b"\x83\x01\x00"), "Unsupported operand 131"),
    "EXT4": (program(b"\x84\x01\x00\x00\x00"), "Unsupported operand 132"),
    "PERSID": (b"Pposix.system\n.", "Unsupported operand 80"),
    "NEXT_BUFFER": (b"\x80\x05\x97.", "Unsupported operand 151"),
    "persistent number": (program(b"K\x05Q"), "storage"),
    "persistent tuple": (program(text("x") + b"K\x01\x86Q"), "expected 'storage' but got 'x'"),
    "persistent without parts": (program(b")Q"), "storage"),
    "persistent class": (program(b"(" + text("storage") + b"ctorch\nTensor\n" + text("0") * 2 + b"K\x01tQ"), "malformed reference"),
    "persistent, nested for ever": (program(nested_key(200) + b"\x85Q"), "malformed|expected 'storage'"),
    "BUILD of a class": (program(b"ctorch\nTensor\n}b"), "Can only build Tensor, Parameter"),
    "BUILD of a list": (program(b"]}b"), "got <class 'list'>"),
    "BUILD of a dict": (program(b"}}b"), "got <class 'dict'>"),
    "BUILD with a number": (program(HOOKS + b"K\x05b"), "state must be a dict"),
    "BUILD with __class__": (program(HOOKS + b"}" + text("__class__") + b"K\x01sb"), "two underscores"),
    "BUILD with __setstate__": (program(HOOKS + b"}" + text("__setstate__") + b"K\x01sb"), "two underscores"),
    "BUILD with number names": (program(HOOKS + b"}K\x01K\x02sb"), "dict of names"),
    "BUILD of a tensor": (program(tensor() + b"}b"), "state of a tensor"),
    "BUILD with slots": (program(HOOKS + b"N}" + text("move_to_end") + b"K\x01s\x86b"), "state must be a dict"),
    "call of data": (program(b"K\x01)R"), "unrecognized function 1"),
    "call of a dtype": (program(b"ctorch\nfloat32\n)R"), "unrecognized function"),
    "call of a storage class": (program(called("torch.FloatStorage", number(1 << 40) + b"\x85")), "unrecognized function"),
    "call of Tensor": (program(called("torch.Tensor", number(1 << 40) + b"\x85")), "unrecognized function"),
    "call with a list": (program(called("collections.OrderedDict", b"]")), "must be a tuple"),
    "NEWOBJ of a function": (program(b"ctorch._utils\n_rebuild_tensor\n)\x81"), "new object for unrecognized"),
    "NEWOBJ of data": (program(b"K\x01)\x81"), "new object for unrecognized"),
    "NEWOBJ with a list": (program(b"ccollections\nOrderedDict\n]\x81"), "must be a tuple"),
    "NEWOBJ_EX with keywords": (b"\x80\x04ccollections\nOrderedDict\n)}" + text("a") + b"K\x01s\x92.", "keyword"),
    "large bytearray": (program(called("builtins.bytearray", number(1 << 40) + b"\x85")), "bytearray of a int"),
    "complex of a text": (program(called("builtins.complex", text("1") + b"\x85")), "needs numbers"),
    "encode by a codec": (program(called("_codecs.encode", text("a") + text("rot13") + b"\x86")), "rot13"),
    "layout": (program(called("torch.serialization._get_layout", text("torch.evil") + b"\x85")), "layout"),
    "BINBYTES8": (b"\x80\x04\x8e" + eight(HUGE) + b".", "truncated"),
    "BINUNICODE8": (b"\x80\x04\x8d" + eight(HUGE) + b".", "truncated"),
    "BYTEARRAY8": (b"\x80\x05\x96" + eight(HUGE) + b".", "truncated"),
    "BINUNICODE": (b"\x80\x02X\xff\xff\xff\x7f.", "truncated"),
    "LONG4": (b"\x80\x02\x8b\xff\xff\xff\x7f.", "truncated"),
    "LONG4, negative": (b"\x80\x02\x8b\xff\xff\xff\xff.", "truncated"),
    "FRAME": (b"\x80\x04\x95" + eight(HUGE) + b"K\x01.", "frame is larger"),
    "protocol 9": (b"\x80\x09K\x01.", "unsupported pickle protocol: 9"),
    "no text": (b"\x80\x02X\x01\x00\x00\x00\xff.", "UnicodeDecodeError"),
    "endless line": (b"\x80\x02cposix", "line without an end"),
    "empty": (b"", "truncated"),
    "no STOP": (b"\x80\x02K\x01", "truncated"),
    "only STOP": (b"\x80\x02.", "empty stack"),
    "empty stack": (program(b"R"), "empty stack"),
    "no MARK": (program(b"K\x01t"), "could not find MARK"),
    "STOP inside a MARK": (program(b"K\x01("), "empty stack"),
    "memo": (program(b"h\x05"), "Memo value not found at index 5"),
    "APPEND to a dict": (program(b"}K\x01a"), "Can only append to lists, but got <class 'dict'>"),
    "SETITEM of a list": (program(b"]K\x01K\x02s"), "Can only SETITEM for dict"),
    "odd SETITEMS": (program(b"}(K\x01u"), "odd number"),
    "ADDITEMS to a list": (program(b"](K\x01\x90"), "ADDITEMS"),
    "unhashable key": (program(b"}]K\x01s"), "unhashable"),
    "key that hashes for ever": (program(b"}" + nested_key(200) + b"K\x01s"), "key of a dict or set is too large"),
    "set that hashes for ever": (program(called("builtins.set", b"]" + nested_key(200) + b"a\x85")), "too large"),
    "frozenset": (b"\x80\x04(" + nested_key(200) + b"\x91.", "too large"),
    "Counter": (program(called("collections.Counter", b"]" + nested_key(200) + b"a\x85")), "too large"),
    "OrderedDict": (program(called("collections.OrderedDict", b"]]" + nested_key(200) + b"aK\x01aa\x85")), "too large"),
    "key as deep as the stack": (program(b"})" + b"\x85" * 200_000 + b"K\x01s"), "too large"),
    "function that hashes for ever": (program(nested_key(200) + b")R"), "unrecognized function"),
    "the same bytes again and again": (program(text("x" * 100_000) + b"q\x000" + (called("_codecs.encode", b"h\x00" + text("latin1") + b"\x86") + b"0") * 1000 + b"N"), "far more data than it holds"),
    "container whose text never ends": (program(called("collections.OrderedDict", b"]" + b"]K\x01a" + nested_key(200) + b"aa\x85") + b")R"), "unrecognized function a OrderedDict"),
    "reference whose text never ends": (program(b"(" + text("storage") + called("collections.OrderedDict", b"]" + b"]K\x01a" + nested_key(200) + b"aa\x85") + b"tQ"), "malformed reference"),
    "ints of one hash": (program(b"}(" + b"".join(number(i * ((1 << 61) - 1)) + b"K\x01" for i in range(1, 60_000)) + b"u"), "as a key of a dict or set"),
    "complex numbers of one hash": (program(b"}" + called("builtins.complex", b"K\x01K\x02\x86") + b"K\x01s"), "as a key of a dict or set"),
    "huge number in a message": (program(b"\x8b" + struct.pack("<i", 10_000) + b"\x7f" * 10_000 + b")R"), "an int of 79999 bits"),
    "tensor of no storage": (program(called("torch._utils._rebuild_tensor_v2", b"(K\x01K\x00))\x89" + HOOKS + b"t")), "stands on a storage"),
    "tensor of too few": (program(called("torch._utils._rebuild_tensor_v2", b")")), "0 arguments"),
    "meta tensor": (program(called("torch._utils._rebuild_meta_tensor_no_storage", b"(ctorch\nfloat32\n" + numbers([1 << 40] * 2) + numbers([1, 1]) + b"\x89t")), "overflow"),
    "parameter of no tensor": (program(called("torch._utils._rebuild_parameter", b"(K\x01\x88" + HOOKS + b"t")), "of a int instead of a tensor"),
    "tensor with hooks": (program(tensor(hooks=b"}K\x01K\x02s")), "backward hooks"),
    "parameter with hooks": (program(called("torch._utils._rebuild_parameter", b"(" + tensor() + b"\x88}K\x01K\x02st")), "backward hooks"),
    "parameter with a class": (program(called("torch._utils._rebuild_parameter_with_state", b"(" + tensor() + b"\x88" + HOOKS + b"}" + text("__class__") + b"K\x01st")), "two underscores"),
    "subclass": (program(called("torch._tensor._rebuild_from_type_v2", b"(ctorch._utils\n_rebuild_tensor_v2\nccollections\nOrderedDict\n)}t")), "not a known one"),
    "subclass by another function": (program(called("torch._tensor._rebuild_from_type_v2", b"(K\x01ctorch\nTensor\n)}t")), "unrecognized function 1"),
    "subclass with a slot": (program(called("torch._tensor._rebuild_from_type_v2", b"(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n)N}\x86t")), "state must be a dict"),
    "negative size": (program(tensor(size=(-1,))), "negative dimension"),
    "size beyond the storage": (program(tensor(size=(3,))), "out of bounds for storage"),
    "overflowing size": (program(tensor(size=(1 << 32, 1 << 32), stride=(0, 0))), "overflow"),
    "size of 70 bits": (program(tensor(size=(1 << 70,))), "Overflow|overflow"),
    "negative stride": (program(tensor(stride=(-1,))), "negative strides"),
    "overflowing stride": (program(tensor(stride=(1 << 62,), size=(3,))), "overflow"),
    "fewer strides": (program(tensor(size=(2, 1))), "mismatch in length of strides"),
    "negative offset": (program(tensor(offset=-1)), "invalid storage offset"),
    "large offset": (program(tensor(offset=1)), "out of bounds for storage"),
    "overflowing offset": (program(tensor(offset=(1 << 62) + 1)), "overflow"),
    "many dimensions": (program(tensor(size=(1,) * 100, stride=(1,) * 100)), "64 dimensions"),
    "other dtype": (program(tensor(function="v3", extra=b"ctorch\ncomplex128\n")), "out of bounds for storage"),
    "bools of floats": (program(tensor(function="v3", extra=b"ctorch\nbool\n")), "bools"),
    "conjugated view of one element": (program(tensor(size=(1 << 40,), stride=(0,), extra=b"}" + text("conj") + b"\x88s")), "larger than its storage"),
    "larger storage": (program(tensor(count=1000)), "should have 4000 bytes, but its record has 8"),
    "huge storage": (program(tensor(count=HUGE)), "but its record has 8"),
    "negative storage": (program(tensor(count=-2)), "malformed reference"),
    "smaller storage": (program(tensor(count=1)), "should have 4 bytes"),
    "storage elsewhere": (program(storage(2, location="evil")), "don't know how to restore data location"),
    "storage out of the folder": (program(storage(2, key="../x")), "file not found"),
    "quantized": (program(b"ctorch\nqint8\n"), "torch.qint8, which Lampas does not support"),
    "sparse": (program(called("torch._utils._rebuild_sparse_tensor", b")")), "arguments"),
}  # fmt: skip


@pytest.fixture(scope="module")
def started():
    """The system calls to start something, as they happen. A hook can never be taken off again."""
    events = []
    sys.addaudithook(
        lambda event, arguments: (
            events.append((event, arguments))
            if event in ("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen")
            else None
        )
    )
    return events


@pytest.fixture(autouse=True)
def nothing_runs(started):
    """Fails when a file started something, whatever error followed."""
    started.clear()
    yield
    assert not started


@pytest.mark.parametrize("name", PICKLES)
def test_pickles(name):
    content, reason = PICKLES[name]
    with pytest.raises(REFUSED, match=reason):
        lampas.load(io.BytesIO(checkpoint(content, DATA)))


@pytest.mark.parametrize("name", PICKLES)
def test_pickles_in_the_old_format(name):
    """The same, where the pickle is the third of the old format, or stands alone."""
    content, _ = PICKLES[name]
    head = b"".join(
        pickle.dumps(part, protocol=2)
        for part in (serialization.MAGIC_NUMBER, 1001, {"little_endian": True})
    )
    tail = pickle.dumps(["0"], protocol=2) + struct.pack("<q", 2) + b"12345678"
    for data in (head + content + tail, content):
        with pytest.raises((*REFUSED, EOFError)):
            lampas.load(io.BytesIO(data))


@pytest.mark.parametrize("place", range(1, 5))
def test_endless_values_in_the_old_format(place):
    """Values whose text or hash never ends, where the format expects something else."""
    parts = [pickle.dumps(x, 2) for x in (serialization.MAGIC_NUMBER, 1001, {})]
    parts += [program(tensor()), pickle.dumps(["0"], protocol=2)]
    evil = program(nested_key(200)) if place != 4 else program(b"]" + nested_key(200) + b"a")
    if place == 3:
        evil = program(nested_key(200) + b"Q")
    parts[place] = evil
    with pytest.raises(REFUSED):
        lampas.load(io.BytesIO(b"".join(parts) + struct.pack("<q", 2) + b"12345678"))


def test_the_parts_are_sound():
    """What the hostile pickles are made of loads where nothing is wrong."""
    loaded = lampas.load(io.BytesIO(checkpoint(program(tensor()), DATA)))
    assert loaded.shape == (2,) and loaded.dtype is lampas.float32
    key = program(b"}" + nested_key(5) + b"K\x01s")
    assert len(lampas.load(io.BytesIO(checkpoint(key)))) == 1


@pytest.mark.parametrize("name", list(PICKLES)[:9])
def test_texts_equal_pytorch(name, torch):
    """The refusals of globals are PyTorch's, word for word."""
    content = checkpoint(PICKLES[name][0], DATA)
    with pytest.raises(pickle.UnpicklingError) as expected:
        torch.load(io.BytesIO(content))
    with pytest.raises(pickle.UnpicklingError) as raised:
        lampas.load(io.BytesIO(content))
    assert str(raised.value) == str(expected.value)


def test_archives():
    good = ("a/data.pkl", program(tensor()))
    assert lampas.load(io.BytesIO(archive([good, DATA]))).shape == (2,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's own about the duplicate
        duplicate = archive([good, DATA, DATA])
    bomb = archive([good, ("a/data/0", bytes(1 << 20))], zipfile.ZIP_DEFLATED)
    larger = archive([good, DATA]).replace(
        struct.pack("<2L", 8, 8), struct.pack("<2L", 1 << 30, 1 << 30)
    )
    broken = {
        "no record": (archive([good]), "file not found"),
        "no pickle": (archive([DATA]), "locating file data.pkl"),
        "duplicate": (duplicate, "two records of the name 'data/0'"),
        "leads out": (archive([good, DATA, ("a/../../evil", b"x")]), "leads out of its folder"),
        "absolute": (archive([good, DATA, ("/etc/evil", b"x")]), "2 folders"),
        "two folders": (archive([good, DATA, ("b/data/0", b"x")]), "2 folders"),
        "compressed": (bomb, "compressed or encrypted"),
        "larger than the file": (larger, "larger than the file"),
        "byte order": (archive([good, DATA, ("a/byteorder", b"evil")]), "Unknown endianness"),
        "TorchScript": (archive([good, ("a/constants.pkl", b"")]), "TorchScript"),
        "only a directory": (b"PK\x05\x06" + bytes(18), "Unsupported operand|neither|operand"),
    }
    for name, (content, reason) in broken.items():
        with pytest.raises((*REFUSED, ValueError), match=reason):
            lampas.load(io.BytesIO(content))
            pytest.fail(name)


def test_mapped_records_stay_in_the_file(tmp_path):
    """With mmap=True no checksum is asked; bounds are."""
    path = tmp_path / "a.pt"
    content = archive([("a/data.pkl", program(tensor())), DATA])
    for damaged in (
        content.replace(b"a/data/0", b"a/data/1", 1),  # only in the local header
        content.replace(struct.pack("<2L", 8, 8), struct.pack("<2L", 9000, 9000)),
    ):
        path.write_bytes(damaged)
        with pytest.raises(RuntimeError):
            lampas.load(path, mmap=True)
    path.write_bytes(content)
    assert lampas.load(path, mmap=True).untyped_storage().nbytes() == 8


def test_deep_nesting_is_data():
    for pair in ((b"]", b"a"), (b"(", b"l"), (b"", b"\x85")):
        depth = 50_000
        inner = b"]" if pair[0] in (b"]", b"(") else b")"
        body = inner + pair[0] * depth + pair[1] * depth
        if pair[0] == b"(":
            body = b"(" * depth + b"l" * depth
        value = lampas.load(io.BytesIO(checkpoint(program(body))))
        assert isinstance(value, (list, tuple))


def test_cycles_are_data():
    value = lampas.load(io.BytesIO(checkpoint(program(b"]q\x00h\x00a"))))
    assert value[0] is value
    value = lampas.load(io.BytesIO(checkpoint(program(b"}q\x00K\x01h\x00s"))))
    assert value[1] is value


def test_bools_are_zero_or_one(torch, tmp_path):
    """A mask of other bytes would count as many elements and reach beyond the tensor."""
    path = tmp_path / "a.pt"
    body = (
        b"(" + storage(8, "BoolStorage") + number(0) + numbers([8]) + numbers([1]) + b"\x89" + HOOKS
    )
    content = program(called("torch._utils._rebuild_tensor_v2", body + b"t"))
    path.write_bytes(checkpoint(content, ("a/data/0", b"\xff\x02\x00\x01" * 2)))
    for options in ({}, {"mmap": True}, {"weights_only": False}):
        mask = lampas.load(path, **options)
        assert mask.sum().item() == 6 and lampas.arange(8)[mask].tolist() == [0, 1, 3, 4, 5, 7]


class Known:
    def __init__(self):
        self.x = 1


class KnownDict(dict):
    pass


def test_safe_globals(torch):
    """A class is usable only inside the block that names it, and its state is set as pickle does."""
    file = io.BytesIO()
    torch.save([Known(), KnownDict(a=1)], file)

    def load():
        file.seek(0)
        return lampas.load(file)

    with serialization.safe_globals([Known, KnownDict]):
        known, mapping = load()
        assert known.x == 1 and type(mapping) is KnownDict and mapping == {"a": 1}
        assert serialization.get_safe_globals() == [Known, KnownDict]
    with pytest.raises(pickle.UnpicklingError, match="Known was not an allowed global"):
        load()
    serialization.add_safe_globals([(Known, f"{__name__}.Known"), KnownDict])
    assert load()[0].x == 1
    serialization.clear_safe_globals()
    assert serialization.get_safe_globals() == []
    with pytest.raises(pickle.UnpicklingError):
        load()


def test_packed_sequence_when_named(torch):
    rnn = lampas.nn.utils.rnn
    file = io.BytesIO()
    torch.save(torch.nn.utils.rnn.pack_sequence([torch.ones(2)]), file)
    file.seek(0)
    names = serialization.get_unsafe_globals_in_checkpoint(file)
    assert names == ["torch.nn.utils.rnn.PackedSequence"]
    file.seek(0)
    with serialization.safe_globals([rnn.PackedSequence]):
        assert type(lampas.load(file)) is rnn.PackedSequence


def test_unsafe_globals_are_listed_without_running():
    content = checkpoint(
        program(b"(" + b"cposix\nsystem\n" + b"cbuiltins\neval\n" + b"ctorch\nTensor\n" + b"t")
    )
    names = serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(content))
    assert names == ["builtins.eval", "posix.system"]
    with pytest.raises((pickle.UnpicklingError, RuntimeError)):
        serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(checkpoint(b"\x80\x02\xfe.")))
