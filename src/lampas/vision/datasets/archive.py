"""Unpacking archives of strangers: only files and folders, only below the target folder.

Each file gets its name when it is complete.
"""

import importlib
import os
import shutil

# The modules are slow to load and seldom needed.
_SINGLE = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")


def extract_archive(from_path, to_path=None, remove_finished=False):
    """Unpack a tar, zip or single compressed file into a folder; returns what was made.

    Default `to_path`: the folder of the archive. RuntimeError for another kind, and for an archive
    that holds links or names outside the target.
    """
    from_path = os.fspath(from_path)
    to_path = os.path.dirname(from_path) if to_path is None else os.fspath(to_path)
    lower = from_path.lower()
    if lower.endswith(_TARS):
        _untar(from_path, to_path)
        made = to_path
    elif lower.endswith(".zip"):
        _unzip(from_path, to_path)
        made = to_path
    else:
        made = _decompress(from_path, to_path)
    if remove_finished:
        os.remove(from_path)
    return made


def _untar(path, target):
    import tarfile

    with tarfile.open(path) as archive:
        members = archive.getmembers()
        for member in members:
            if not (member.isfile() or member.isdir()):
                raise RuntimeError(f"{path}: {member.name} is neither file nor folder")
        places = [(member, _inside(target, member.name, path)) for member in members]
        for member, place in places:
            if member.isdir():
                os.makedirs(place, exist_ok=True)
            else:
                _write(archive.extractfile(member), place)


def _unzip(path, target):
    import zipfile

    with zipfile.ZipFile(path) as archive:
        places = [(info, _inside(target, info.filename, path)) for info in archive.infolist()]
        for info, place in places:
            if info.is_dir():
                os.makedirs(place, exist_ok=True)
            else:
                _write(archive.open(info), place)


def _decompress(path, target):
    stem, ending = os.path.splitext(path)
    if ending.lower() not in _SINGLE:
        raise RuntimeError(
            f"Unknown compression or archive type: '{ending}'.\nKnown suffixes are: "
            f"'{sorted([*_TARS, '.zip', *_SINGLE])}'."
        )
    place = os.path.join(target, os.path.basename(stem))
    module = importlib.import_module(_SINGLE[ending.lower()])
    _write(module.open(path, "rb"), place)
    return place


def _inside(target, name, archive):
    """The path of a member below `target`. RuntimeError where it would lie elsewhere."""
    root = os.path.realpath(target)
    place = os.path.realpath(os.path.join(root, name))
    if place != root and not place.startswith(root.rstrip(os.sep) + os.sep):
        raise RuntimeError(f"{archive}: {name!r} lies outside the target folder")
    return place


def _write(source, place):
    os.makedirs(os.path.dirname(place), exist_ok=True)
    part = place + ".part"
    with source, open(part, "wb") as file:
        shutil.copyfileobj(source, file)
    os.replace(part, place)
