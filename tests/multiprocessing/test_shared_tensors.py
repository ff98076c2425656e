"""Tensors in shared memory: moved there, seen by child processes, passed through queues and pipes."""

import pickle

import pytest

import lampas
import lampas.multiprocessing as mp
from lampas.multiprocessing import memory

METHODS = ["fork", "spawn"]


def fill(tensor, value):
    tensor.fill_(value)


def answer(questions, answers):
    """Doubles every tensor of a queue in place, and sends it back, until None comes."""
    while (tensor := questions.get()) is not None:
        with lampas.no_grad():
            tensor.mul_(2)
        answers.put(tensor)
    questions.get()  # until the other side has what was sent


def negate(tensor):
    return -tensor


def run(method, target, *args):
    process = mp.get_context(method).Process(target=target, args=args)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_names_equal_torch(torch):
    theirs = torch.multiprocessing
    assert set(theirs.__all__) <= set(mp.__all__)
    public = {name for name in dir(theirs) if not name.startswith("_")}
    assert public - set(dir(mp)) == {"ENV_VAR_PARALLEL_START", "sys", "torch"}


def shared_states(t):
    """What `is_shared` says in several places."""
    x = t.ones(3)
    states = [x.is_shared(), x.share_memory_() is x, x.is_shared(), x[1:].is_shared()]
    states += [(x + 1).is_shared(), x.tolist(), x.share_memory_().is_shared()]
    p = t.nn.Parameter(t.ones(2, 3))
    states += [p.share_memory_() is p, p.is_shared(), p.requires_grad, p.is_leaf, p.tolist()]
    module = t.nn.Linear(2, 2).share_memory()
    states += [q.is_shared() and isinstance(q, t.nn.Parameter) for q in module.parameters()]
    view = t.arange(12.0).reshape(3, 4).t()
    states += [view.share_memory_().tolist(), view.stride(), view.is_shared()]
    return [*states, t.ones(2).untyped_storage().is_shared(), x.untyped_storage().is_shared()]


def test_is_shared_equals_torch(torch):
    assert shared_states(lampas) == shared_states(torch)


def test_memory_that_cannot_be_shared(torch):
    for t in (lampas, torch):
        with pytest.raises(RuntimeError, match="_share_fd_: only available on CPU"):
            t.empty(2, device="meta").share_memory_()
        assert not t.empty(2, device="meta").is_shared()


def test_history_survives(torch):
    for t in (lampas, torch):
        leaf = t.ones(3, requires_grad=True)
        middle = leaf * 2
        result = middle * middle
        middle.share_memory_()
        (result * middle).sum().backward()
        assert middle.is_shared() and leaf.grad.tolist() == [24, 24, 24]


@pytest.mark.parametrize("method", METHODS)
def test_child_writes_are_seen(method):
    tensor = lampas.zeros(5).share_memory_()
    run(method, fill, tensor[1:3], 7.0)
    assert tensor.tolist() == [0, 7, 7, 0, 0]


def test_gradients_over_shared_parameters():
    model = lampas.nn.Linear(3, 1).share_memory()
    model(lampas.ones(2, 3)).sum().backward()
    assert model.weight.grad.tolist() == [[2, 2, 2]]
    lampas.optim.SGD(model.parameters(), 0.1).step()
    assert all(p.is_shared() for p in model.parameters())


@pytest.mark.parametrize("method", METHODS)
def test_queue(method):
    context = mp.get_context(method)
    questions, answers = context.Queue(), context.Queue()
    process = context.Process(target=answer, args=(questions, answers))
    process.start()
    shared = lampas.arange(6.0).reshape(2, 3).share_memory_()
    private = lampas.arange(3)
    parameter = lampas.nn.Parameter(lampas.ones(2)).share_memory_()
    noted = lampas.ones(2).share_memory_()
    noted.note = "kept"
    for tensor in (shared, private, shared.t(), parameter, noted):
        questions.put(tensor)
    questions.put(None)
    got = [answers.get() for _ in range(5)]
    questions.put(None)
    process.join()
    assert process.exitcode == 0
    assert got[0].is_shared() and got[1].tolist() == [0, 2, 4]
    # Doubled twice: once as itself, once through its transposed view.
    assert lampas.equal(shared, lampas.arange(6.0).reshape(2, 3) * 4)
    assert lampas.equal(got[0], shared) and lampas.equal(got[2], shared.t())
    assert type(got[3]) is lampas.nn.Parameter and parameter.tolist() == [2, 2]
    assert got[4].note == "kept" and noted.tolist() == [2, 2]
    got[0].zero_()
    assert shared.abs().sum() == 0


def test_pipe_and_pool():
    here, there = mp.Pipe()
    there.send({"x": lampas.ones(3), "shared": lampas.ones(3).share_memory_()})
    got = here.recv()
    assert got["x"].tolist() == [1, 1, 1] and got["shared"].is_shared()
    with mp.get_context("fork").Pool(2) as pool:
        results = pool.map(negate, [lampas.full((2,), float(i)) for i in range(4)])
    assert [x.tolist() for x in results] == [[-float(i)] * 2 for i in range(4)]


def test_history_cannot_travel(torch):
    texts = []
    for t in (lampas, torch):
        with pytest.raises(RuntimeError) as raised:
            t.multiprocessing.SimpleQueue().put(t.ones(2, requires_grad=True) * 2)
        texts.append(str(raised.value))
    assert texts[0] == texts[1]


def test_a_pickle_of_a_shared_tensor_is_a_copy():
    shared = lampas.ones(3).share_memory_()
    copy = pickle.loads(pickle.dumps(shared))
    shared.zero_()
    assert copy.tolist() == [1, 1, 1] and not copy.is_shared()


def test_memory_is_given_back(descriptors):
    before = descriptors()
    tensor = lampas.ones(1000).share_memory_()
    view = tensor[5:]
    del tensor
    assert len(memory.segments) == 1 and view.sum() == 995
    del view
    assert not memory.segments and descriptors() <= before


def test_strategies(torch):
    assert mp.get_all_sharing_strategies() == torch.multiprocessing.get_all_sharing_strategies()
    assert mp.get_sharing_strategy() == torch.multiprocessing.get_sharing_strategy()
    with pytest.raises(
        AssertionError, match="invalid sharing strategy 'x', expected one of {'file_"
    ):
        mp.set_sharing_strategy("x")
    mp.set_sharing_strategy("file_system")
    try:
        tensor = lampas.ones(3).share_memory_()
        run("fork", fill, tensor, 2.0)
        assert tensor.tolist() == [2, 2, 2]
    finally:
        mp.set_sharing_strategy("file_descriptor")


def test_refused_memory(python):
    source = """
import resource, lampas
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
x = lampas.ones(10**6)
try:
    x.share_memory_()
except RuntimeError as error:
    print(error)
print(x.is_shared(), x.sum().item())
"""
    first, *_, last = python(source).splitlines()
    assert first == "unable to allocate shared memory(shm) for file <memfd>: File too large (27)"
    assert last == "False 1000000.0"
