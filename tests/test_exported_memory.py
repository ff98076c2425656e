"""Memory that another library looks at stays where it is; odd bytes in it do no harm."""

import numpy as np
import pytest

import lampas


def test_bools_of_any_byte():
    mask = lampas.frombuffer(bytearray(b"\xff" * 8 + b"\x00" * 8), dtype=lampas.bool)
    assert mask.nonzero().tolist() == [[i] for i in range(8)]
    assert lampas.arange(16)[mask].tolist() == list(range(8))
    assert lampas.arange(16).masked_select(mask).tolist() == list(range(8))


VIEWS = {
    "memoryview": memoryview,
    "numpy": lambda x: x.numpy(),
    "storage": lambda x: memoryview(x.untyped_storage()),
    "dlpack": lambda x: np.from_dlpack(x),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_viewed_tensor_cannot_be_resized(name):
    x = lampas.ones(4)
    view = VIEWS[name](x)
    with pytest.raises(RuntimeError, match="not resizable"):
        x.resize_(1 << 20)
    del view
    assert x.resize_(1 << 20).numel() == 1 << 20


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_outlives_the_tensor_and_its_storage(name):
    x = lampas.full((1 << 16,), 7.0)
    view = VIEWS[name](x)
    x.set_(lampas.zeros(1))
    del x
    lampas.zeros(1 << 16)
    assert np.frombuffer(view, dtype=np.float32).min() == 7.0
