"""Saving, loading, copying and pickling sparse tensors."""

import copy
import pickle

import pytest
import torch

import lampas
import lampas.sparse


def both_kinds(t):
    coo = t.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3))
    return {
        "coo": coo,
        "coalesced": coo.coalesce(),
        "csr": coo.to_sparse_csr(),
        "csc": coo.to_sparse_csc(),
    }


@pytest.mark.parametrize("kind", ["coo", "coalesced", "csr", "csc"])
def test_files_are_those_of_pytorch(kind, tmp_path):
    mine, theirs = both_kinds(lampas)[kind], both_kinds(torch)[kind]
    lampas.save({"x": mine}, tmp_path / "mine")
    torch.save({"x": theirs}, tmp_path / "theirs")
    for weights_only in (True, False):
        got = lampas.load(tmp_path / "theirs", weights_only=weights_only)["x"]
        assert repr(got) == repr(theirs)
        assert repr(torch.load(tmp_path / "mine", weights_only=weights_only)["x"]) == repr(theirs)
    if "c" in kind[:2] and kind.startswith("co"):
        assert got.is_coalesced() == theirs.is_coalesced()


@pytest.mark.parametrize("kind", ["coo", "coalesced", "csr", "csc"])
def test_copies(kind):
    x = both_kinds(lampas)[kind].requires_grad_()
    for made in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), copy.copy(x)):
        assert made is not x
        assert repr(made.detach()) == repr(x.detach())
    assert copy.deepcopy(x).requires_grad
    twin = copy.deepcopy(x)
    with lampas.no_grad():
        twin.mul_(2)
    assert repr(twin.detach()) != repr(x.detach())


def test_a_file_with_wrong_indices_is_refused(tmp_path):
    bad = torch.sparse_coo_tensor(torch.tensor([[0, 7]]), torch.ones(2), (3,))
    torch.save(bad, tmp_path / "bad")
    with pytest.raises(RuntimeError, match="size is inconsistent with indices"):
        lampas.load(tmp_path / "bad")
