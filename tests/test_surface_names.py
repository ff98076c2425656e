"""Names that show PyTorch's engine or its absent devices: tags, schemes, torch.cuda without CUDA."""

import inspect

import pytest
from agreement import agree
from expressions import cases

import lampas

CASES = """
repr(t.Tag.core), str(t.Tag.pointwise), list(t.Tag.__members__) | repr(t.per_tensor_affine) | t.qscheme()
t.thread_safe_generator() | t.wait(t.fork(lambda v: v + 1, 3)) | t.wait(3) | t.fork(3) | t.ones(2).ipu()
t.slice_inverse(b[:, 1:3], b, 1, 1, 3, 1) | t.spmm(b, b.T) | t.dsmm(b, b.T) | setstate(t) | t.ones(1).grad_dtype
(t.ones(1, requires_grad=True) * 2).grad_dtype | setattr(t.ones(1), "grad_dtype", None)
t.fake_quantize_per_channel_affine(b, s, z, 0, -8, 7) | t.fake_quantize_per_channel_affine(b, s, z.long(), 0, -8, 7)
t.fake_quantize_per_channel_affine(b, s[:2], z, 0, -8, 7) | t.fake_quantize_per_channel_affine(b, s, z, 3, -8, 7)
t.fake_quantize_per_channel_affine(b, s, z, 0, 8, 7) | t.fake_quantize_per_channel_affine(b.long(), s, z, 0, -8, 7)
t.fake_quantize_per_channel_affine(b, s.double(), z, 0, -8, 7) | grid_gradient(t, b, s, z)
t.fake_quantize_per_channel_affine(b, s, z + 9, 0, -8, 7) | t.fake_quantize_per_channel_affine(b.half(), s, z, 0, -8, 7)
t.embedding_bag(b, i, i[:2] - i[0]) | t.embedding_bag(b, i, t.tensor([0, 1]), False, 1) | t.nn.utils.rnn.copy_method_params(3)(4)
t.embedding_bag(b, i, t.tensor([0, 2]), False, 2) | t.embedding_bag(b, i, t.tensor([0, 2]), False, 0, False, s)
t.embedding_bag(b, i, t.tensor([0, 1, 3]), False, 2, False, None, True, 1) | t.embedding_bag(b, i, t.tensor([0, 1]), False, 1, False, s)
t.embedding_bag(b, i, t.tensor([0, 1]), False, 0, False, None, False, -1) | class_property(t)
t.autograd.enforce_grad_layout_policy(3) | t.autograd.has_torch_function((b,)) | nested_groups(t)
vars(t.utils.checkpoint.SelectiveCheckpointContext(is_recompute=True))
"""
# Where PyTorch's CPU build breaks inside itself, Lampas says that there is no CUDA.
BROKEN_IN_PYTORCH = "AttributeError KeyError"
ARGUMENTS = ((), (0,), ("cuda",), (0, 0))


def setstate(t):
    x = t.zeros(2)
    x.__setstate__((t.arange(6.0).untyped_storage(), 1, (2,), (2,)))
    return x


def grid_gradient(t, b, s, z):
    x = b.clone().requires_grad_()
    y = t.fake_quantize_per_channel_affine(x, s, z, 0, -8, 7)
    (y * y).sum().backward()
    return y.grad_fn.name(), x.grad


def class_property(t):
    class Named:
        @t.classproperty
        def name(cls):
            return cls.__name__

    return Named.name, Named().name


def nested_groups(t):
    group = t.utils.checkpoint.GraphExecGroup
    with group() as one:
        assert group._get_current_group() is one
        try:
            group().__enter__()
        except RuntimeError as error:
            return str(error).partition("<")[0], group._get_current_group() is one


@pytest.mark.parametrize("case", cases(CASES))
def test_agrees(case):
    import torch.utils.checkpoint  # noqa: F401 (PyTorch does not load it by itself)

    def evaluate(t):
        b = t.linspace(-3, 3, 12).reshape(3, 4)
        s, z = t.tensor([0.1, 0.2, 0.3]), t.tensor([0, 1, 2], dtype=t.int32)
        return eval(case, {**globals(), "t": t, "b": b, "s": s, "z": z, "i": t.tensor([1, 2, 0])})

    agree(evaluate)


def cuda_functions():
    import torch

    found = inspect.getmembers(torch.cuda, inspect.isfunction)
    home = [(name, f) for name, f in found if f.__module__.startswith("torch.")]
    return [name for name, f in home if not name.startswith("_") and f.__module__ != "torch._utils"]


@pytest.mark.parametrize("name", cuda_functions())
def test_cuda_is_absent_as_in_pytorch(name):
    import torch

    if torch.cuda.is_available() or lampas.cuda.is_available():
        pytest.skip("there is CUDA")
    mine, theirs = getattr(lampas.cuda, name), getattr(torch.cuda, name)
    assert [p.name for p in inspect.signature(mine).parameters.values()] == [
        p.name for p in inspect.signature(theirs).parameters.values()
    ]
    for args in ARGUMENTS[:3] if name == "make_graphed_callables" else ARGUMENTS:
        got, expected = (call(function, args) for function in (mine, theirs))
        if expected[0] in BROKEN_IN_PYTORCH.split():
            assert got[0] == "AssertionError" and "not compiled with CUDA" in got[1]
        elif expected[0] != "context":
            assert got == expected, args


def call(function, args):
    try:
        result = function(*args)
    except Exception as error:
        return type(error).__name__, str(error).split("\nhint")[0]
    return ("context", "") if hasattr(result, "__enter__") else ("value", repr(result))


@pytest.mark.parametrize(
    "name", ["Stream", "Event", "CUDAGraph", "MemPool", "FloatStorage", "IntTensor"]
)
def test_cuda_classes_are_absent(name):
    import torch

    if torch.cuda.is_available() or lampas.cuda.is_available():
        pytest.skip("there is CUDA")
    assert call(getattr(lampas.cuda, name), ()) == call(getattr(torch.cuda, name), ())


def test_cuda_contexts_without_a_device_do_nothing():
    with lampas.cuda.device(-1), lampas.cuda.device(None), lampas.cuda.stream(None):
        pass
    with lampas.cuda.device_of(lampas.ones(1)):
        pass
    with pytest.raises(RuntimeError, match="^PyTorch was compiled without CUDA support"):
        lampas.cuda.device(0).__enter__()


@pytest.mark.parametrize(
    "call",
    [
        lambda: lampas.utils.checkpoint.create_selective_checkpoint_contexts(lambda *a: None),
        lambda: lampas.int_repr(lampas.ones(1)),
        lambda: lampas.QInt8Storage(),
        lambda: lampas.ones(1).index((0,), (1,)),
        lambda: setattr(lampas.ones(1), "grad_dtype", lampas.float64),
    ],
)
def test_refuses_by_name(call):
    with pytest.raises(NotImplementedError, match="not available|has the dtype"):
        call()
