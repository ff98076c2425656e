"""Replacing a file as a whole: at any moment there is the old one or the new one.

The new content is written to `.<name>.part` beside the target and then renamed over it. A process
that is killed therefore never leaves a half-written target, and the next save takes over the
`.part` file it left. A full disk raises while the old file still stands.

Policy of fsync: none by default, as in PyTorch. The order of writing and renaming is kept by the
running system whatever happens to the process; only a power failure or a crash of the system
itself within seconds of a save can meet the file on some file systems. Where that matters, the
environment variable LAMPAS_FSYNC=1 makes each save wait until the file and its folder are on disk.
"""

import contextlib
import errno
import os
import stat
import threading

from lampas import _core

_LARGE = 8 << 20  # bytes
_LONGEST = 80  # characters of a target's name in the `.part` file's name; 255 bytes at most


class WriteError(OSError, RuntimeError):
    """A save that failed in the system: PyTorch raises RuntimeError, Python an OSError."""


@contextlib.contextmanager
def replacing(path, size=0):
    """A file to write, which takes the place of `path` when the block ends without an exception.

    At least `size` bytes are expected: a large file gets room for them first, which finds a full
    disk before anything is written and saves the system work.

    A link stays, what it leads to is replaced. Permissions (and the owner, as far as allowed) of
    an existing file are kept, and one that may not be written is refused as `open` does. What is
    not a regular file (a pipe, a device), and a file in a folder that may not be written, is
    written directly.
    """
    path = _target(path)
    before = _status(path)
    if before is not None and not stat.S_ISREG(before.st_mode):
        with open(path, "wb") as file:
            yield file
        return
    if before is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    try:
        temporary, handle = _reserve(path)
    except PermissionError:
        if before is None:
            raise
        with open(path, "wb") as file:
            yield file
        return
    try:
        with os.fdopen(handle, "wb") as file:
            _take_over(handle, before)
            if size >= _LARGE:
                _core._reserve_space(handle, size)
            yield file
            file.flush()
            _durable(handle)
            # Still under the lock: nobody else may take the name before it is the target's.
            if os.name != "nt":
                with _freed_aside(path, before):
                    os.replace(temporary, path)
        if os.name == "nt":  # an open file cannot be renamed there
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _durable_folder(path)


@contextlib.contextmanager
def _freed_aside(path, before):
    """The file that is replaced inside the block gives its pages back in a thread: for a large one
    that takes the system as long as the writing, and nobody needs to wait for it."""
    if before is None or before.st_size < _LARGE:
        yield
        return
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        threading.Thread(target=os.close, args=(handle,), daemon=True).start()


def _target(path):
    """The path behind all links. RuntimeError where there is no folder for it."""
    text = os.fsdecode(os.fspath(path))
    if not os.path.basename(text):
        raise RuntimeError(f"invalid file name: {text}")
    text = os.path.realpath(text)
    folder = os.path.dirname(text)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist.")
    if os.path.isdir(text):
        raise WriteError(errno.EISDIR, "open file failed with strerror: Is a directory", text)
    return text


def _status(path):
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _reserve(path):
    """A new `.part` file for this process alone: its path and handle.

    Its name is the same at each save, so that an interrupted one leaves at most one; a lock keeps
    two processes apart. Where the name is taken, or locks are unknown, it gets a random one.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name[:_LONGEST]}.part")
    for _ in range(3):
        try:
            handle = _create(temporary)
        except FileExistsError:
            if not _removed_leftover(temporary):
                break
            continue
        if _locked(handle, temporary):
            return temporary, handle
        os.close(handle)
    temporary = os.path.join(folder, f".{name[:_LONGEST]}.{os.urandom(6).hex()}.part")
    return temporary, _create(temporary)


def _create(path):
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    return os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666)


def _removed_leftover(temporary):
    """Remove what an interrupted save left. False where it may be in use or is not ours."""
    try:
        handle = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, AttributeError):
        return False
    try:
        status = os.fstat(handle)
        ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        if not ours or not _locked(handle, temporary):
            return False
        os.unlink(temporary)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def _locked(handle, temporary):
    """Lock the file; whether that worked and the file still has this name."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle), os.lstat(temporary))
    except (ImportError, OSError):
        return False


def _take_over(handle, before):
    """Permissions and owner of the file that is to be replaced, before any content is written."""
    if before is None or os.name == "nt":
        return
    now = os.fstat(handle)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        with contextlib.suppress(OSError):  # only the superuser may give files away
            os.fchown(handle, before.st_uid, before.st_gid)
    os.fchmod(handle, stat.S_IMODE(before.st_mode))


def _wants_fsync():
    return os.environ.get("LAMPAS_FSYNC", "0") not in ("", "0")


def _durable(handle):
    if _wants_fsync():
        os.fsync(handle)


def _durable_folder(path):
    """The rename itself is on disk only when the folder is."""
    if not _wants_fsync() or os.name == "nt":
        return
    handle = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
