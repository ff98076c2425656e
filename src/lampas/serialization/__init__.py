"""`save` and `load`: PyTorch's checkpoint files, both ways.

A file names our classes by PyTorch's paths. Loading runs nothing that a file says, unless
`weights_only=False` is asked for. The older formats are in `legacy`, the zip in `archive`.
"""

import contextlib
import enum
import io
import os
import sys
import warnings
from pickle import UnpicklingError

import lampas
from lampas.serialization import archive, legacy
from lampas.serialization.allowed import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    safe_globals,
)
from lampas.serialization.allowed import get_layout as _get_layout
from lampas.serialization.storage import (
    default_restore_location,
    location_tag,
    mapped_storage,
    register_package,
    restorer,
    storage_bytes,
    swap_bytes,
)

__all__ = [
    "LoadEndianness",
    "SourceChangeWarning",
    "add_safe_globals",
    "clear_safe_globals",
    "default_restore_location",
    "get_default_load_endianness",
    "get_safe_globals",
    "load",
    "location_tag",
    "register_package",
    "safe_globals",
    "save",
    "set_default_load_endianness",
]

DEFAULT_PROTOCOL = 2
_ZIP_MAGIC = b"PK\x03\x04"
_UNSAFE = (
    "In PyTorch 2.6, we changed the default value of the `weights_only` argument in `torch.load` "
    "from `False` to `True`. Re-running `torch.load` with `weights_only` set to `False` will "
    "likely succeed, but it can result in arbitrary code execution. Do it only if you got the "
    "file from a trusted source."
)
_MORE = (
    "\n\nCheck the documentation of torch.load to learn more about types accepted by default with "
    "weights_only https://pytorch.org/docs/stable/generated/torch.load.html."
)


class SourceChangeWarning(Warning):
    """A saved module's source differs from the installed one."""


class LoadEndianness(enum.Enum):
    """The byte order of files that do not say theirs."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


_default_endianness = None


def get_default_load_endianness():
    """What `set_default_load_endianness` set; None is the machine's own order."""
    return _default_endianness


def set_default_load_endianness(endianness):
    """Set the byte order of files that do not say theirs."""
    global _default_endianness
    if not isinstance(endianness, LoadEndianness) and endianness is not None:
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    _default_endianness = endianness


def save(
    obj,
    f,
    pickle_module=None,
    pickle_protocol=DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization=True,
    _disable_byteorder_record=False,
):
    """Save an object to a path or a binary file, readable by PyTorch.

    A path is replaced as a whole: an interrupted save leaves the old file. Views of one storage
    stay views. RuntimeError where the folder does not exist, PicklingError or AttributeError for
    what cannot be pickled.
    """
    if not _is_path(f) and not hasattr(f, "write"):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute"
        )
    write = _write_zip if _use_new_zipfile_serialization else legacy.write
    content, storages = _pickled(obj, pickle_protocol) if write is _write_zip else (obj, None)
    if not _is_path(f):
        write(f, "archive", content, storages, pickle_protocol)
        return
    from lampas.serialization.atomic import replacing

    folder = os.path.splitext(os.path.basename(os.fsdecode(os.fspath(f))))[0] or "archive"
    with replacing(f) as file:
        write(file, folder, content, storages, pickle_protocol)


def load(
    f, map_location=None, pickle_module=None, *, weights_only=None, mmap=None, **pickle_load_args
):
    """Load an object that `save` or PyTorch saved, from a path or a seekable binary file.

    `map_location` (a device, a string, a dict of strings, or a function of storage and location)
    says where storages go. `weights_only` (default True unless `pickle_module` is given) admits
    tensors, plain containers and what `add_safe_globals` named; with False the file may run
    anything. `mmap=True` maps the file's storages instead of reading them.

    UnpicklingError for what is not admitted, RuntimeError for a damaged file.
    """
    if weights_only is None:
        weights_only = pickle_module is None
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if weights_only and pickle_load_args:
        warnings.warn("pickle_load_args only works if `weights_only=False`.", stacklevel=2)
    if mmap and not _is_path(f):
        raise ValueError("f must be a file path in order to use the mmap argument")
    options = {key: value for key, value in pickle_load_args.items() if key == "encoding"}
    if not weights_only:
        options = {"encoding": "utf-8", **pickle_load_args, "module": pickle_module}
    with _opened(f) as file:
        try:
            return _load(file, f, restorer(map_location), weights_only, mmap, options)
        except UnpicklingError as error:
            if not weights_only:
                raise
            raise UnpicklingError(_explained(str(error))) from None


def get_unsafe_globals_in_checkpoint(f):
    """The names in a zip checkpoint that `weights_only=True` would refuse. Nothing is run."""
    import pickletools

    from lampas.serialization.allowed import find_global
    from lampas.serialization.unpickler import global_path

    unsafe, strings = set(), []
    with _opened(f) as file:
        content = bytes(archive.ArchiveReader(archive.seekable(file)).read("data.pkl"))
    for op, argument, _ in pickletools.genops(content):
        if "UNICODE" in op.name:
            strings.append(argument)
        if op.name == "GLOBAL":
            path = global_path(*argument.split(" ", 1))
        elif op.name == "STACK_GLOBAL" and len(strings) > 1:
            path = global_path(*strings[-2:])
        else:
            continue
        try:
            find_global(*path)
        except UnpicklingError:
            unsafe.add(".".join(path))
    return sorted(unsafe)


def _load(file, path, restore, weights_only, mmap, options):
    from lampas.serialization.unpickler import full_load, safe_load

    read_pickle = safe_load if weights_only else full_load
    start = file.tell()
    magic = file.read(len(_ZIP_MAGIC))
    file.seek(start)
    if magic == _ZIP_MAGIC:
        return _read_zip(file, path if mmap else None, restore, read_pickle, options)
    if mmap:
        raise RuntimeError(
            "mmap can only be used with files saved with "
            f"`torch.save({path}, _use_new_zipfile_serialization=True), "
            "please torch.save your checkpoint with this option in order to use mmap."
        )
    return legacy.read(file.read(), restore, read_pickle, options)


def _pickled(obj, protocol):
    """The pickle of an object, and the storages it refers to by key."""
    from lampas.serialization.pickler import Pickler

    content = io.BytesIO()
    pickler = Pickler(content, protocol)
    pickler.dump(obj)
    return content.getvalue(), pickler.storages


def _write_zip(file, folder, content, storages, protocol):
    out = archive.ArchiveWriter(file, folder)
    out.write("data.pkl", content)
    out.write(".format_version", b"1")
    out.write(".storage_alignment", str(archive.ALIGNMENT).encode())
    out.write("byteorder", sys.byteorder.encode())
    for key, storage in storages.items():
        out.write(f"data/{key}", storage_bytes(storage))
    out.write("version", b"3\n")
    out.write(".data/serialization_id", out.checksum().encode())
    out.close()


def _read_zip(file, mapped_path, restore, read_pickle, options):
    reader = archive.ArchiveReader(archive.seekable(file))
    if "constants.pkl" in reader:
        raise NotImplementedError(
            "this is a TorchScript archive, which Lampas does not run; save the model's "
            "state_dict() with torch.save and load that"
        )
    swap = _byteorder(reader) != sys.byteorder
    mapped = _mapped(mapped_path) if mapped_path is not None else None
    if mapped is not None and swap:
        raise NotImplementedError("mmap of a checkpoint in the other byte order")
    loaded = {}

    def persistent_load(reference):
        dtype, key, location, count = legacy.storage_reference(reference)
        if key not in loaded:
            itemsize = dtype.itemsize if dtype is not None else 1
            storage = _storage(reader, f"data/{key}", count * itemsize, mapped, swap and itemsize)
            loaded[key] = restore(storage, location)
        return legacy.storage_ref(loaded[key], dtype)

    return read_pickle(bytes(reader.read("data.pkl")), persistent_load, **options)[0]


def _byteorder(reader):
    if "byteorder" in reader:
        return reader.read("byteorder").decode("ascii", "replace")
    if _default_endianness in (None, LoadEndianness.NATIVE):
        return sys.byteorder
    return _default_endianness.name.lower()


def _storage(reader, name, size, mapped, swap):
    if reader.size(name) != size:
        raise RuntimeError(
            f"storage {name} should have {size} bytes, but its record has {reader.size(name)}"
        )
    if mapped is not None:
        return mapped_storage(mapped, reader.offset(name), size)
    storage = lampas.UntypedStorage(size)
    reader.read_into(name, storage_bytes(storage))
    if swap:
        swap_bytes(storage_bytes(storage), swap)
    return storage


def _mapped(path):
    """The file in memory: writes stay in this process."""
    import mmap

    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _explained(message):
    """PyTorch's text around the reason for a refusal."""
    if "whose module" in message:
        return f"Weights only load failed. {_UNSAFE}\n\n\n{message}{_MORE}"
    if message.startswith("Unsupported global"):
        return (
            "Weights only load failed. This file can still be loaded, to do so you have two "
            "options, \033[1mdo those steps only if you trust the source of the checkpoint\033[0m. "
            f"\n\t(1) {_UNSAFE}\n\t(2) Alternatively, to load with `weights_only=True` please "
            "check the recommended steps in the following error message.\n\tWeightsUnpickler "
            f"error: {message}{_MORE}"
        )
    return (
        f"Weights only load failed. {_UNSAFE}\nPlease file an issue with the following so that we "
        "can make `weights_only=True` compatible with your use case: WeightsUnpickler error: "
        f"\n\n{message}{_MORE}"
    )


def _is_path(f):
    return isinstance(f, (str, bytes, os.PathLike))


def _opened(f):
    if _is_path(f):
        return open(f, "rb")
    for method in ("seek", "tell", "read"):
        if not hasattr(f, method):
            raise AttributeError(
                f"'{type(f).__name__}' object has no attribute '{method}'. You can only "
                "torch.load from a file that is seekable. Please pre-load the data into a buffer "
                "like io.BytesIO and try to load from it instead."
            )
    return contextlib.nullcontext(f)
