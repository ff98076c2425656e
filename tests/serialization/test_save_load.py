"""save and load: arguments, errors, the layout of the file, map_location, mmap, byte order."""

import io
import os
import pickle
import struct
import zipfile
import zlib

import pytest
from checkpoints import written
from hostile_files import archive

import lampas


def test_views_stay_views(torch):
    a = lampas.arange(6.0)
    for loaded in (
        lampas.load(written(lampas, [a, a[2:]])),
        torch.load(written(lampas, [a, a[2:]])),
        lampas.load(written(torch, [torch.arange(6.0)] * 2)),
    ):
        loaded[0].fill_(7)
        assert loaded[1].tolist() == [7.0] * len(loaded[1])


def test_layout_of_the_file(tmp_path):
    path = tmp_path / "net.pt"
    lampas.save({"a": lampas.ones(3), "b": lampas.ones(100)}, path)
    with zipfile.ZipFile(path) as file:
        infos = file.infolist()
    names = [info.filename for info in infos]
    assert names[0] == "net/data.pkl" and "net/version" in names and "net/byteorder" in names
    raw = path.read_bytes()
    for info in infos:
        name_length, extra_length = struct.unpack_from("<2H", raw, info.header_offset + 26)
        assert (info.header_offset + 30 + name_length + extra_length) % 64 == 0


def test_mmap(tmp_path):
    path = tmp_path / "a.pt"
    lampas.save(lampas.arange(1000.0), path)
    mapped = lampas.load(path, mmap=True)
    mapped[0] = 5.0
    assert mapped[:3].tolist() == [5.0, 1.0, 2.0]
    assert lampas.load(path)[0].item() == 0.0
    with pytest.raises(ValueError, match="must be a file path"):
        lampas.load(written(lampas, 1), mmap=True)


class Stranger:
    def __reduce__(self):
        return os.system, ("echo executed > /dev/null",)


class Known:
    pass


class Reader:
    def read(self, count=-1):
        return b""


def old_file(torch, folder):
    path = str(folder / "old.pt")
    torch.save([1], path, _use_new_zipfile_serialization=False)
    return path


def script(torch, folder):
    path = str(folder / "script.pt")
    if not os.path.exists(path):
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), path)
    return path


def calls(t, torch, tmp_path):
    """Failing calls in the library `t`; the files are PyTorch's."""
    ones = {"a": torch.ones(2)}
    raw = written(torch, ones).getvalue()
    return {
        "unknown class": lambda: t.load(written(torch, Known())),
        "os.system": lambda: t.load(written(torch, Stranger())),
        "slice": lambda: t.load(written(torch, slice(1))),
        "module": lambda: t.load(written(torch, torch.nn.Linear(1, 1))),
        "not a checkpoint": lambda: t.load(io.BytesIO(b"\x80\x02K\x01.")),
        "cut": lambda: t.load(io.BytesIO(raw[:-5])),
        "no file": lambda: t.load(tmp_path / "missing.pt"),
        "folder": lambda: t.load(tmp_path),
        "number": lambda: t.load(5),
        "save to number": lambda: t.save(1, 5),
        "no folder": lambda: t.save(1, tmp_path / "missing" / "a.pt"),
        "lambda": lambda: t.save(lambda: 1, io.BytesIO()),
        "where": lambda: t.load(written(torch, ones), map_location="somewhere"),
        "cuda": lambda: t.load(written(torch, ones), map_location="cuda"),
        "map to number": lambda: t.load(written(torch, ones), map_location=5),
        "map by a function": lambda: t.load(written(torch, ones), map_location=lambda s, l: 5),
        "mps": lambda: t.load(written(torch, ones), map_location="mps"),
        "hpu": lambda: t.load(written(torch, ones), map_location="hpu"),
        "xla": lambda: t.load(written(torch, ones), map_location="xla"),
        "mmap of a file object": lambda: t.load(written(torch, ones), mmap=True),
        "mmap of an old file": lambda: t.load(old_file(torch, tmp_path), mmap=True),
        "TorchScript": lambda: t.load(script(torch, tmp_path)),
        "no seek": lambda: t.load(Reader()),
        "nothing": lambda: t.save(),
        "save to None": lambda: t.save(1, None),
        "load of None": lambda: t.load(None),
        "protocol 9": lambda: t.save(1, io.BytesIO(), pickle_protocol=9),
        "keyword": lambda: t.load(written(torch, 1), weights_only=False, foo=1),
        "byte order": lambda: t.serialization.set_default_load_endianness("big"),
        "location": lambda: t.serialization.default_restore_location(t.UntypedStorage(1), "evil"),
        "CUDA device": lambda: t.serialization.validate_cuda_device("cuda:0"),
        "HPU device": lambda: t.serialization.validate_hpu_device("hpu"),
        "storage type": lambda: t.serialization.StorageType("Foo"),
        "pickle_module": lambda: t.load(written(torch, 1), weights_only=True, pickle_module=pickle),
    }


def test_errors_equal_torch(torch, tmp_path):
    if lampas.cuda.is_available():
        pytest.skip("with a CUDA device some of these calls succeed")
    ours = calls(lampas, torch, tmp_path)
    for name, call in calls(torch, torch, tmp_path).items():
        with pytest.raises(Exception) as expected:
            call()
        with pytest.raises(expected.type) as raised:
            ours[name]()
        same = str(raised.value).replace("calls.<locals>", "") == str(expected.value).replace(
            "calls.<locals>", ""
        )
        # A miniz error is not ours to report; the rest of the sentence is the same.
        assert same or "miniz" in str(expected.value), (name, str(raised.value))


def test_map_location(torch):
    ones = written(torch, torch.ones(2)).getvalue()
    seen = []

    def place(storage, location):
        seen.append((storage.nbytes(), location))
        return storage

    assert lampas.load(io.BytesIO(ones), map_location=place).tolist() == [1, 1]
    assert seen == [(8, "cpu")]
    for where in ("cpu", lampas.device("cpu"), {"cuda:0": "cpu"}, lambda s, location: None):
        assert lampas.load(io.BytesIO(ones), map_location=where).tolist() == [1, 1]
    for where in ("meta", {"cpu": "meta"}, lampas.device("meta")):
        assert lampas.load(io.BytesIO(ones), map_location=where).device.type == "meta"


def test_big_endian_files(torch):
    data = zipfile.ZipFile(written(torch, torch.tensor([1.0, 2.0])))
    records = [(name, data.read(name)) for name in data.namelist()]
    big = [
        (name, b"big" if name.endswith("byteorder") else swapped(name, content))
        for name, content in records
    ]
    assert lampas.load(io.BytesIO(archive(big))).tolist() == [1.0, 2.0]


def swapped(name, content):
    return struct.pack(">2f", *struct.unpack("<2f", content)) if "/data/" in name else content


def test_serialization_id_depends_on_content():
    ids = set()
    for value in (1.0, 2.0):
        file = zipfile.ZipFile(written(lampas, lampas.full((2,), value)))
        ids.add(file.read("archive/.data/serialization_id"))
    assert len(ids) == 2 and all(len(each) == 40 for each in ids)
    assert zlib.crc32(b"") == 0


class OnlyRead:
    """The least that `load` asks of a file."""

    def __init__(self, content):
        self._file = io.BytesIO(content)

    def read(self, count=-1):
        return self._file.read(count)

    def seek(self, *where):
        return self._file.seek(*where)

    def tell(self):
        return self._file.tell()


class OnlyWrite:
    """The least that `save` asks of one."""

    def __init__(self):
        self.content = b""

    def write(self, data):
        self.content += bytes(data)


def test_kinds_of_files(torch, tmp_path):
    path = tmp_path / "a.pt"
    for where in (str(path), path, os.fsencode(path)):
        lampas.save(lampas.arange(3), where)
        assert lampas.load(where).tolist() == torch.load(path).tolist() == [0, 1, 2]
    for opened in (open(path, "rb"), open(path, "rb", buffering=0)):
        with opened as file:
            assert lampas.load(file).tolist() == [0, 1, 2]
    assert lampas.load(OnlyRead(path.read_bytes())).tolist() == [0, 1, 2]
    for new in (True, False):
        file = OnlyWrite()
        lampas.save(lampas.arange(3), file, _use_new_zipfile_serialization=new)
        assert torch.load(io.BytesIO(file.content)).tolist() == [0, 1, 2]


def test_pickle_module(torch):
    """A module like `pickle` reads the file, with our classes under PyTorch's names."""
    file = written(torch, {"a": torch.ones(2), "s": torch.Size([1])})
    loaded = lampas.load(file, pickle_module=pickle, encoding="latin1")
    assert loaded["a"].tolist() == [1, 1] and type(loaded["s"]) is lampas.Size


def test_environment(torch, monkeypatch):
    content = written(torch, torch.nn.Linear(1, 1)).getvalue()
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    for t in (torch, lampas):
        assert type(t.load(io.BytesIO(content))).__name__ == "Linear"
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    for t in (torch, lampas):
        with pytest.raises(RuntimeError, match="Only one of"):
            t.load(io.BytesIO(content))
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    for t in (torch, lampas):
        with pytest.raises(pickle.UnpicklingError):
            t.load(io.BytesIO(content), weights_only=False)


def test_wide_fields(torch, monkeypatch):
    """The 64-bit fields of large archives, from a smaller size on."""
    from lampas.serialization import archive_writer

    state = {"a": lampas.arange(1000), "b": lampas.ones(2), "c": [lampas.ones(1)] * 3}
    monkeypatch.setattr(archive_writer, "MANY", 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive_writer, "_is_wide", lambda number: number >= 500)
        content = written(lampas, state).getvalue()
    assert b"PK\6\6" in content and b"PK\6\7" in content
    for t in (torch, lampas):
        loaded = t.load(io.BytesIO(content))
        assert loaded["a"].tolist() == list(range(1000)) and loaded["c"][2].tolist() == [1]
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.testzip() is None
