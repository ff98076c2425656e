"""Storages behave as PyTorch's: each line of storage_expressions.txt gives the same text or error."""

import copy
import mmap
import pickle
import warnings
from pathlib import Path

import pytest

import lampas

LINES = Path(__file__).with_name("storage_expressions.txt").read_text().splitlines()


def shown(t, line):
    """The text of the last expression after the statements before it."""
    *statements, last = line.split("; ")
    scope = {"T": t, "copy": copy, "pickle": pickle}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for statement in statements:
                exec(statement, scope)
            text = repr(eval(last, scope))
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
    return text.replace("lampas", "torch")


@pytest.mark.parametrize("line", LINES)
def test_same_as_pytorch(line, torch):
    assert shown(lampas, line) == shown(torch, line)


def test_public_names(torch):
    ours = set(dir(lampas.UntypedStorage)) | {"hpu", "mps"}
    missing = {name for name in dir(torch.UntypedStorage) if name[0] != "_"} - ours
    # Types and devices that Lampas does not have.
    assert missing == {name for name in missing if name.startswith(("float8", "pin"))}
    for name in torch.serialization.__all__:
        assert hasattr(lampas.serialization, name), name


def test_the_warning_comes_once(python):
    source = (
        "import warnings, lampas\nwarnings.simplefilter('always')\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    lampas.ones(1).storage(); lampas.FloatStorage(1); lampas.ones(1).untyped_storage()\n"
        "print(len(caught), caught[0].category.__name__, str(caught[0].message)[:27])"
    )
    env = {"PYTHONPATH": str(Path(lampas.__file__).parent.parent)}
    assert python(source, env=env) == "1 UserWarning TypedStorage is deprecated.\n"


def test_a_slice_shares_memory_and_keeps_it(torch):
    part = lampas.UntypedStorage(8).fill_(1)[2:5]
    assert part.tolist() == [1, 1, 1]
    whole = lampas.arange(4, dtype=lampas.uint8)
    whole.untyped_storage()[1:3].fill_(9)
    assert whole.tolist() == [0, 9, 9, 3]


def test_from_file(torch, tmp_path):
    for t in (torch, lampas):
        path = str(tmp_path / t.__name__)
        shared = t.UntypedStorage.from_file(path, True, 4)
        shared.fill_(7)
        assert Path(path).read_bytes() == b"\7" * 4
        private = t.UntypedStorage.from_file(path, False, 4)
        private.fill_(1)
        assert Path(path).read_bytes() == b"\7" * 4 and private.tolist() == [1] * 4
        assert t.UntypedStorage.from_file(path, shared=False, nbytes=2).tolist() == [7, 7]
        assert t.ShortStorage.from_file(path, False, 2).tolist() == [0x707] * 2
        with pytest.raises(RuntimeError):
            t.UntypedStorage.from_file(path, False, 100)


def test_shared_mapping(tmp_path, torch):
    path = tmp_path / "a.pt"
    for t in (torch, lampas):
        assert t.serialization.get_default_mmap_options() == mmap.MAP_PRIVATE
        t.save(t.zeros(3), path)
        with t.serialization.set_default_mmap_options(mmap.MAP_SHARED):
            t.load(path, mmap=True).fill_(4)
        assert t.serialization.get_default_mmap_options() == mmap.MAP_PRIVATE
        assert torch.load(path).tolist() == [4, 4, 4]
        with pytest.raises(ValueError, match="expected mmap.MAP_PRIVATE or mmap.MAP_SHARED"):
            t.serialization.set_default_mmap_options(99)


def test_skipped_data(tmp_path, torch):
    path = tmp_path / "a.pt"
    for t in (torch, lampas):
        with t.serialization.skip_data():
            t.save({"a": t.ones(2, 3)}, path)
        for target in (torch, lampas):
            assert target.load(path)["a"].tolist() == [[0, 0, 0], [0, 0, 0]]
        t.save({"a": t.ones(2, 3)}, path)
        with t.serialization.skip_data():
            assert t.load(path)["a"].shape == (2, 3)
