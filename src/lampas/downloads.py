"""One address into one file: the mechanism under `torch.hub` and under the data sets of `vision`.

What to do with a wrong or unfinished file is for the callers.
"""

import hashlib
import os

CHUNK = 1 << 20
_TIMEOUT = 30.0  # seconds without an answer


def digest(path, algorithm):
    """The checksum of a file, as hexadecimal digits."""
    state = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            state.update(chunk)
    return state.hexdigest()


def fetch(url, part, progress, title):
    """The whole of `url` in the file `part`, continuing what is there; a bar under `title`.

    OSError (urllib's errors are such) for what does not arrive, ValueError for what is no address.
    """
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
        bar = _bar(total, have, title, progress)
        with open(part, "ab" if continued else "wb") as file:
            while chunk := answer.read(CHUNK):
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
