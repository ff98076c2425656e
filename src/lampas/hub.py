"""`torch.hub`: weights and models by address. Downloads go to a folder and are checked by their hash."""

import hashlib
import importlib.util
import os
import re
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlparse

from lampas import unavailable

__all__ = ["download_url_to_file", "get_dir", "load", "load_state_dict_from_url", "set_dir"]
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # the hash in a name such as resnet18-5c106cde.pth
_state = {"dir": None}
_CHUNK = 1 << 17


def _get_torch_home():
    home = os.environ.get("TORCH_HOME")
    if home is None:
        cache = os.environ.get("XDG_CACHE_HOME", os.path.join("~", ".cache"))
        home = os.path.join(cache, "torch")
    return os.path.expanduser(home)


def get_dir():
    """The folder of downloads: as set, or `$TORCH_HOME/hub`, by default ~/.cache/torch/hub."""
    return _state["dir"] if _state["dir"] is not None else os.path.join(_get_torch_home(), "hub")


def set_dir(d):
    """Sets the folder of downloads."""
    _state["dir"] = os.path.expanduser(d)


def download_url_to_file(url, dst, hash_prefix=None, progress=True):
    """Writes what `url` gives to the file `dst`, which appears complete or not at all.

    hash_prefix: RuntimeError unless the SHA-256 of the content begins so. progress: a bar (needs tqdm).
    """
    from urllib.request import Request, urlopen

    dst = os.path.expanduser(dst)
    digest = hashlib.sha256()
    with urlopen(Request(url, headers={"User-Agent": "torch.hub"})) as source:
        descriptor, partial = tempfile.mkstemp(dir=os.path.dirname(dst) or ".", suffix=".partial")
        try:
            with os.fdopen(descriptor, "wb") as file, _bar(source, progress) as bar:
                while chunk := source.read(_CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    bar.update(len(chunk))
            found = digest.hexdigest()
            if hash_prefix is not None and not found.startswith(hash_prefix):
                raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{found}")')
            os.replace(partial, dst)
        finally:
            if os.path.exists(partial):
                os.unlink(partial)


class _NoBar:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def update(self, count):
        """Shows nothing."""


def _bar(source, progress):
    if not progress:
        return _NoBar()
    try:
        from tqdm import tqdm
    except ImportError:
        return _NoBar()
    total = source.headers.get("Content-Length")
    return tqdm(total=int(total) if total else None, unit="B", unit_scale=True, unit_divisor=1024)


def load_state_dict_from_url(
    url, model_dir=None, map_location=None, progress=True, check_hash=False, file_name=None,
    weights_only=True,
):  # fmt: skip
    """What the file at `url` holds; it is downloaded once, to `model_dir` (`get_dir()/checkpoints`).

    check_hash: the file's name has to hold the first digits of its hash, as in `name-5c106cde.pth`.
    """
    import lampas

    folder = model_dir or os.path.join(get_dir(), "checkpoints")
    os.makedirs(folder, exist_ok=True)
    name = file_name or os.path.basename(urlparse(url).path)
    file = os.path.join(folder, name)
    if not os.path.exists(file):
        sys.stderr.write(f'Downloading: "{url}" to {file}\n')
        found = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, file, found and found.group(1), progress=progress)
    return lampas.load(file, map_location=map_location, weights_only=weights_only)


def _hubconf(repo_or_dir, source):
    """The module `hubconf.py` of a folder, which names models by functions."""
    if source not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source == "github":
        raise NotImplementedError(
            unavailable.message(
                f"torch.hub with the repository {repo_or_dir!r}",
                'get the repository yourself and name its folder, with source="local"',
            )
        )
    file = Path(repo_or_dir) / "hubconf.py"
    spec = importlib.util.spec_from_file_location("hubconf", file)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(repo_or_dir))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(repo_or_dir))
    missing = [n for n in getattr(module, "dependencies", ()) if not importlib.util.find_spec(n)]
    if missing:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
    return module


def _entry(module, name):
    if not isinstance(name, str):
        raise ValueError("Invalid input: model should be a string of function name")
    function = getattr(module, name, None)
    if not callable(function):
        raise RuntimeError(f"Cannot find callable {name} in hubconf")
    return function


globals().update(
    unavailable.names("torch.hub", "list help", hint="repositories on GitHub are not fetched")
)


def load(repo_or_dir, model, *args, source="github", trust_repo=None, force_reload=False,
         verbose=True, skip_validation=False, **kwargs):  # fmt: skip
    """The model `model(*args, **kwargs)` of a folder with a `hubconf.py` (`source="local"`).

    Raises NotImplementedError for a repository on GitHub.
    """
    return _entry(_hubconf(repo_or_dir, source), model)(*args, **kwargs)
