"""`Tensor(...)`, `FloatTensor(...)`, `x.new(...)` and `Variable(...)` against PyTorch."""

import numpy as np
import pytest
from agreement import agree

import lampas

ARGUMENTS = """
() | ([]) | ([[]]) | (()) | ((2, 3)) | ([1, 2.5]) | ([[1, 2], [3, 4]]) | (range(3)) | ([True]) | (1.5) | (True)
(None) | ('a') | (b'ab') | ({1: 2}) | ({1, 2}) | (iter([1])) | (np.float32(3)) | (np.array(3.)) | (np.array([]))
(np.array([1, 2])) | (np.ones((2, 2))[::-1]) | (np.ones(2) > 0) | (np.array(['a'])) | ([np.float64(1)])
(t.ones(2)) | (t.ones(2).long()) | (t.ones(2).double()) | (t.tensor(3)) | ([t.tensor(1), t.tensor(2)])
(-1) | (2, -1) | ([2], 3) | (2, [3]) | (2., 3) | (2, 2.5) | ('a', 2) | (2, 'a') | (None, 2) | (t.ones(1), 2)
(True, 2) | (t.Size([2]), 3) | ((1, 2), 3) | ([1.], dtype=t.float) | (foo=1) | (other=3) | (storage=3) | ([1], data=2) | (size=2) | (2, foo=1) | (data=[1]) | (size=(0, 2))
(other=t.ones(2)) | ([1.], device='cpu') | ([1.], device='meta') | (device='cuda') | ([[1], [1, 2]])
"""
KINDS = ["t.Tensor", "t.FloatTensor", "t.LongTensor", "t.ones(1).new", "t.ones(1).int().new"]


def evaluate(expression, **names):
    return agree(lambda module: eval(expression, {"t": module, "np": np, **names}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arguments", ARGUMENTS.replace("\n", " | ").strip(" |").split(" | "))
def test_arguments(kind, arguments):
    evaluate(kind + arguments)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "size",
    [
        "3",
        "2, 3",
        "0",
        "2, 0",
        "np.int64(3)",
        "t.Size([2, 1])",
        "t.tensor(2), t.tensor(1)",
        "2, True",
    ],
)
def test_sizes_give_uninitialised_tensors(kind, size):
    evaluate(f"(lambda x: (x.shape, x.dtype))({kind}({size}))")


def test_a_tensor_gives_an_alias_with_its_history():
    for kind in ("t.Tensor", "t.FloatTensor", "t.ones(1).new"):
        leaf = f"{kind}(t.ones(2, requires_grad=True))"
        evaluate(f"type({leaf}.grad_fn).__name__")
        evaluate(
            f"(lambda x: ({kind}(x).data_ptr() == x.data_ptr(), {kind}(x)._is_view()))(t.ones(2))"
        )


def test_a_storage_gives_its_elements():
    evaluate("t.FloatTensor(t.tensor([1., 2.]).untyped_storage())")
    evaluate("t.IntTensor(t.tensor([1., 2.]).untyped_storage())")


@pytest.mark.parametrize("name", "Float Double Half BFloat16 Byte Char Short Int Long Bool".split())
def test_types(name):
    kind = f"t.{name}Tensor"
    evaluate(f"{kind}([1, 0])")
    evaluate(
        f"({kind}.dtype, {kind}.layout, {kind}.is_cuda, {kind}.is_sparse, {kind}.__name__, repr({kind}))"
    )
    evaluate(
        f"(isinstance({kind}([1]), {kind}), isinstance(t.zeros(1, dtype=t.complex64), {kind}))"
    )
    evaluate(f"{kind}.abs(t.tensor([-1.]))")
    # A size is whatever was in memory: only that it can be read.
    assert getattr(lampas, f"{name}Tensor")(2).tolist() is not None


def test_subclasses_are_made_by_the_same_rules():
    def made(module):
        class Named(module.Tensor):
            pass

        class WithName(module.Tensor):
            def __new__(cls, data, title):
                self = super().__new__(cls, data)
                self.title = title
                return self

        plain, named = Named([1, 2]), WithName([3.0], "three")
        kinds = [type(x).__name__ for x in (plain, named, Named(), Named(module.ones(2).long()))]
        return plain.tolist(), named.title, kinds, Named(module.ones(2).long()).dtype

    agree(made)


def test_default_tensor_type():
    for name in (
        "torch.DoubleTensor",
        "torch.LongTensor",
        "FloatTensor",
        "torch.Foo",
        "torch.Tensor",
        "",
        3,
        None,
    ):
        agree(lambda module: quietly(module, module.set_default_tensor_type, name))
    agree(lambda module: quietly(module, module.set_default_tensor_type, module.HalfTensor))
    agree(lambda module: quietly(module, module.set_default_tensor_type, module.float32))
    agree(lambda module: quietly(module, module.set_default_tensor_type, "torch.cuda.FloatTensor"))


def quietly(module, function, value):
    """The default type afterwards; the warning comes once in a process, with PyTorch's file in it."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function(value)
            return module.get_default_dtype()
        finally:
            module.set_default_dtype(module.float32)


VARIABLES = """
() | (None) | ([1.]) | (3.) | (1) | ('a') | (t.Size([2])) | (t.ones(2)) | (t.ones(2), True) | (data=t.ones(1))
(t.ones(2), volatile=True) | (t.ones(2), False, False) | (t.ones(2).long(), requires_grad=True)
(t.ones(2, requires_grad=True) * 2) | (t.ones(1), requires_grad=None) | (t.ones(1), requires_grad=1)
"""


@pytest.mark.parametrize("arguments", VARIABLES.replace("\n", " | ").strip(" |").split(" | "))
def test_variable(arguments):
    evaluate(f"(lambda v: (v, v.requires_grad, v.grad_fn))(t.autograd.Variable{arguments})")
