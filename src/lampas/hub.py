"""`torch.hub`: weights and models by address. Downloads go to a folder and are checked by their hash."""

import importlib.util
import os
import re
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlparse

from lampas import downloads, unavailable

__all__ = [
    "download_url_to_file",
    "get_dir",
    "help",
    "list",
    "load",
    "load_state_dict_from_url",
    "set_dir",
]
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # the hash in a name such as resnet18-5c106cde.pth
_state = {"dir": None}


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
    dst = os.path.expanduser(dst)
    descriptor, partial = tempfile.mkstemp(dir=os.path.dirname(dst) or ".", suffix=".partial")
    os.close(descriptor)
    try:
        downloads.fetch(url, partial, progress, os.path.basename(dst))
        found = downloads.digest(partial, "sha256")
        if hash_prefix is not None and not found.startswith(hash_prefix):
            raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{found}")')
        os.replace(partial, dst)
    finally:
        if os.path.exists(partial):
            os.unlink(partial)


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


def _folder(repo_or_dir, source):
    """The folder of a repository: itself, or where `owner/name[:ref]` lies below `get_dir()`."""
    if source not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source == "local":
        return Path(repo_or_dir)
    repository, _, ref = repo_or_dir.partition(":")
    owner, name = repository.split("/")
    for branch in (ref,) if ref else ("main", "master"):
        folder = Path(get_dir()) / "_".join((owner, name, branch.replace("/", "_")))
        if folder.is_dir():
            return folder
    raise NotImplementedError(
        unavailable.message(
            f"torch.hub with the repository {repo_or_dir!r}, which is not in {get_dir()},",
            'get it yourself and name its folder, with source="local"',
        )
    )


def _hubconf(repo_or_dir, source):
    """The module `hubconf.py` of a repository, which names models by functions."""
    folder = _folder(repo_or_dir, source)
    spec = importlib.util.spec_from_file_location("hubconf", folder / "hubconf.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


def _entry(module, name):
    """A function of a `hubconf.py` whose dependencies are there."""
    if not isinstance(name, str):
        raise ValueError("Invalid input: model should be a string of function name")
    needed = getattr(module, "dependencies", None) or ()
    missing = [name for name in needed if not importlib.util.find_spec(name)]
    if missing:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
    function = getattr(module, name, None)
    if not callable(function):
        raise RuntimeError(f"Cannot find callable {name} in hubconf")
    return function


def list(github, force_reload=False, skip_validation=False, trust_repo="check", verbose=True, *, source="github"):  # fmt: skip
    """The names of the functions in a repository's `hubconf.py`.

    github: "owner/name" or "owner/name:ref", which must lie below `get_dir()` already (nothing is fetched:
    NotImplementedError), or, with source="local", which PyTorch lacks here, a folder.
    """
    found = vars(_hubconf(github, source)).items()
    return [name for name, value in found if callable(value) and not name.startswith("_")]


def help(
    github, model, force_reload=False, skip_validation=False, trust_repo="check", *, source="github"
):
    """The docstring of a function in a repository's `hubconf.py`; repositories as for `list`."""
    return _entry(_hubconf(github, source), model).__doc__


def load(repo_or_dir, model, *args, source="github", trust_repo="check", force_reload=False,
         verbose=True, skip_validation=False, **kwargs):  # fmt: skip
    """The model `model(*args, **kwargs)` of a repository or, with source="local", of a folder.

    Repositories as for `list`. Errors: RuntimeError for dependencies or functions that are missing.
    """
    return _entry(_hubconf(repo_or_dir, source), model)(*args, **kwargs)
