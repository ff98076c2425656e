"""Settings of the process for `save` and `load`: byte order, checksums, mapping, skipped data."""

import contextlib
import enum
import mmap
import sys

_MAP_PRIVATE = getattr(mmap, "MAP_PRIVATE", 2)  # Windows has no such names
_MAP_SHARED = getattr(mmap, "MAP_SHARED", 1)


class LoadEndianness(enum.Enum):
    """The byte order of files that do not say theirs."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


_default_endianness = None
_compute_crc32 = True
_mmap_flags = _MAP_PRIVATE
_skips_data = False


def get_default_load_endianness():
    """What `set_default_load_endianness` set; None is the machine's own order."""
    return _default_endianness


def set_default_load_endianness(endianness):
    """Set the byte order of files that do not say theirs."""
    global _default_endianness
    if not isinstance(endianness, LoadEndianness) and endianness is not None:
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    _default_endianness = endianness


def default_byteorder():
    """The byte order of files that do not say theirs, as `sys.byteorder` spells it."""
    if _default_endianness in (None, LoadEndianness.NATIVE):
        return sys.byteorder
    return _default_endianness.name.lower()


def get_crc32_options():
    """Whether `save` writes checksums."""
    return _compute_crc32


def set_crc32_options(compute_crc32):
    """Say whether `save` writes checksums. `load` cannot find damage in a file without them."""
    global _compute_crc32
    _compute_crc32 = compute_crc32


def get_default_mmap_options():
    """`mmap.MAP_PRIVATE` (the default: writes stay in the process) or `mmap.MAP_SHARED`."""
    return _mmap_flags


class set_default_mmap_options:
    """Set how `load(mmap=True)` maps a file, for good or in a `with` block. ValueError for flags
    other than `mmap.MAP_PRIVATE` and `mmap.MAP_SHARED` (writes go to the file)."""

    def __init__(self, flags):
        global _mmap_flags
        if flags not in (_MAP_PRIVATE, _MAP_SHARED):
            raise ValueError(
                "Invalid argument in function set_default_mmap_options, expected mmap.MAP_PRIVATE "
                f"or mmap.MAP_SHARED, but got {flags}"
            )
        self._before, _mmap_flags = _mmap_flags, flags

    def __enter__(self):
        pass

    def __exit__(self, *exception):
        global _mmap_flags
        _mmap_flags = self._before


def maps_shared():
    """Whether writes to a mapped checkpoint go to its file."""
    return _mmap_flags == _MAP_SHARED


@contextlib.contextmanager
def skip_data(materialize_fake_tensors=False):
    """In this block `save` leaves zeros in place of the storages' bytes, without checksums, and
    `load` leaves the storages as they were allocated, filled with zeros."""
    global _skips_data
    before, _skips_data = _skips_data, True
    try:
        yield
    finally:
        _skips_data = before


def skips_data():
    """Whether a `skip_data` block is open."""
    return _skips_data
