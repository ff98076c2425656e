"""What travels between a worker and its DataLoader, and the memory it travels in."""

import collections
import os
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest

import lampas
import lampas.utils.data as D
from lampas.multiprocessing import memory
from lampas.utils.data._utils import segments, transport

Point = collections.namedtuple("Point", "x y")
LARGE = 100  # a (LARGE, LARGE) tensor of any type takes shared memory at four bytes an element


class Tagged(lampas.Tensor):
    pass


class Made(D.Dataset):
    """A dataset of n samples `make(i)`."""

    def __init__(self, make, n=4):
        self.make, self.n = make, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.make(i)


def through_worker(make, n=1, **options):
    """Samples that have passed through a worker as they are."""
    return list(D.DataLoader(Made(make, n), batch_size=None, num_workers=1, **options))


DTYPES = [
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int64",
    "uint8",
    "bool",
    "complex64",
    "uint16",
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(), (0,), (3, 0), (2, 3), (LARGE, 2 * LARGE)])
def test_tensor_arrives_as_it_was(dtype, size):
    sent = (lampas.rand(size) * 200).to(getattr(lampas, dtype))
    (got,) = through_worker(lambda i: sent)
    assert got.dtype is sent.dtype and got.shape == sent.shape and got.stride() == sent.stride()
    assert lampas.equal(got, sent)
    large = sent.numel() * sent.element_size() >= transport.LARGE
    assert got.is_shared() == large


def test_layouts():
    x = lampas.rand(2, LARGE, LARGE, 3)
    sent = [x.permute(0, 3, 1, 2), x[1], x[:, ::2], x[..., 0], x.transpose(0, 3)[1:]]
    (got,) = through_worker(lambda i: sent, collate_fn=lambda sample: sample)
    assert all(lampas.equal(a, b) for a, b in zip(got, sent, strict=True))
    assert got[0].stride() == sent[0].stride()
    # A slice does not take the rest of its storage along.
    assert got[1].untyped_storage().nbytes() == x[1].numel() * 4


def test_views_of_one_storage_stay_views_of_one_storage():
    def sample(i):
        x = lampas.zeros(LARGE, LARGE)
        return {"x": x, "transposed": x.t(), "again": [x]}

    (got,) = through_worker(sample, collate_fn=lambda sample: sample)
    got["x"][0, 1] = 7
    assert got["transposed"][1, 0] == 7 and got["again"][0] is got["x"]


def test_classes_and_attributes():
    def sample(i):
        plain = lampas.ones(LARGE, LARGE)
        marked = lampas.ones(2)
        marked.note = "kept"
        parameter = lampas.nn.Parameter(plain.clone())
        leaf = lampas.ones(3, requires_grad=True)
        return parameter, plain.as_subclass(Tagged), marked, leaf, lampas.empty(2, device="meta")

    (got,) = through_worker(sample, collate_fn=lambda sample: sample)
    parameter, tagged, marked, leaf, meta = got
    assert type(parameter) is lampas.nn.Parameter and parameter.requires_grad
    assert type(tagged) is Tagged and tagged.sum() == LARGE * LARGE
    assert marked.note == "kept" and leaf.requires_grad and leaf.is_leaf
    assert meta.is_meta and meta.shape == (2,)


def test_history_cannot_travel(torch):
    with pytest.raises(RuntimeError) as expected:
        torch.multiprocessing.SimpleQueue().put(torch.ones(3, requires_grad=True) * 2)
    leaf = lampas.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError) as raised:
        through_worker(lambda i: leaf * 2, collate_fn=lambda sample: sample)
    assert str(expected.value) in str(raised.value)


def test_arrays_and_other_objects():
    def sample(i):
        array = np.arange(LARGE * LARGE, dtype="float32").reshape(LARGE, LARGE)
        frozen = array.copy()
        frozen.flags.writeable = False
        return {
            "array": array,
            "frozen": frozen,
            "fortran": np.asfortranarray(array),
            "strings": np.array(["a", "bc"]),
            "text": "x" * 100_000,
            "bytes": b"y" * 100_000,
            "numbers": list(range(50_000)),
            "point": Point(1, {2}),
            "none": None,
        }

    expected = sample(0)
    (got,) = through_worker(sample, collate_fn=lambda sample: sample)
    for name, value in expected.items():
        same = np.array_equal(got[name], value) if name == "array" else got[name] == value
        assert np.all(same), name
    got["array"][0, 0] = 5
    assert not got["frozen"].flags.writeable and type(got["point"]) is Point


def test_collated_batches_equal_those_without_workers():
    def sample(i):
        image = lampas.arange(3.0 * 64 * 64).reshape(3, 64, 64) + i
        return {"image": image, "mask": image > 50, "label": i, "name": str(i)}

    def plain(batch):
        return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in batch.items()}

    for options in ({"batch_size": 4}, {"batch_size": 3, "drop_last": True}):
        with_workers = D.DataLoader(Made(sample, 9), num_workers=2, **options)
        without = D.DataLoader(Made(sample, 9), **options)
        for a, b in zip(with_workers, without, strict=True):
            assert plain(a) == plain(b) and a["image"].stride() == b["image"].stride()
            assert a["image"].is_shared() and not b["image"].is_shared()


def test_unequal_samples_give_the_same_error():
    texts = []
    for workers in (0, 1):
        loader = D.DataLoader(
            Made(lambda i: lampas.ones(LARGE, LARGE + i)), batch_size=2, num_workers=workers
        )
        with pytest.raises(RuntimeError) as raised:
            next(iter(loader))
        texts.append(str(raised.value).strip().splitlines()[-1].removeprefix("RuntimeError: "))
    assert texts[0] == texts[1]


# --- memory is used again, but never while somebody looks at it ----------------------------------
def test_memory_is_used_again():
    loader = D.DataLoader(
        Made(lambda i: lampas.full((LARGE, LARGE), i), 40), num_workers=1, persistent_workers=True
    )
    for _ in range(3):
        for i, batch in enumerate(loader):
            assert batch.unique().tolist() == [i]
    del batch
    assert len(memory.segments) <= 5  # two prefetched, one in hand, its successor, one in making


def test_memory_held_is_left_alone():
    loader = D.DataLoader(
        Made(lambda i: lampas.full((LARGE, LARGE), i), 20), num_workers=2, persistent_workers=True
    )
    held = {}
    for epoch in range(3):
        for i, batch in enumerate(loader):
            if i % 3 == epoch:
                held[i] = batch[0, 5:, 5:]  # a view holds the memory as well
    assert all(view.unique().tolist() == [i] for i, view in held.items())
    loader._iterator._shutdown_workers()
    assert all(view.unique().tolist() == [i] for i, view in held.items())


def test_batch_that_the_worker_keeps():
    """A dataset that caches what it made, in shared memory: it must not be overwritten either."""

    cache = {}

    def collate(indices):
        i = indices[0] % 3
        if i not in cache:
            cache[i] = D.default_collate([lampas.full((LARGE, LARGE), i)] * 2)
        return cache[i]

    loader = D.DataLoader(range(12), num_workers=1, collate_fn=collate, persistent_workers=True)
    for _ in range(3):
        for i, batch in enumerate(loader):
            assert batch.unique().tolist() == [i % 3]


def test_memory_that_a_forked_process_may_see_is_left_alone():
    loader = iter(D.DataLoader(Made(lambda i: lampas.full((LARGE, LARGE), i), 30), num_workers=1))
    batch = next(loader)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write)
        os.read(read, 1)  # until the parent has let go of the batch and taken all others
        os._exit(batch.unique().tolist() != [0])
    del batch
    assert [other.unique().item() for other in loader] == list(range(1, 30))
    os.close(write)
    os.close(read)
    assert os.waitpid(pid, 0)[1] == 0


def test_batches_of_many_large_tensors():
    many = 3 * segments.MOST_NEW
    (got,) = through_worker(
        lambda i: [lampas.full((LARGE, LARGE), k) for k in range(many)],
        collate_fn=lambda sample: sample,
    )
    assert [x.unique().item() for x in got] == list(range(many))


def test_sizes_that_change():
    sizes = [8000 * (1 + (37 * i) % 11) for i in range(60)]
    loader = D.DataLoader(
        Made(lambda i: lampas.full((sizes[i],), i), 60), num_workers=1, batch_size=None
    )
    for i, x in enumerate(loader):
        assert x.shape == (sizes[i],) and x.unique().tolist() == [i]


def test_descriptors_are_not_used_up(python):
    """Batches that are kept hold memory, not file descriptors."""
    source = """
import resource, lampas
from lampas.utils.data import DataLoader
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
loader = DataLoader(range(300), num_workers=2, collate_fn=lambda i: lampas.full((9999,), i[0]))
print(sum(x.unique().item() for x in list(loader)) == sum(range(300)))
"""
    assert python(source) == "True\n"


def test_batch_goes_on_through_a_queue():
    """As a copy: the worker's memory is used again as soon as this process lets go of it."""
    loader = iter(D.DataLoader(Made(lambda i: lampas.full((LARGE, LARGE), i), 20), num_workers=1))
    batch = next(loader)
    sent = ForkingPickler.dumps(batch)
    del batch
    assert [other.unique().item() for other in loader] == list(range(1, 20))
    assert ForkingPickler.loads(sent).unique().item() == 0
