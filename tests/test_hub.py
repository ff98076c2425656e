"""torch.hub with repositories on disk, compared with PyTorch; nothing is fetched from the network."""

import os

import pytest
from agreement import agree

import lampas

HUBCONF = '''
from os.path import join
dependencies = ["json"]
size = 3
def model(a=1, **options):
    """Makes a model."""
    return a, options
def _hidden():
    pass
'''


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder of repositories with one, as both libraries know it."""
    import torch

    folder = tmp_path / "owner_name_main"
    folder.mkdir()
    (folder / "hubconf.py").write_text(HUBCONF)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setitem(lampas.hub._state, "dir", str(tmp_path))
    return tmp_path


KNOWN = {"trust_repo": True, "skip_validation": True}
CALLS = [
    lambda t, d: t.hub.list("owner/name:main", **KNOWN),
    lambda t, d: t.hub.help("owner/name:main", "model", **KNOWN),
    lambda t, d: t.hub.help("owner/name:main", "nope", **KNOWN),
    lambda t, d: t.hub.load("owner/name:main", "model", 5, b=2, verbose=False, **KNOWN),
    lambda t, d: t.hub.load(str(d / "owner_name_main"), "model", 5, source="local", b=2),
    lambda t, d: t.hub.load(str(d / "owner_name_main"), "nope", source="local"),
    lambda t, d: t.hub.load(str(d / "owner_name_main"), "size", source="local"),
    lambda t, d: t.hub.load(str(d / "owner_name_main"), 3, source="local"),
    lambda t, d: t.hub.load(str(d / "nothing"), "model", source="local"),
    lambda t, d: t.hub.load("owner/name", "model", source="elsewhere"),
    lambda t, d: t.hub.get_dir(),
    lambda t, d: t.hub.download_url_to_file((d / "no").as_uri(), str(d / "x"), progress=False),
]


@pytest.mark.parametrize("call", CALLS)
def test_agrees(call, home, monkeypatch):
    monkeypatch.syspath_prepend(str(home))
    agree(lambda t: call(t, home))
    assert not (home / "x").exists() and not [n for n in os.listdir(home) if n.endswith(".partial")]


def test_missing_dependencies(home):
    (home / "owner_name_main" / "hubconf.py").write_text(
        'dependencies = ["no_one", "json", "no_two"]\n'
    )
    agree(lambda t: t.hub.load(str(home / "owner_name_main"), "model", source="local"))


def test_folders_can_be_listed(home):
    folder = str(home / "owner_name_main")
    assert lampas.hub.list(folder, source="local") == ["join", "model"]
    assert lampas.hub.help(folder, "model", source="local") == "Makes a model."


def test_repositories_are_not_fetched(home):
    with pytest.raises(NotImplementedError, match="owner/other.* is not available"):
        lampas.hub.load("owner/other", "model")
    assert os.listdir(home) == ["owner_name_main"]


def test_download(home):
    with pytest.raises(ValueError, match="unknown url type: 'nonsense'"):
        lampas.hub.download_url_to_file("nonsense", str(home / "x"))
    source, target = home / "weights", home / "target"
    source.write_bytes(b"abc" * 1000)
    agree(lambda t: t.hub.download_url_to_file(source.as_uri(), str(target), progress=False))
    assert target.read_bytes() == source.read_bytes()
    agree(
        lambda t: t.hub.download_url_to_file(
            source.as_uri(), str(home / "other"), "abc", progress=False
        )
    )
    assert not (home / "other").exists()
