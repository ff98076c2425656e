"""The DataLoader with worker processes: the same batches, seeds and errors as PyTorch's."""

import collections
import os
import random

import numpy as np
import pytest

import lampas
import lampas.utils.data as D
from lampas.multiprocessing import memory

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

Point = collections.namedtuple("Point", "x y")


class Made(D.Dataset):
    """A dataset of n samples `make(i)`."""

    def __init__(self, make, n=8):
        self.make, self.n = make, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.make(i)


class TorchMade(torch.utils.data.Dataset):
    __init__, __len__, __getitem__ = Made.__init__, Made.__len__, Made.__getitem__


def loaders(make, n=8, **options):
    """The same loader in Lampas and in PyTorch; `make(t)` gives the function of the samples."""
    ours = D.DataLoader(Made(make(lampas), n), **options)
    return ours, torch.utils.data.DataLoader(TorchMade(make(torch), n), **options)


def outcome(loader, epochs=1):
    """Everything a loader gives, exceptions as (type, first line, last line)."""
    seen = []
    for _ in range(epochs):
        iterator = iter(loader)
        while True:
            try:
                item = next(iterator)
                seen.append(item.tolist() if hasattr(item, "tolist") else item)
            except StopIteration:
                break
            except Exception as error:
                lines = str(error).strip().splitlines()
                seen.append((type(error).__name__, lines[0], lines[-1]))
        seen.append("end")
    return seen


# --- order and random state ----------------------------------------------------------------------
def trace(t, persistent, **options):
    """Batches of two epochs, the first broken off, and the states of the generators between."""
    t.manual_seed(3)
    generator = t.Generator().manual_seed(5) if options.pop("own_generator") else None
    data = t.utils.data.TensorDataset(t.arange(19), t.arange(38.0).reshape(19, 2))
    loader = t.utils.data.DataLoader(
        data, generator=generator, num_workers=2, persistent_workers=persistent, **options
    )
    seen = []
    for epoch in range(3):
        for i, batch in enumerate(loader):
            seen.append([column.tolist() for column in batch])
            seen.append(t.rand(1).tolist())
            if generator is not None:
                seen.append(generator.get_state().tolist())
            if epoch == 0 and i == 1:
                break
    return seen


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("own_generator", [False, True])
def test_order_and_random_state_equal_torch(persistent, own_generator):
    options = {"batch_size": 4, "shuffle": True, "own_generator": own_generator}
    assert trace(lampas, persistent, **options) == trace(torch, persistent, **options)


def test_order_with_other_samplers_equals_torch():
    options = {"batch_size": 3, "drop_last": True, "own_generator": False, "prefetch_factor": 1}
    assert trace(lampas, False, **options) == trace(torch, False, **options)


def seeds(t):
    def sample(i):
        info = t.utils.data.get_worker_info()
        key = np.random.get_state()[1][:4].tolist()
        drawn = random.random(), float(t.rand(()))
        return info.id, info.num_workers, info.seed, t.initial_seed(), key, drawn

    return sample


def test_seeds_equal_torch():
    results = []
    for t, loader in zip((lampas, torch), loaders(seeds, num_workers=2, batch_size=None)):
        t.manual_seed(11)
        results.append(outcome(loader, epochs=2))
    assert results[0] == results[1]


def test_worker_info():
    def sample(i):
        info = D.get_worker_info()
        with pytest.raises(RuntimeError, match="Cannot assign attributes to WorkerInfo objects"):
            info.id = 3
        assert info.dataset.n == 2
        assert lampas.get_num_threads() == 1
        return repr(info).partition(",")[0]

    assert D.get_worker_info() is None
    assert (
        list(D.DataLoader(Made(sample, 2), num_workers=1, batch_size=None))
        == ["WorkerInfo(id=0"] * 2
    )


# --- errors of user code -------------------------------------------------------------------------
class TwoArguments(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


ERRORS = [
    ValueError("bad"),
    KeyError("key"),
    TwoArguments(1, 2),
    StopIteration("stop"),
    UnicodeDecodeError("utf8", b"a", 0, 1, "r"),
    AssertionError(),
    MemoryError("no more"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_exceptions_equal_torch(error):
    def make(t):
        def sample(i):
            if i == 2:
                raise error
            return i

        return sample

    ours, theirs = loaders(make, n=6, num_workers=2)
    assert outcome(ours) == outcome(theirs)


def test_exception_names_the_line_of_the_worker():
    def sample(i):
        raise ValueError("the text")

    with pytest.raises(ValueError) as raised:
        list(D.DataLoader(Made(sample), num_workers=1))
    text = str(raised.value)
    assert text.startswith("Caught ValueError in DataLoader worker process 0.\nOriginal Traceback")
    assert 'raise ValueError("the text")' in text and text.endswith("ValueError: the text\n")


def test_exception_that_cannot_be_pickled():
    class Hidden(Exception):
        pass

    def sample(i):
        raise Hidden("the text")

    with pytest.raises(RuntimeError, match="Caught Hidden in DataLoader worker process 0"):
        list(D.DataLoader(Made(sample), num_workers=1))


def test_sample_that_cannot_be_pickled():
    loader = D.DataLoader(Made(lambda i: lambda: i), num_workers=1, batch_size=None)
    with pytest.raises((AttributeError, RuntimeError), match="Can't pickle"):
        next(iter(loader))


def test_init_function():
    def init(worker_id):
        if worker_id == 1:
            raise ValueError("init")

    assert len(list(D.DataLoader(Made(float), num_workers=1, worker_init_fn=init))) == 8
    iterator = iter(D.DataLoader(Made(float), num_workers=2, worker_init_fn=init))
    for _ in range(4):
        next(iterator)
        with pytest.raises(ValueError, match="Caught ValueError in DataLoader worker process 1"):
            next(iterator)


def bad_options(t):
    data = t.utils.data.TensorDataset(t.arange(10))
    stuck = (Made if t is lampas else TorchMade)(lambda i: __import__("time").sleep(1.5))
    loader = t.utils.data.DataLoader
    return {
        "prefetch": lambda: iter(loader(data, num_workers=1, prefetch_factor=0)),
        "context": lambda: loader(data, num_workers=1, multiprocessing_context="thread"),
        "context type": lambda: loader(data, num_workers=1, multiprocessing_context=3),
        "timeout": lambda: next(iter(loader(stuck, num_workers=1, timeout=0.2))),
    }


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", bad_options(lampas))
def test_bad_options_equal_torch(name):
    with pytest.raises(Exception) as expected:
        bad_options(torch)[name]()
    with pytest.raises(expected.type) as raised:
        bad_options(lampas)[name]()
    assert str(raised.value) == str(expected.value)


def test_warning_for_too_many_workers():
    with pytest.warns(UserWarning) as expected:
        torch.utils.data.DataLoader(range(3), num_workers=999)
    with pytest.warns(UserWarning) as raised:
        D.DataLoader(range(3), num_workers=999)
    assert str(raised[0].message) == str(expected[0].message)


# --- streams -------------------------------------------------------------------------------------
def stream(t, lengths):
    """A stream that every worker cuts to a length of its own."""

    class Stream(t.utils.data.IterableDataset):
        def __iter__(self):
            worker_id = t.utils.data.get_worker_info().id
            return iter(range(100 * worker_id, 100 * worker_id + lengths[worker_id]))

    return Stream()


@pytest.mark.parametrize("lengths", [(5, 5), (0, 7), (9, 1), (0, 0)])
@pytest.mark.parametrize("drop_last", [False, True])
def test_streams_equal_torch(lengths, drop_last):
    options = {"batch_size": 2, "num_workers": 2, "drop_last": drop_last}
    ours = D.DataLoader(stream(lampas, lengths), **options)
    theirs = torch.utils.data.DataLoader(stream(torch, lengths), **options)
    assert outcome(ours) == outcome(theirs)


def test_persistent_stream_starts_again():
    loader = D.DataLoader(stream(lampas, (3, 5)), num_workers=2, persistent_workers=True)
    workers = iter(loader)._workers
    assert outcome(loader) == outcome(loader)
    assert loader._iterator._workers is workers
    assert next(iter(loader)).item() == 0  # breaks off; what was under way is forgotten
    assert outcome(loader) == outcome(loader)


def test_without_order_every_batch_comes_once():
    loader = D.DataLoader(Made(lambda i: i, 40), num_workers=2, batch_size=3, in_order=False)
    seen = sorted(i for batch in loader for i in batch.tolist())
    assert seen == list(range(40))


def test_without_order_a_slow_worker_holds_nobody_up(tmp_path):
    # The first batch waits for a file that the test makes once another batch has arrived.
    def sample(i):
        while i == 0 and not (tmp_path / "go").exists():
            os.sched_yield()
        return i

    order = []
    for batch in D.DataLoader(Made(sample, 4), num_workers=2, in_order=False):
        order.append(batch.item())
        (tmp_path / "go").touch()
    assert order[0] == 1 and sorted(order) == [0, 1, 2, 3]


def test_long_index_lists():
    """More than a socket takes at once, on the way there and back."""
    indices = list(range(100_000))
    data = D.TensorDataset(lampas.arange(len(indices)))
    options = {"num_workers": 2, "collate_fn": lambda rows: [row[0].item() for row in rows]}
    loader = D.DataLoader(data, batch_sampler=[indices[::-1]] * 2, **options)
    assert all(batch == indices[::-1] for batch in loader)


def test_worker_that_dies_before_it_read_its_indices():
    indices = list(range(200_000))  # more than a socket takes at once
    loader = D.DataLoader(
        range(len(indices)),
        batch_sampler=[indices] * 4,
        num_workers=1,
        worker_init_fn=lambda _: os._exit(1),
    )
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        next(iter(loader))


def test_copies_of_an_iterator_are_refused():
    import pickle

    for workers in (0, 1):
        with pytest.raises(NotImplementedError):
            pickle.dumps(iter(D.DataLoader(range(3), num_workers=workers)))


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_start_methods(method):
    data = D.TensorDataset(lampas.arange(60_000.0).reshape(6, 10_000))
    loader = D.DataLoader(data, batch_size=2, num_workers=1, multiprocessing_context=method)
    assert lampas.equal(lampas.cat([rows for (rows,) in loader]), data.tensors[0])


def test_pinning_is_nothing_on_a_cpu():
    with pytest.warns(UserWarning, match="no accelerator is found"):
        batch = next(iter(D.DataLoader(Made(float), num_workers=1, pin_memory=True)))
    assert not batch.is_pinned()


def test_no_segment_and_no_descriptor_is_left(descriptors):
    before = descriptors()
    for persistent in (False, True):
        loader = D.DataLoader(
            Made(lambda i: lampas.full((70, 70), float(i)), 16),
            num_workers=2,
            persistent_workers=persistent,
        )
        batches = [batch for _ in range(2) for batch in loader]
        assert [b.unique().tolist() for b in batches] == [[float(i)] for i in [*range(16)] * 2]
        assert all(b.is_shared() for b in batches)
        del loader, batches
    assert not memory.segments
    assert descriptors() <= before
