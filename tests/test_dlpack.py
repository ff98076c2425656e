"""Memory shared with other libraries through DLPack, beside PyTorch and NumPy."""

import gc

import numpy as np
import pytest
import torch

import lampas

DTYPES = [
    "bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16",
    "bfloat16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_to_and_from_torch(dtype):
    theirs = torch.tensor([[0, 1, 1], [1, 0, 1]]).to(getattr(torch, dtype))
    ours = lampas.from_dlpack(theirs.t())
    assert ours.dtype is getattr(lampas, dtype)
    assert ours.data_ptr() == theirs.data_ptr() and ours.stride() == theirs.t().stride()
    back = torch.from_dlpack(ours)
    assert torch.equal(back, theirs.t()) and back.data_ptr() == theirs.data_ptr()


def test_writes_are_seen_on_both_sides():
    array = np.arange(6.0).reshape(2, 3)
    tensor = lampas.from_dlpack(array)
    tensor[0, 1] = 10
    array[1, 2] = 20
    assert array[0, 1] == 10 and tensor[1, 2] == 20
    view = np.from_dlpack(lampas.arange(12).reshape(3, 4)[:, ::2])
    assert view.tolist() == [[0, 2], [4, 6], [8, 10]]


def test_memory_outlives_its_maker():
    tensor = lampas.from_dlpack(np.arange(1000))
    array = np.from_dlpack(lampas.arange(1000))
    gc.collect()
    assert int(tensor.sum()) == int(array.sum()) == 499500


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3)])
def test_empty_and_scalar(shape):
    back = torch.from_dlpack(lampas.zeros(shape))
    assert tuple(back.shape) == shape
    assert tuple(lampas.from_dlpack(torch.zeros(shape)).shape) == shape


REFUSED = {
    "grad": lambda m: m.ones(2, requires_grad=True).__dlpack__(),
    "meta": lambda m: m.ones(2, device="meta").__dlpack__(),
    "stream": lambda m: m.ones(2).__dlpack__(stream=3),
    "stream type": lambda m: m.ones(2).__dlpack__(stream="x"),
    "not a capsule": lambda m: m.from_dlpack(3),
    "meta device": lambda m: m.ones(2, device="meta").__dlpack_device__(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_in_torch(name):
    texts = []
    for module in (torch, lampas):
        with pytest.raises(Exception) as caught:
            REFUSED[name](module)
        texts.append((type(caught.value), str(caught.value)))
    assert texts[0] == texts[1]


def test_a_capsule_is_consumed_once():
    capsule = lampas.arange(3).__dlpack__()
    assert lampas.from_dlpack(capsule).tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError, match="consumed only once"):
        lampas.from_dlpack(capsule)


def test_negative_strides_raise():  # PyTorch aborts the process here
    with pytest.raises(BufferError, match="negative strides"):
        lampas.from_dlpack(np.arange(3)[::-1])


def test_copies():
    array = np.arange(3)
    copied = lampas.from_dlpack(array, copy=True)
    copied[0] = 7
    assert array[0] == 0
    x = lampas.arange(3)
    assert np.from_dlpack(x, copy=True).tolist() == [0, 1, 2]
