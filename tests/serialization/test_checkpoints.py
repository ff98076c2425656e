"""Checkpoints of many kinds from PyTorch load here and ours load there, in each format."""

import importlib
import inspect
import io

import pytest
from checkpoints import FULL, SAFE, images, plain, trained, written
from old_files import tar_archive, with_views

import lampas


@pytest.mark.parametrize("name", SAFE)
def test_weights_both_ways(name, torch):
    theirs, ours = SAFE[name](torch), SAFE[name](lampas)
    assert plain(lampas.load(written(torch, theirs))) == plain(theirs)
    assert plain(torch.load(written(lampas, ours))) == plain(ours)
    assert plain(lampas.load(written(lampas, ours))) == plain(ours)
    assert plain(lampas.load(written(lampas, ours), weights_only=False)) == plain(ours)


@pytest.mark.parametrize("name", FULL)
def test_objects_both_ways(name, torch):
    theirs, ours = FULL[name](torch), FULL[name](lampas)
    full = {"weights_only": False}
    assert plain(lampas.load(written(torch, theirs), **full)) == plain(theirs)
    assert plain(torch.load(written(lampas, ours), **full)) == plain(ours)
    assert plain(lampas.load(written(lampas, ours), **full)) == plain(ours)


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("name", ["dtypes", "training run", "plain values"])
def test_protocols(name, protocol, torch):
    theirs, ours = SAFE[name](torch), SAFE[name](lampas)
    options = {"pickle_protocol": protocol}
    assert plain(lampas.load(written(torch, theirs, **options))) == plain(theirs)
    back = torch.load(written(lampas, ours, **options), weights_only=False)
    assert plain(back) == plain(ours)


# In the old format PyTorch cannot write unsigned types beyond uint8, and of a lazily conjugated
# tensor it writes memory that it has freed. Storages are read last there: too late for a Generator.
NOT_IN_OLD_FORMAT = {"dtypes", "meta", "conjugated", "generator"}


@pytest.mark.parametrize("name", [name for name in (*SAFE, *FULL) if name not in NOT_IN_OLD_FORMAT])
def test_format_of_before_2020(name, torch):
    make = SAFE.get(name) or FULL[name]
    theirs, ours = make(torch), make(lampas)
    old, mode = {"_use_new_zipfile_serialization": False}, {"weights_only": name in SAFE}
    assert plain(lampas.load(written(torch, theirs, **old), **mode)) == plain(theirs)
    assert plain(torch.load(written(lampas, ours, **old), **mode)) == plain(ours)
    assert plain(lampas.load(written(lampas, ours, **old), **mode)) == plain(ours)


def test_objects_one_after_another(torch):
    old = {"_use_new_zipfile_serialization": False}
    for source in (lampas, torch):
        file = io.BytesIO()
        for value in (1, [source.ones(2)], "end"):
            source.save(value, file, **old)
        file.seek(0)
        assert lampas.load(file) == 1
        assert lampas.load(file)[0].tolist() == [1, 1]
        assert lampas.load(file) == "end"


def test_a_checkpoint_behind_other_bytes(torch):
    for source, target in ((lampas, torch), (torch, lampas), (lampas, lampas)):
        file = io.BytesIO()
        file.write(b"x" * 100)
        source.save(source.arange(3), file)
        file.seek(100)
        assert target.load(file).tolist() == [0, 1, 2]


def test_tar_files_of_before_2017(torch, tmp_path):
    path = tmp_path / "old.pt"
    path.write_bytes(tar_archive())
    for t in (torch, lampas):
        loaded = t.load(path, weights_only=False)
        assert loaded["a"].tolist() == [[0, 1, 2], [3, 4, 5]] and loaded["b"][1] == 1
        loaded["b"][0].fill_(9)
        assert loaded["a"][1].tolist() == [9, 9, 9]
    with pytest.raises(RuntimeError) as expected:
        torch.load(path)
    with pytest.raises(RuntimeError) as raised:
        lampas.load(path)
    assert str(raised.value) == str(expected.value)


def test_storage_views_of_before_0_4(torch):
    for t in (torch, lampas):
        whole, part = t.load(io.BytesIO(with_views(torch)))
        assert part.tolist() == [3.0, 4.0]
        whole.fill_(8)
        assert part.tolist() == [8.0, 8.0]


def test_training_continues_the_same(torch):
    """A run saved by one library goes on in the other with the same numbers."""
    expected = None
    for source, target in ((torch, torch), (torch, lampas), (lampas, torch), (lampas, lampas)):
        net, optimizer, scheduler = trained(source)
        state = {"net": net.state_dict(), "opt": optimizer.state_dict()}
        state["scheduler"] = scheduler.state_dict()
        loaded = target.load(written(source, state))
        net, optimizer, scheduler = trained(target)
        net.load_state_dict(loaded["net"])
        optimizer.load_state_dict(loaded["opt"])
        scheduler.load_state_dict(loaded["scheduler"])
        optimizer.zero_grad()
        loss = net(images(target)).square().sum()
        loss.backward()
        optimizer.step()
        scheduler.step()
        figures = [loss.item(), scheduler.get_last_lr()[0], net[3].weight.sum().item()]
        expected = expected or figures
        assert figures == pytest.approx(expected, rel=1e-5)


def test_names_of_classes_are_those_of_pytorch(torch):
    """Every public module, optimizer and scheduler is named in a file as PyTorch names it."""
    from lampas.serialization import names

    for path in ("nn", "optim", "optim.lr_scheduler", "nn.utils.rnn", "nn.utils.prune"):
        ours, theirs = (importlib.import_module(f"{t.__name__}.{path}") for t in (lampas, torch))
        for name, cls in vars(ours).items():
            expected = getattr(theirs, name, None)
            if name.startswith("_") or not inspect.isclass(cls) or not inspect.isclass(expected):
                continue
            if not cls.__module__.startswith("lampas."):
                continue
            module = names.to_torch(cls.__module__, cls.__qualname__)
            assert (module, cls.__qualname__) == (expected.__module__, expected.__qualname__)
            assert names.resolve(module, cls.__qualname__) is cls
