"""Files from the web: continued where they broke off, checked, and there only when complete.

A download grows as `name.part`; only a complete file with the right checksum gets its name. How bytes
arrive is in `lampas.downloads`.
"""

import os

from lampas.downloads import CHUNK, digest, fetch


class DownloadError(RuntimeError):
    """A file could not be fetched, or is not what it should be."""


def calculate_md5(fpath, chunk_size=CHUNK):
    """The MD5 of a file, as hexadecimal digits."""
    return digest(fpath, "md5")


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
        fetch(url, part, progress, filename)
    except (OSError, ValueError) as error:  # URLError is an OSError; ValueError: not a URL
        raise DownloadError(f"cannot download {url}: {error}") from None
    for algorithm, wanted in (("md5", md5), ("sha256", sha256)):
        if wanted and not digest(part, algorithm).startswith(wanted):
            os.remove(part)
            raise DownloadError(f"{url} does not have the {algorithm} {wanted}")
    os.replace(part, path)


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
