"""Storages, with and without an element type, against PyTorch."""

import copy
import warnings

import pytest
import torch
from agreement import agree

import lampas

with warnings.catch_warnings():  # both say once that typed storages go
    warnings.simplefilter("ignore")
    torch.ones(1).storage(), lampas.ones(1).storage()

SNIPPETS = """
x.storage()
len(s), s.size(), s.nbytes(), s.element_size(), s.dtype, s.device, s.is_cuda, s.is_shared(), bool(s)
s[1], s[-1], list(s), s.tolist(), sum(s)
s[1:3]
s[9]
s.type(), s.pickle_storage_type(), s.double(), s.int().dtype
s.data_ptr() == x.data_ptr(), s.clone().data_ptr() == x.data_ptr(), s.cpu() is s, s == x.storage()
s.fill_(2), x
s.__setitem__(0, 5.), x
copy.copy(s), copy.deepcopy(s)
t.FloatStorage(3).size(), t.FloatStorage([1, 2, 3]), t.DoubleStorage(), t.BoolStorage([True, False])
t.FloatStorage([1, 2]).copy_(t.IntStorage([3, 4]))
t.FloatStorage("a")
t.TypedStorage([1, 2], dtype=t.int32), t.TypedStorage(dtype=t.int16), t.Storage(2).dtype
t.TypedStorage(wrap_storage=x.untyped_storage(), dtype=t.float32)
isinstance(s, t.FloatStorage), isinstance(s, t.DoubleStorage), t.is_storage(s), t.FloatStorage, x.storage_type()
t.empty(0).set_(s), t.tensor(s), t.tensor([1j]).storage(), t.FloatStorage.dtype
t.empty(0).set_(t.IntStorage([1]))
t.empty(0).set_("a")
t.empty(0).set_(3)
u, len(u), u[0], u[-3], u[1:3], list(u), u.tolist(), u.element_size(), u.device, bool(u), u.type()
u[30]
u.clone().data_ptr() == u.data_ptr(), u.cpu() is u, u.untyped() is u, u.is_pinned(), u.resizable(), u.filename
t.zeros(2, dtype=t.uint8).untyped_storage().fill_(3), t.zeros(24, dtype=t.uint8).untyped_storage().copy_(u)
u.__setitem__(2, 7), x
"""


@pytest.mark.parametrize("snippet", SNIPPETS.strip().splitlines())
def test_agrees(snippet):
    def run(module):
        x = module.arange(6.0).reshape(2, 3)
        names = {"t": module, "x": x, "s": x.storage(), "u": x.untyped_storage(), "copy": copy}
        return shown(eval(snippet, names))

    def shown(value):
        if isinstance(value, tuple):
            return tuple(map(shown, value))
        return value if isinstance(value, (torch.Tensor, lampas.Tensor)) else repr(value)

    agree(run)


def test_warns_once(python):
    source = (
        "import warnings, {0} as t\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    t.ones(1).storage(); t.ones(1).storage(); t.FloatStorage(2)\n"
        "print([(w.category.__name__, str(w.message)) for w in caught])"
    )
    assert python(source.format("lampas")) == python(source.format("torch"))
