"""safetensors files: ours and the package's read each other, and broken ones are refused."""

import json
import os
import struct

import pytest

import lampas
from lampas.serialization import safetensors

package = pytest.importorskip("safetensors.torch", reason="the package safetensors is not there")
NAMES = (
    "bool uint8 int8 int16 uint16 float16 bfloat16 int32 uint32 float32 complex64 float64 int64 "
    "uint64"
).split()


def tensors(t):
    state = {f"x {name}": t.arange(6).to(getattr(t, name)).reshape(2, 3) for name in NAMES}
    return {**state, "empty": t.empty(0, 3), "scalar": t.tensor(2.5), "é": t.ones(1)}


def plain(state):
    return {k: (str(x.dtype), tuple(x.shape), x.tolist()) for k, x in state.items()}


def test_both_ways(torch, tmp_path):
    path = tmp_path / "a.safetensors"
    package.save_file(tensors(torch), path)
    assert plain(safetensors.load_file(path)) == plain(tensors(torch))
    assert plain(safetensors.load(path.read_bytes())) == plain(tensors(torch))
    safetensors.save_file(tensors(lampas), path)
    assert plain(package.load_file(path)) == plain(tensors(torch))
    assert plain(package.load(safetensors.save(tensors(lampas)))) == plain(tensors(torch))


def test_the_bytes_are_the_same(torch):
    for metadata in (None, {"format": "pt"}):
        ours = safetensors.save(tensors(lampas), metadata)
        assert ours == package.save(tensors(torch), metadata)


def test_models(torch, tmp_path):
    path = tmp_path / "net.safetensors"
    ours, theirs = lampas.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    package.save_file(theirs.state_dict(), path)
    ours.load_state_dict(safetensors.load_file(path))
    assert ours.weight.tolist() == theirs.weight.tolist()


def test_open(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.save_file(
        {"b": lampas.arange(6).reshape(2, 3), "a": lampas.ones(1)}, path, {"k": "v"}
    )
    with safetensors.safe_open(path, framework="pt") as file:
        assert file.keys() == ["a", "b"] and file.offset_keys() == ["b", "a"]
        assert file.metadata() == {"k": "v"}
        part = file.get_slice("b")
        assert part.get_shape() == [2, 3] and part.get_dtype() == "I64"
        assert part[1:, 1].tolist() == [4]
        kept = file.get_tensor("b")
        with pytest.raises(safetensors.SafetensorError, match="does not contain tensor c"):
            file.get_tensor("c")
    assert kept.tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(safetensors.SafetensorError, match="closed"):
        file.get_tensor("a")


def test_mapped_memory_is_private(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.save_file({"a": lampas.zeros(3)}, path)
    x = safetensors.load_file(path)["a"]
    x.fill_(5)
    assert safetensors.load_file(path)["a"].tolist() == [0, 0, 0]
    assert x.untyped_storage().nbytes() == 12
    safetensors.save_file({"a": x}, path)  # over the file it was mapped from
    assert safetensors.load_file(path)["a"].tolist() == [5, 5, 5] and x.tolist() == [5, 5, 5]


def file_of(header, data=b"", length=None):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(shape, offsets, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


TWO = {"a": entry([1], [0, 4]), "b": entry([1], [8, 12])}
BROKEN = {
    "nothing": (b"", "header too small"),
    "too short": (b"abc", "header too small"),
    "huge header": (struct.pack("<Q", 1 << 60) + b"{}", "header too large"),
    "header over the limit": (struct.pack("<Q", 100_000_001) + b"{}", "header too large"),
    "header over the end": (struct.pack("<Q", 100) + b"{}", "invalid header length"),
    "no JSON": (file_of(b"abcd"), "invalid JSON"),
    "no UTF-8": (file_of(b"\xff\xff"), "invalid UTF-8"),
    "a list": (file_of(b"[]"), "invalid JSON"),
    "empty header": (file_of(b""), "invalid JSON"),
    "NaN": (file_of(b'{"a":NaN}'), "invalid JSON"),
    "trailing bytes": (file_of(b"{}\0"), "invalid JSON"),
    "deep": (file_of(b'{"a":' + b"[" * 100_000), "recursion limit"),
    "hole": (file_of(TWO, b"x" * 12), "invalid offset for tensor `b`"),
    "hole at the start": (file_of({"a": entry([1], [4, 8])}, b"x" * 8), "invalid offset"),
    "overlap": (file_of({"a": entry([2], [0, 8]), "b": entry([1], [4, 8])}, b"x" * 8), "offset"),
    "data left": (file_of({"a": entry([2], [0, 8])}, b"x" * 9), "not fully covered"),
    "data missing": (file_of({"a": entry([2], [0, 8])}, b"x" * 7), "not fully covered"),
    "other size": (file_of({"a": entry([3], [0, 8])}, b"x" * 8), "invalid shape"),
    "negative size": (file_of({"a": entry([-1], [0, 8])}, b"x" * 8), "invalid JSON"),
    "negative offset": (file_of({"a": entry([2], [-8, 0])}, b"x" * 8), "invalid JSON"),
    "backwards": (file_of({"a": entry([2], [8, 0])}, b"x" * 8), "invalid offset"),
    "overflow": (file_of({"a": entry([1 << 40, 1 << 40], [0, 8])}, b"x" * 8), "overflow"),
    "overflow to zero": (file_of({"a": entry([1 << 62, 1 << 62, 0], [0, 0])}), "overflow"),
    "unknown type": (file_of({"a": entry([2], [0, 8], "F99")}, b"x" * 8), "unknown variant"),
    "float size": (file_of({"a": entry([1.0], [0, 4])}, b"x" * 4), "invalid JSON"),
    "bool size": (file_of({"a": entry([True], [0, 4])}, b"x" * 4), "invalid JSON"),
    "metadata": (file_of({"__metadata__": {"a": 5}}), "invalid JSON"),
    "missing field": (file_of({"a": {"dtype": "F32"}}), "missing field `shape`"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(name, tmp_path):
    content, reason = BROKEN[name]
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    import safetensors as reference

    # Where PyTorch's side accepts such a file, ours is stricter on purpose; here it never does.
    with pytest.raises(reference.SafetensorError):
        package.load(content)
    for read in (lambda: safetensors.load(content), lambda: safetensors.load_file(path)):
        with pytest.raises(safetensors.SafetensorError, match=reason):
            read()


def test_stricter_than_the_package():
    one = json.dumps(entry([1], [0, 4]))
    twice = file_of(f'{{"a":{one},"a":{one}}}'.encode(), b"x" * 4)
    with pytest.raises(safetensors.SafetensorError, match="twice"):
        safetensors.load(twice)


def test_types_of_the_format_alone():
    content = file_of({"a": entry([1], [0, 1], "F8_E4M3"), "b": entry([1], [1, 2], "U8")}, b"\0\1")
    with pytest.raises(NotImplementedError, match="F8_E4M3"):
        safetensors.load(content)


def test_unaligned_and_bools():
    header = {
        "u": entry([1], [0, 1], "U8"),
        "a": entry([1], [1, 5]),
        "b": entry([2], [5, 7], "BOOL"),
    }
    loaded = safetensors.load(file_of(header, b"\7" + struct.pack("<f", 1.5) + b"\xff\0"))
    assert loaded["a"].tolist() == [1.5] and loaded["b"].sum().item() == 1


def test_every_cut_and_change():
    raw = safetensors.save(tensors(lampas))
    for end in range(len(raw)):
        with pytest.raises(safetensors.SafetensorError):
            safetensors.load(raw[:end])
    for position in range(struct.unpack("<Q", raw[:8])[0] + 8):
        damaged = bytearray(raw)
        damaged[position] ^= 1 << position % 8
        try:
            safetensors.load(damaged)
        except (safetensors.SafetensorError, NotImplementedError):
            pass


def test_refused_tensors(torch):
    def calls(t, module):
        x = t.arange(6.0).reshape(2, 3)
        return {
            "not contiguous": lambda: module.save({"a": x.t()}),
            "one tensor twice": lambda: module.save({"a": x, "b": x}),
            "no tensor": lambda: module.save({"a": 5}),
            "no dict": lambda: module.save([x]),
            "metadata": lambda: module.save({"a": x}, {"a": 5}),
            "number as name": lambda: module.save({5: x}),
            "meta": lambda: module.save({"a": x.to("meta")}),
            "complex128": lambda: module.save({"a": x.to(t.complex128)}),
        }

    ours = calls(lampas, safetensors)
    for name, call in calls(torch, package).items():
        with pytest.raises(Exception) as expected:
            call()
        with pytest.raises(expected.type):
            ours[name]()
    x = lampas.arange(6.0).reshape(2, 3)
    assert len(safetensors.load(safetensors.save({"a": x[0], "b": x[1]}))) == 2


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.save_file({"a": lampas.ones(1)}, path)
    with pytest.raises(ValueError):
        safetensors.save_file({"a": lampas.ones(2, 2).t()}, path)
    assert safetensors.load_file(path)["a"].tolist() == [1] and len(os.listdir(tmp_path)) == 1
