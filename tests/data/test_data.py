"""utils.data beside PyTorch: the same batches, and every generator left in the same state."""

import collections
import itertools

import pytest

import lampas
import lampas.utils.data as D

Point = collections.namedtuple("Point", "x y")


def make_loader(t, kind, n, generator, **options):
    """A loader of one of several kinds, in the library `t`."""
    data = t.utils.data
    dataset = data.TensorDataset(t.arange(n), t.arange(3.0 * n).reshape(n, 3))
    if kind == "shuffle":
        return data.DataLoader(dataset, shuffle=True, **options)
    if kind == "generator":
        return data.DataLoader(dataset, shuffle=True, generator=generator, **options)
    if kind == "sequential":
        return data.DataLoader(dataset, **options)
    if kind == "replacement":
        sampler = data.RandomSampler(dataset, True, 40, generator)
    elif kind == "several passes":
        sampler = data.RandomSampler(dataset, num_samples=2 * n + 1, generator=generator)
    elif kind == "weighted":
        sampler = data.WeightedRandomSampler([1.0, 3.0] * n, 7, generator=generator)
        dataset = data.ConcatDataset([dataset, dataset])
    elif kind == "subset sampler":
        sampler = data.SubsetRandomSampler(list(range(0, n, 2)), generator)
    elif kind == "split":
        split = data.random_split(dataset, [0.6, 0.4], generator)[0]
        return data.DataLoader(split, shuffle=True, **options)
    elif kind == "subset":
        return data.DataLoader(data.Subset(dataset, range(0, n, 2)), **options)
    return data.DataLoader(dataset, sampler=sampler, **options)


KINDS = [
    "shuffle",
    "generator",
    "sequential",
    "replacement",
    "several passes",
    "weighted",
    "subset sampler",
    "split",
    "subset",
]


def trace(t, kind, n, **options):
    """Batches of two epochs, the first broken off, with the generators' states in between."""
    t.manual_seed(2)
    generator = t.Generator().manual_seed(5)
    loader = make_loader(t, kind, n, generator, **options)
    seen = [len(loader)]
    for epoch in range(2):
        for i, batch in enumerate(loader):
            assert type(batch) is list
            seen.append([column.tolist() for column in batch])
            seen.append(generator.get_state().tolist())
            if epoch == 0 and i == 1:
                break
    return [*seen, generator.get_state().tolist(), t.rand(2).tolist()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [2, 5, 8])
def test_order_equals_torch(torch, kind, n):
    for batch_size, drop_last in itertools.product([1, 2, 5, 9], [False, True]):
        options = {"batch_size": batch_size, "drop_last": drop_last}
        assert trace(lampas, kind, n, **options) == trace(torch, kind, n, **options)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("workers", [0, 1])
def test_batches_of_tensors_equal_collated_samples(shuffle, workers):
    image = lampas.randn(20, 3, 4)
    columns = image, image.transpose(1, 2), image[:, :1].expand(20, 3, 4), lampas.arange(40)[::2]
    dataset = D.TensorDataset(*columns)
    options = {"batch_size": 6, "shuffle": shuffle}
    lampas.manual_seed(1)
    fast = list(D.DataLoader(dataset, num_workers=workers, **options))
    lampas.manual_seed(1)
    slow = list(D.DataLoader(dataset, collate_fn=lambda x: D.default_collate(x), **options))
    for a, b in zip(fast, slow, strict=True):
        assert all(lampas.equal(x, y) and x.stride() == y.stride() for x, y in zip(a, b))
        assert a[0].data_ptr() != dataset.tensors[0].data_ptr()


class Doubled(D.TensorDataset):
    def __getitem__(self, index):
        return tuple(2 * value for value in super().__getitem__(index))


def test_subclass_with_its_own_access_is_respected():
    loader = D.DataLoader(Doubled(lampas.arange(4)), batch_size=4)
    assert next(iter(loader))[0].tolist() == [0, 2, 4, 6]


def test_gradients_reach_through_a_batch():
    leaf = lampas.ones(4, requires_grad=True)
    next(iter(D.DataLoader(D.TensorDataset(leaf), batch_size=2)))[0].sum().backward()
    assert leaf.grad.tolist() == [1, 1, 0, 0]


SAMPLES = [
    [1, 2],
    [1.5, 2.5],
    [True, False],
    ["a", "b"],
    [(1, 2.0), (3, 4.0)],
    [[1, 2], [3, 4]],
    [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
    [Point(1, 2), Point(3, 4)],
    [{"a": (1, [2])}, {"a": (3, [4])}],
    [range(2), range(2)],
    [b"a", b"b"],
]


@pytest.mark.parametrize("samples", SAMPLES, ids=repr)
def test_collate_equals_torch(torch, samples):
    def plain(value):
        if hasattr(value, "tolist"):
            return value.tolist(), str(value.dtype).removeprefix("torch.")
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value).__name__, [plain(item) for item in value]
        return value

    expected = plain(torch.utils.data.default_collate(samples))
    assert plain(D.default_collate(samples)) == expected


class Count(D.IterableDataset):
    def __init__(self, n, length=None):
        self.n = n
        self.length = length

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        if self.length is None:
            raise TypeError("object has no length")
        return self.length


def test_streams():
    assert [b.tolist() for b in D.DataLoader(Count(5), batch_size=2)] == [[0, 1], [2, 3], [4]]
    dropped = D.DataLoader(Count(5), batch_size=2, drop_last=True)
    assert [b.tolist() for b in dropped] == [[0, 1], [2, 3]]
    assert list(D.DataLoader(Count(3), batch_size=None)) == [0, 1, 2]
    assert list(Count(2) + Count(1)) == [0, 1, 0]
    loader = D.DataLoader(Count(5, length=2))
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2"):
        list(loader)


def bad_calls(t):
    """Calls that fail, by name, in the library `t`."""
    d = t.utils.data
    data = d.TensorDataset(t.arange(10))
    loader = d.DataLoader(data)

    class Stream(d.IterableDataset):
        def __iter__(self):
            return iter(())

    return {
        "sizes": lambda: d.TensorDataset(t.ones(2), t.ones(3)),
        "no concat": lambda: d.ConcatDataset([]),
        "concat stream": lambda: d.ConcatDataset([Stream()]),
        "negative": lambda: (data + data)[-30],
        "no stack": lambda: d.StackDataset(),
        "stack sizes": lambda: d.StackDataset(data, t.ones(3)),
        "abstract": lambda: d.Dataset()[0],
        "split": lambda: d.random_split(data, [3, 3]),
        "fractions": lambda: d.random_split(data, [0.5, 0.6]),
        "replacement": lambda: d.RandomSampler(data, replacement=1),
        "num_samples": lambda: d.RandomSampler(data, num_samples=0),
        "weights": lambda: d.WeightedRandomSampler(t.ones(2, 2), 4),
        "weighted replacement": lambda: d.WeightedRandomSampler([1], 4, replacement=2),
        "batch_size": lambda: d.BatchSampler(range(3), True, False),
        "drop_last": lambda: d.BatchSampler(range(3), 2, 1),
        "workers": lambda: d.DataLoader(data, num_workers=-1),
        "timeout": lambda: d.DataLoader(data, timeout=-1),
        "prefetch": lambda: d.DataLoader(data, prefetch_factor=2),
        "persistent": lambda: d.DataLoader(data, persistent_workers=True),
        "stream shuffle": lambda: d.DataLoader(Stream(), shuffle=True),
        "stream sampler": lambda: d.DataLoader(Stream(), sampler=range(3)),
        "exclusive": lambda: d.DataLoader(data, sampler=range(3), shuffle=True),
        "batch sampler": lambda: d.DataLoader(data, batch_sampler=[[1]], batch_size=2),
        "no batches": lambda: d.DataLoader(data, batch_size=None, drop_last=True),
        "context": lambda: d.DataLoader(data, multiprocessing_context="spawn"),
        "set": lambda: setattr(loader, "batch_size", 3),
        "collate object": lambda: d.default_collate([object()]),
        "collate sizes": lambda: d.default_collate([[1, 2], [3]]),
        "collate empty": lambda: d.default_collate([]),
    }


def test_errors_equal_torch(torch):
    ours, theirs = bad_calls(lampas), bad_calls(torch)
    for name, call in theirs.items():
        with pytest.raises(Exception) as expected:
            call()
        with pytest.raises(expected.type) as raised:
            ours[name]()
        text = str(raised.value).replace("lampas.", "torch.")
        assert text.startswith(str(expected.value)), name


def test_names_equal_torch(torch):
    theirs = torch.utils.data
    assert set(theirs.__all__) == set(D.__all__)
    for name in ("dataloader", "dataset", "sampler", "distributed"):
        assert set(getattr(theirs, name).__all__) <= set(dir(getattr(D, name)))
    for name in theirs.__all__:
        if name.endswith(("Sampler", "Dataset")) or name == "DataLoader":
            public = {x for x in dir(getattr(theirs, name)) if not x.startswith("_")}
            assert public == {x for x in dir(getattr(D, name)) if not x.startswith("_")}, name


def test_datapipes_are_refused():
    import lampas.utils.data.datapipes as pipes
    from lampas.utils.data.datapipes.iter import IterableWrapper
    from lampas.utils.data.datapipes.iter.combinatorics import ShufflerIterDataPipe
    from lampas.utils.data.graph_settings import apply_shuffle_settings

    @D.functional_datapipe("numbers")
    class Numbers(D.IterDataPipe):
        def __iter__(self):
            yield 1

    assert not isinstance(range(3), D.IterDataPipe) and issubclass(Numbers, D.IterableDataset)
    calls = [Numbers, IterableWrapper, ShufflerIterDataPipe, apply_shuffle_settings, D.DataChunk]
    for call in [*calls, D.MapDataPipe, D.runtime_validation, pipes.DFIterDataPipe]:
        with pytest.raises(NotImplementedError, match="datapipes are not available"):
            call([1])
