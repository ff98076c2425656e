"""Files from the web: continued where they broke off, checked, and there only when complete.

A download grows as `name.part`; only a complete file with the right checksum gets its name.
"""

import hashlib
import os

_CHUNK = 1 << 20
_TIMEOUT = 30.0  # seconds without an answer


class DownloadError(RuntimeError):
    """A file could not be fetched, or is not what it should be."""


def _digest(path, algorithm):
    state = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def calculate_md5(fpath, chunk_size=_CHUNK):
    """The MD5 of a file, as hexadecimal digits."""
    return _digest(fpath, "md5")


def check_md5(fpath, md5, **kwargs):
    """Whether the file has this MD5."""
    return md5 == calculate_md5(fpath)


def check_integrity(fpath, md5=None):
    """Whether the file is there and, if `md5` is given, has it."""
    return os.path.isfile(fpath) and (md5 is None or check_md5(fpath, md5))


def download_url(
    url, root, filename=None, md5=None, max_redirect_hops=3, *, sha256=None, progress=True
):
    """Fetch `url` into the folder `root`, unless a file with the right `md5` is there already.

    `sha256` is the beginning of that checksum. DownloadError tells what went wrong.
    """
    root = os.path.expanduser(root)
    filename = filename or os.path.basename(url)
    path = os.path.join(root, filename)
    if check_integrity(path, md5):
        return
    os.makedirs(root, exist_ok=True)
    part = path + ".part"
    try:
        _fetch(url, part, progress)
    except (OSError, ValueError) as error:  # URLError is an OSError; ValueError: not a URL
        raise DownloadError(f"cannot download {url}: {error}") from None
    for algorithm, wanted in (("md5", md5), ("sha256", sha256)):
        if wanted and not _digest(part, algorithm).startswith(wanted):
            os.remove(part)
            raise DownloadError(f"{url} does not have the {algorithm} {wanted}")
    os.replace(part, path)


def _fetch(url, part, progress):
    """The whole of `url` in the file `part`, continuing what is there."""
    from urllib.error import HTTPError

    have = os.path.getsize(part) if os.path.isfile(part) else 0
    try:
        answer = _ask(url, have)
    except HTTPError as error:
        if not have or error.code != 416:
            raise
        # 416: nothing lies beyond what is there. It may be complete, it may be of another file.
        os.remove(part)
        have, answer = 0, _ask(url, 0)
    with answer:
        continued = have and answer.status == 206
        have = have if continued else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        bar = _bar(total, have, os.path.basename(part)[: -len(".part")], progress)
        with open(part, "ab" if continued else "wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                bar(len(chunk))
    bar(None)
    if total is not None and have != total:
        raise OSError(f"{have} of {total} bytes arrived")


def _ask(url, have):
    import urllib.request  # slow to load

    headers = {"User-Agent": "lampas"}
    if have:
        headers["Range"] = f"bytes={have}-"
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)


def _bar(total, have, title, progress):
    """A function of the arrived bytes that shows them, with tqdm where there is one; None ends."""
    try:
        from tqdm import tqdm
    except ImportError:
        progress = False
    if not progress:
        return lambda count: None
    bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=title, leave=False)
    return lambda count: bar.close() if count is None else bar.update(count)


def download_any(urls, root, filename, md5=None):
    """Fetch one file from the first of several places that has it."""
    troubles = []
    for url in urls:
        try:
            return download_url(url, root, filename, md5)
        except DownloadError as error:
            troubles.append(str(error))
    raise DownloadError("; ".join(troubles))


def download_and_extract_archive(
    url, download_root, extract_root=None, filename=None, md5=None, remove_finished=False
):
    """`download_url`, then `extract_archive` into `extract_root` (default: the same folder)."""
    from lampas.vision.datasets.archive import extract_archive

    download_root = os.path.expanduser(download_root)
    filename = filename or os.path.basename(url)
    download_url(url, download_root, filename, md5)
    archive = os.path.join(download_root, filename)
    extract_archive(archive, extract_root or download_root, remove_finished)
