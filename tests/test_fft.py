"""Fourier transforms against PyTorch: values, strides, node names, derivatives; and without NumPy."""

import itertools

import numpy
import pytest
import torch
from expressions import check_gradients, check_values

import lampas
from lampas.fft import transform

COMPLEX = ["fft", "ifft", "hfft", "irfft"]
REAL = ["rfft", "ihfft"]
RANDOM = numpy.random.default_rng(0)
ARRAY = RANDOM.standard_normal((3, 4, 5))
WAVES = ARRAY + 1j * RANDOM.standard_normal((3, 4, 5))

AXES = [
    "2, dim=(0, 2)", "2, dim=(2, 0)", "n, dim=1", "n, dim=(1, 0)", "n, s=(2, 7)", "n, norm='ortho'",
    "n, dim=(2, 0, 1), norm='forward'", "2, s=(6, 3), dim=(0, 1)", ", n=6, dim=0", ", dim=1",
]  # fmt: skip
LAYOUTS = ["contiguous", "transposed", "permuted", "strided", "expanded"]


def _call(name, axes):
    """Some results of PyTorch are lazily conjugated: NumPy wants them resolved."""
    suffix, arguments = axes.split(",", 1)
    return f"t.fft.{name}{suffix}(x, {arguments})" + ".resolve_conj()" * name.startswith("i")


CALLS = list(itertools.product(COMPLEX + REAL, AXES))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name, axes", CALLS)
def test_values_and_strides(name, axes, layout):
    lone = axes.startswith(",")  # transforms of one dimension sort an expanded one by its stride 0
    check_values(_call(name, axes), ARRAY, layout, strides=not (lone and layout == "expanded"))
    if name in COMPLEX:
        check_values(_call(name, axes), WAVES, layout)


@pytest.mark.parametrize("name, axes", CALLS)
def test_gradients(name, axes):
    real = name in ("hfft", "irfft")
    case = _call(name, axes) if real else f"t.view_as_real({_call(name, axes)}.resolve_conj())"
    check_gradients(case, ARRAY, names=real)


@pytest.mark.parametrize("name", COMPLEX + REAL)
def test_names(name):
    x = ARRAY if name in REAL else WAVES
    mine = getattr(lampas.fft, name)(lampas.from_numpy(x).requires_grad_())
    theirs = getattr(torch.fft, name)(torch.from_numpy(x).requires_grad_())
    if name != "ihfft":  # conj() is lazy in PyTorch
        assert mine.grad_fn.name() == theirs.grad_fn.name()


@pytest.mark.parametrize("name, axes", CALLS)
def test_without_numpy(name, axes, monkeypatch):
    monkeypatch.setattr(transform, "_numpy", lambda: None)
    check_values(_call(name, axes), ARRAY, "transposed")


ERRORS = [
    "t.fft.fft(x, dim=3)",
    "t.fft.fft(x, n=0)",
    "t.fft.fftn(x, dim=(0, 0))",
    "t.fft.fftn(x, s=(2, 2), dim=(0,))",
    "t.fft.fftn(x, s=(1, 2, 3, 4))",
    "t.fft.rfftn(x, dim=())",
    "t.fft.fft(x, norm='other')",
    "t.fft.rfft(x + 0j)",
    "t.fft.fft(x.half())",
]


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    texts = []
    for module in (torch, lampas):
        with pytest.raises(Exception) as caught:
            eval(case, {"t": module, "x": module.from_numpy(ARRAY)})
        texts.append((type(caught.value).__name__, str(caught.value).split("\nhint:")[0]))
    assert texts[0] == texts[1]
