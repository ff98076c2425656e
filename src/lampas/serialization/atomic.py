"""Replacing a file as a whole: at any moment there is the old one or the new one."""

import contextlib
import os
import stat
import tempfile


@contextlib.contextmanager
def replacing(path):
    """A file to write, which takes the place of `path` when the block ends without an exception.

    What is not a regular file (a pipe, a device) is written directly.
    """
    path = os.path.realpath(os.fspath(path))
    folder, name = os.path.split(path)
    text = (os.fsdecode(folder), os.fsdecode(name))
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {text[0]} does not exist.")
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            yield file
        return
    handle, temporary = tempfile.mkstemp(prefix=f".{text[1][:64]}.", suffix=".part", dir=text[0])
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(path))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _mode(path):
    """The permissions of the file that is there, else those of a new file."""
    with contextlib.suppress(OSError):
        return stat.S_IMODE(os.stat(path).st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
