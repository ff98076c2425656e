"""The safetensors format: `load_file`, `save_file`, `safe_open`, and `load`, `save` for bytes.

A file is `uint64 n`, n bytes of JSON, then the tensors' bytes, row-major and little-endian. The JSON
maps each name to dtype, shape and a half-open range of the bytes; the ranges follow each other
without holes. Nothing in it can run. The names and the errors are those of the package
`safetensors` (format: https://github.com/huggingface/safetensors), which is not needed.
"""

import json
import math
import struct
import sys

import lampas
from lampas.serialization.storage import mapped_storage, storage_bytes, swap_bytes

MAX_HEADER = 100_000_000  # bytes, a limit of the format
# Names of element types in the format's own order: wider ones are written first.
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "I16": "int16",
    "U16": "uint16",
    "F16": "float16",
    "BF16": "bfloat16",
    "I32": "int32",
    "U32": "uint32",
    "F32": "float32",
    "C64": "complex64",
    "F64": "float64",
    "I64": "int64",
    "U64": "uint64",
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_RANKS = {name: rank for rank, name in enumerate(_DTYPES)}
# Element types that only the format has: bits of an element.
_FOREIGN = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
}  # fmt: skip


class SafetensorError(Exception):
    """A file that breaks the rules of the format."""


def save_file(tensors, filename, metadata=None):
    """Save a dict of names and contiguous tensors, and a dict of texts, to a path.

    The path is replaced as a whole, as by `lampas.save`. ValueError for tensors that are not
    contiguous and what is no tensor, RuntimeError for tensors that share memory.
    """
    from lampas.serialization.atomic import replacing

    pieces = _pieces(tensors, metadata)
    with replacing(filename) as file:
        for piece in pieces:
            file.write(piece)


def save(tensors, metadata=None):
    """The bytes of a file with these tensors. The errors are those of `save_file`."""
    return b"".join(_pieces(tensors, metadata))


def load_file(filename, device="cpu"):
    """The tensors of a file by name, mapped: memory is read when it is used, writes stay here.

    SafetensorError where the file breaks the format's rules.
    """
    with safe_open(filename, framework="pt", device=device) as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def load(data):
    """The tensors in the bytes of a file by name."""
    content = bytearray(data)
    header = _Header(content, len(content))
    return {name: header.tensor(name, content) for name in header.entries}


class safe_open:
    """A file whose tensors are read one by one; also a `with` block.

    `device` is where they go. SafetensorError where the file breaks the format's rules.
    """

    def __init__(self, filename, framework="pt", device="cpu"):
        if framework not in ("pt", "torch", "pytorch"):
            raise NotImplementedError(f"safe_open for the framework {framework!r}: only 'pt'")
        import mmap
        import os

        self._device = device
        with open(filename, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            # An empty file cannot be mapped; its header is missing anyway.
            self._content = (
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if size else bytearray()
            )
        self._header = _Header(self._content, size)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._content = None  # tensors keep what they need

    def keys(self):
        """The tensors' names."""
        return sorted(self._header.entries)

    def offset_keys(self):
        """The tensors' names in the order of the file."""
        return list(self._header.entries)

    def metadata(self):
        """The texts that were saved beside the tensors, or None."""
        return self._header.metadata

    def get_tensor(self, name):
        """A tensor by name."""
        if self._content is None:
            raise SafetensorError("File is closed")
        return self._header.tensor(name, self._content).to(self._device)

    def get_slice(self, name):
        """A tensor of which parts are taken with `[...]`."""
        return TensorSlice(self, name)


class TensorSlice:
    """A tensor in a file: indexing it reads what was asked for."""

    def __init__(self, file, name):
        self._file, self._name = file, name
        self._entry = file._header.entry(name)

    def get_shape(self):
        return list(self._entry["shape"])

    def get_dtype(self):
        """The element type's name in the format, such as 'F32'."""
        return self._entry["dtype"]

    def __getitem__(self, index):
        return self._file.get_tensor(self._name)[index]


class _Header:
    """The checked description of the tensors. `entries` is in the order of the file."""

    def __init__(self, content, size):
        length = _header_length(content, size)
        described = _parsed(bytes(content[8 : 8 + length]))
        self._start = 8 + length
        self.metadata = described.pop("__metadata__", None)
        _check_metadata(self.metadata)
        for name, entry in described.items():
            _check_entry(name, entry)
        self.entries = dict(sorted(described.items(), key=lambda item: item[1]["data_offsets"]))
        self._check_cover(size - self._start)

    def entry(self, name):
        if name not in self.entries:
            raise SafetensorError(f"File does not contain tensor {name}")
        return self.entries[name]

    def tensor(self, name, content):
        """The tensor over the bytes of the file."""
        entry = self.entry(name)
        if entry["dtype"] not in _DTYPES:
            raise NotImplementedError(f"tensor {name} has the element type {entry['dtype']}")
        dtype = getattr(lampas, _DTYPES[entry["dtype"]])
        begin, end = entry["data_offsets"]
        storage = mapped_storage(content, self._start + begin, end - begin)
        shape = tuple(entry["shape"])
        if storage.data_ptr() % dtype.itemsize or sys.byteorder == "big":
            storage = storage.clone()
            _to_native(storage, dtype)
        if dtype is lampas.bool:  # the core relies on 0 and 1
            as_bytes = lampas._core._tensor_from_storage(
                storage, lampas.uint8, 0, shape, _strides(shape)
            )
            return as_bytes != 0
        return lampas._core._tensor_from_storage(storage, dtype, 0, shape, _strides(shape))

    def _check_cover(self, size):
        end = 0
        for name, entry in self.entries.items():
            begin, stop = entry["data_offsets"]
            if begin != end or stop < begin:
                raise _damaged(f"invalid offset for tensor `{name}`")
            end = stop
        if end != size:
            raise _damaged(
                f"incomplete metadata, file not fully covered: {end} bytes of {size} are described"
            )


def _damaged(reason):
    return SafetensorError(f"Error while deserializing: {reason}")


def _header_length(content, size):
    if size < 8:
        raise _damaged("header too small")
    (length,) = struct.unpack("<Q", content[:8])
    if length > MAX_HEADER:
        raise _damaged("header too large")
    if length > size - 8:
        raise _damaged("invalid header length")
    return length


def _parsed(header):
    try:
        text = header.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _damaged(f"invalid UTF-8 in header: {error.reason}") from None
    try:
        described = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise _damaged("invalid JSON in header: recursion limit exceeded") from None
    except ValueError as error:
        raise _damaged(f"invalid JSON in header: {error}") from None
    if not isinstance(described, dict):
        raise _damaged(f"invalid JSON in header: a {type(described).__name__} instead of an object")
    return described


def _unique(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name stands in it twice")
    return result


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


def _check_metadata(metadata):
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _damaged("invalid JSON in header: __metadata__ must map texts to texts")


def _check_entry(name, entry):
    def is_size(value):
        return type(value) is int and 0 <= value < 1 << 63

    if not isinstance(entry, dict):
        raise _damaged(f"invalid JSON in header: tensor `{name}` is no object")
    for field in ("dtype", "shape", "data_offsets"):
        if field not in entry:
            raise _damaged(f"invalid JSON in header: missing field `{field}` of tensor `{name}`")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or (dtype not in _DTYPES and dtype not in _FOREIGN):
        raise _damaged(f"invalid JSON in header: unknown variant `{dtype!s:.40}`")
    for field in (shape, offsets):
        if not isinstance(field, list) or not all(map(is_size, field)):
            raise _damaged(f"invalid JSON in header: a size of tensor `{name}` is no usize")
    if len(offsets) != 2 or offsets[1] < offsets[0]:
        raise _damaged(f"invalid offset for tensor `{name}`")
    if len(shape) > 64:
        raise _damaged(f"tensor `{name}` has {len(shape)} dimensions")
    bits = math.prod(shape) * _bits(dtype)
    if math.prod(filter(None, shape)) * _bits(dtype) >= 1 << 63:
        raise _damaged("overflow computing buffer size from shape and/or element type")
    if bits != (offsets[1] - offsets[0]) * 8:
        raise _damaged(f"invalid shape, data type, or offset for tensor `{name}`")


def _bits(name):
    return _FOREIGN.get(name) or getattr(lampas, _DTYPES[name]).itemsize * 8


def _pieces(tensors, metadata):
    """The parts of a file in their order."""
    _check_tensors(tensors, metadata)
    names = {name: _NAMES[str(x.dtype).rpartition(".")[2]] for name, x in tensors.items()}
    order = sorted(tensors, key=lambda name: (-_RANKS[names[name]], name))
    header, data, place = {}, [], 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name in order:
        data.append(_content(tensors[name]))
        end = place + len(data[-1])
        shape = list(tensors[name].shape)
        header[name] = {"dtype": names[name], "shape": shape, "data_offsets": [place, end]}
        place = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise SafetensorError("Error while serializing: header too large")
    return [struct.pack("<Q", len(text)), text, *data]


def _check_tensors(tensors, metadata):
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    if metadata is not None and not all(isinstance(x, str) for kv in metadata.items() for x in kv):
        raise TypeError("argument 'metadata': it must map str to str")
    owners = {}
    for name, tensor in tensors.items():
        if not isinstance(name, str):
            raise TypeError(f"the name {name!r:.100} of a tensor is not a str")
        if not isinstance(tensor, lampas.Tensor):
            raise ValueError(
                f"Key `{name}` is invalid, expected torch.Tensor but received {type(tensor)}"
            )
        if name == "__metadata__":
            raise ValueError("`__metadata__` is a name of the format, a tensor cannot have it")
        if tensor.is_meta:
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")
        if str(tensor.dtype).rpartition(".")[2] not in _NAMES:
            raise KeyError(tensor.dtype)
        if not tensor.is_contiguous():
            raise ValueError(
                f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. It "
                "either means you are trying to save tensors which are reference of each other in "
                "which case it's recommended to save only the full tensors, and reslice at load "
                "time, or simply call `.contiguous()` on your tensor to pack it before saving."
            )
        _check_shared(owners, name, tensor)


def _check_shared(owners, name, tensor):
    """RuntimeError where an earlier tensor shows some of the same bytes."""
    start = tensor.data_ptr()
    end = start + tensor.numel() * tensor.element_size()
    if start == end:
        return
    key = (str(tensor.device), tensor.untyped_storage().data_ptr())
    for other, other_start, other_end in owners.setdefault(key, []):
        if start < other_end and other_start < end:
            raise RuntimeError(
                "Some tensors share memory, this will lead to duplicate memory on disk and "
                f"potential differences when loading them again: [{sorted((other, name))}]"
            )
    owners[key].append((name, start, end))


def _content(tensor):
    """A contiguous tensor's bytes in the format's order."""
    start = tensor.storage_offset() * tensor.element_size()
    size = tensor.numel() * tensor.element_size()
    whole = storage_bytes(tensor.detach().untyped_storage())[start : start + size]
    if sys.byteorder == "little":
        return whole
    copy = bytearray(whole)
    swap_bytes(copy, _width(tensor.dtype))
    return copy


def _to_native(storage, dtype):
    if sys.byteorder == "big":
        swap_bytes(storage_bytes(storage), _width(dtype))


def _width(dtype):
    """Bytes that are swapped together: a complex number is two numbers."""
    return dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize


def _strides(shape):
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))
