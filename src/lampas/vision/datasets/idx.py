"""The IDX format: a magic number, the sizes in big-endian order, the elements. Plain or gzipped.

Source: the description of the MNIST files by LeCun, Cortes and Burges.
"""

import gzip
import math
import sys

import lampas
from lampas.serialization.storage import swap_bytes

_ELEMENTS = {
    0x08: ("uint8", 1),
    0x09: ("int8", 1),
    0x0B: ("int16", 2),
    0x0C: ("int32", 4),
    0x0D: ("float32", 4),
    0x0E: ("float64", 8),
}


def read_idx(path):
    """The tensor in the file. ValueError where the file is not IDX or is cut short."""
    data = _content(path)
    if len(data) < 4 or data[0] or data[1] or data[2] not in _ELEMENTS or not data[3]:
        raise ValueError(f"{path} is not an IDX file")
    name, size = _ELEMENTS[data[2]]
    start = 4 + 4 * data[3]
    shape = [int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4)]
    count = math.prod(shape)
    if len(data) - start != count * size:
        raise ValueError(
            f"{path} should hold {count * size} bytes for shape {tuple(shape)}, "
            f"but holds {len(data) - start}"
        )
    body = bytearray(data[start:])
    if sys.byteorder == "little":
        swap_bytes(body, size)
    if not count:
        return lampas.empty(shape, dtype=getattr(lampas, name))
    return lampas.frombuffer(body, dtype=getattr(lampas, name)).view(shape)


def _content(path):
    with open(path, "rb") as file:
        data = file.read()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
