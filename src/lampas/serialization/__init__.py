"""`save` and `load`: PyTorch's checkpoint files, both ways.

A file names our classes by PyTorch's paths. Loading runs nothing that a file says, unless
`weights_only=False` is asked for. The formats are in `zip_format`, `legacy` and `legacy_tar`;
settings of the process in `options`; what a stranger's file may do in `allowed`.
"""

import contextlib
import os
import warnings
from collections.abc import Callable
from pickle import UnpicklingError
from tempfile import mkdtemp
from typing import Optional, Union

from lampas._core import device as _device
from lampas.serialization import legacy_tar, zip_format
from lampas.serialization.allowed import _get_layout as _get_layout
from lampas.serialization.allowed import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    safe_globals,
)
from lampas.serialization.inspection import (
    check_module_version_greater_or_equal,
    get_unsafe_globals_in_checkpoint,
)
from lampas.serialization.messages import UNSAFE_MESSAGE, refused
from lampas.serialization.options import (
    LoadEndianness,
    get_crc32_options,
    get_default_load_endianness,
    get_default_mmap_options,
    maps_shared,
    set_crc32_options,
    set_default_load_endianness,
    set_default_mmap_options,
    skip_data,
)
from lampas.serialization.storage import (
    default_restore_location,
    location_tag,
    normalize_storage_type,
    register_package,
    restorer,
    storage_to_tensor_type,
    validate_cuda_device,
    validate_hpu_device,
)

__all__ = [
    "LoadEndianness",
    "SourceChangeWarning",
    "StorageType",
    "add_safe_globals",
    "check_module_version_greater_or_equal",
    "clear_safe_globals",
    "default_restore_location",
    "get_crc32_options",
    "get_default_load_endianness",
    "get_default_mmap_options",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "location_tag",
    "mkdtemp",
    "normalize_storage_type",
    "register_package",
    "safe_globals",
    "save",
    "set_crc32_options",
    "set_default_load_endianness",
    "set_default_mmap_options",
    "skip_data",
    "storage_to_tensor_type",
    "validate_cuda_device",
    "validate_hpu_device",
]

# The type of `map_location`, for annotations.
MAP_LOCATION = Optional[Union[Callable, _device, str, dict[str, str]]]

DEFAULT_PROTOCOL = 2
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
STORAGE_KEY_SEPARATOR = ","


class SourceChangeWarning(Warning):
    """A saved module's source differs from the installed one."""


class StorageType:
    """The name of a storage class, `FloatStorage`, with its `dtype`."""

    def __init__(self, name):
        from lampas.storage import CLASSES

        if name not in CLASSES:
            raise KeyError(f'pickle storage type "{name}" is not recognized')
        self.dtype = CLASSES[name].dtype

    def __str__(self):
        return f"StorageType(dtype={self.dtype})"


def save(
    obj,
    f,
    pickle_module=None,
    pickle_protocol=DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization=True,
    _disable_byteorder_record=False,
):
    """Save an object to a path or a binary file, readable by PyTorch.

    A path is replaced as a whole: an interrupted save, or one that meets a full disk, leaves the
    old file (`lampas.serialization.atomic` has the details, and the policy of fsync). Views of one
    storage stay views. RuntimeError where the folder does not exist, an error that is an OSError
    and a RuntimeError where the system fails, PicklingError or AttributeError for what cannot be
    pickled.
    """
    if not _is_path(f) and not hasattr(f, "write"):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute"
        )
    if not _is_path(f):
        writer, _ = _writer(obj, "archive", pickle_protocol, _use_new_zipfile_serialization)
        writer(f, not _disable_byteorder_record)
        return
    from lampas.serialization.atomic import WriteError, replacing

    folder = zip_format.folder_name(f)
    writer, size = _writer(obj, folder, pickle_protocol, _use_new_zipfile_serialization)
    try:
        with replacing(f, size) as file:
            writer(file, not _disable_byteorder_record)
    except (WriteError, IsADirectoryError):
        raise
    except OSError as error:
        raise WriteError(
            error.errno, f"{error.strerror}: the checkpoint was not saved", f
        ) from error


def _writer(obj, folder, protocol, as_zip):
    """A function that writes `obj` to a file, and how many bytes the file has at least. What cannot
    be pickled fails before a zip begins."""
    if not as_zip:
        from lampas.serialization import legacy

        return (lambda file, with_byteorder: legacy.write(file, obj, protocol)), 0

    content, storages = zip_format.pickled(obj, protocol)

    def write(file, with_byteorder):
        zip_format.write(file, folder, content, storages, with_byteorder)

    return write, sum(storage.nbytes() for storage in storages.values())


def load(
    f, map_location=None, pickle_module=None, *, weights_only=None, mmap=None, **pickle_load_args
):
    """Load an object that `save` or PyTorch saved, from a path or a seekable binary file.

    `map_location` (a device, a string, a dict of strings, or a function of storage and location)
    says where storages go. `weights_only` (default True unless `pickle_module` is given, or the
    variables TORCH_FORCE_WEIGHTS_ONLY_LOAD or TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD say otherwise) admits
    tensors, plain containers and what `add_safe_globals` named; with False the file may run
    anything. `mmap=True` maps the file's storages instead of reading them, without checking their
    checksums.

    UnpicklingError for what is not admitted, RuntimeError for a damaged file.
    """
    weights_only = _weights_only(weights_only, pickle_module)
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if weights_only and pickle_load_args:
        warnings.warn("pickle_load_args only works if `weights_only=False`.", stacklevel=2)
    if mmap and not _is_path(f):
        raise ValueError("f must be a file path in order to use the mmap argument")
    options = {key: value for key, value in pickle_load_args.items() if key == "encoding"}
    if not weights_only:
        options = {"encoding": "utf-8", **pickle_load_args, "module": pickle_module}
    # Writes to a shared mapping go to the file.
    with _opened(f, "r+b" if mmap and maps_shared() else "rb") as file:
        try:
            return _load(file, f, restorer(map_location), weights_only, mmap, options)
        except UnpicklingError as error:
            if not weights_only:
                raise
            raise type(error)(refused(str(error))) from None


def _weights_only(given, pickle_module):
    def is_set(name):
        return os.environ.get(name, "0") in ("1", "y", "yes", "true")

    force, forbid = (is_set(f"TORCH_FORCE_{word}_ONLY_LOAD") for word in ("WEIGHTS", "NO_WEIGHTS"))
    if force and forbid:
        raise RuntimeError(
            "Only one of `TORCH_FORCE_WEIGHTS_ONLY_LOAD` or `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD` "
            "should be set, but both were set."
        )
    if force:
        return True
    if given is None:
        return pickle_module is None and not forbid
    return given


def _load(file, path, restore, weights_only, mmap, options):
    from lampas.serialization.unpickler import full_load, safe_load

    read_pickle = safe_load if weights_only else full_load
    start = file.tell()
    head = file.read(512)
    file.seek(start)
    if head.startswith(zip_format.MAGIC):
        return zip_format.read(file, bool(mmap), restore, read_pickle, options, weights_only)
    if mmap:
        raise RuntimeError(
            "mmap can only be used with files saved with "
            f"`torch.save({path}, _use_new_zipfile_serialization=True), "
            "please torch.save your checkpoint with this option in order to use mmap."
        )
    if legacy_tar.is_tar(head):
        if weights_only:
            raise RuntimeError(legacy_tar.REFUSED + UNSAFE_MESSAGE)
        return legacy_tar.read(file.read(), restore, read_pickle, options)
    from lampas.serialization import legacy

    result, end = legacy.read(file.read(), restore, read_pickle, options)
    file.seek(start + end)  # several objects may follow each other
    return result


def _is_path(f):
    return isinstance(f, (str, bytes, os.PathLike))


def _opened(f, mode="rb"):
    if _is_path(f):
        return open(f, mode)
    for method in ("seek", "tell", "read"):
        if not hasattr(f, method):
            raise AttributeError(
                f"'{type(f).__name__}' object has no attribute '{method}'. You can only "
                "torch.load from a file that is seekable. Please pre-load the data into a buffer "
                "like io.BytesIO and try to load from it instead."
            )
    return contextlib.nullcontext(f)
