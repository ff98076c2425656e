"""Kernels of the GPU, emulated on the host, beside the CPU's kernels of the same rows.

Every row and every derivative, contiguous and strided, with special values. The formulas are one text
on both sides, so what is tested is what surrounds it: loads and stores, vectors and their remainder,
offsets, numbers, and the functions that devices have of their own (complex ones).
"""

import ctypes
import shutil

import numpy as np
import pytest
from emulation import RANK, Arguments, build, launch, number
from row_inputs import RANGES

import lampas
from lampas import _core

ROWS = {row["name"]: row for row in _core._rows()}
DTYPES = [
    *("bool", "uint8", "int64", "float32", "complex64"),
    *(pytest.param(name, marks=pytest.mark.full) for name in ("int32", "float64", "complex128")),
]
LAYOUTS = ("contiguous", "strided")
PARAMETERS = (0.5, 2.0, -3.0, 4.0)
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -2.0, 1e-40, 100.0, -700.0]
# Where C libraries differ: the sign and the payload of what is not finite in complex numbers.
TOLERANCE = {"float32": 3e-5, "float64": 1e-12, "complex64": 1e-4, "complex128": 1e-11}


@pytest.fixture(scope="module", params=DTYPES)
def library(request, tmp_path_factory):
    if not shutil.which("c++"):
        pytest.skip("no C++ compiler")
    dtype = getattr(lampas, request.param)
    keys = [(*row, dtype, layout) for layout in LAYOUTS for row in _core._cuda_rows(dtype)]
    text, kernels = _core._cuda_program(keys)
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, build(folder, text, "rows"), list(zip(keys, kernels))


def draw(generator, row, dtype, shape, special):
    low, high = RANGES[row["domain"]]
    x = generator.uniform(low, high, shape)
    if dtype.kind == "c":
        return (x + 1j * generator.uniform(-1, 1, shape)).astype(dtype)
    if dtype.kind == "f" and special:
        places = generator.integers(0, 2, shape) == 0
        x = np.where(places, generator.choice(SPECIAL, shape), x)
    if dtype.kind in "iu":
        x = np.maximum(np.abs(x).round(), 1) if low > 0 or dtype.kind == "u" else x.round()
        if dtype.kind == "i" and row["domain"] == "any" and special:
            info = np.iinfo(dtype)
            return generator.choice([info.min, info.max, -1, 0, 1, 7], shape).astype(dtype)
    if dtype.kind == "b":
        return x > 0
    return x.astype(dtype)


def element_types(row, which, operands, dtype):
    """NumPy types of the result and of the operands."""
    kinds = [
        np.dtype(bool) if row["name"] == "where" and name == "a" else dtype for name in operands
    ]
    compares = row["name"] in COMPARES and which < 0
    real = dtype.kind == "c" and row["types"] & 32 and which < 0
    narrow = np.dtype("f4" if dtype.itemsize == 8 else "f8")
    return (np.dtype(bool) if compares else narrow if real else dtype), kinds


COMPARES = """signbit isnan isinf isfinite isposinf isneginf eq ne lt le gt ge logical_not logical_and
logical_or logical_xor""".split()


def reference(row, which, dtype, given, names, result, params):
    inputs = "x" if row["inputs"] == 1 else "abc"[: row["inputs"]]
    order = inputs if which < 0 else "g" + inputs + "y"
    by_name = dict(zip(names, given))
    flat = {name: np.ascontiguousarray(x).reshape(-1) for name, x in by_name.items()}
    out = np.zeros(result[1], result[0])
    addresses = [out.ctypes.data] + [flat[n].ctypes.data if n in flat else 0 for n in order]
    _core._cpu_tile(row["name"], which, getattr(lampas, dtype), addresses, params, out.size)
    return out


def arguments_of(out, given, params, shape):
    a = Arguments(n=out.size, rank=len(shape))
    for i, x in enumerate([out, *given]):
        a.data[i] = x.ctypes.data
        for d in range(len(shape)):
            a.strides[i][d] = x.strides[len(shape) - 1 - d]
    for d in range(len(shape)):
        a.sizes[d] = shape[len(shape) - 1 - d]
    for i, p in enumerate(params):
        a.params[i] = number(p)
    return a


def arranged(x, layout, place):
    """The same values: transposed, with gaps, or broadcast along a dimension."""
    if layout == "contiguous":
        return x
    if place % 3 == 0:
        return np.asfortranarray(x)
    if place % 3 == 1:
        wide = np.zeros((x.shape[0] * 2, x.shape[1] * 3), x.dtype)
        wide[::2, ::3] = x
        return wide[::2, ::3]
    return np.broadcast_to(x[:1], x.shape)


def compare(ours, theirs, dtype, label):
    if ours.dtype.kind in "biu":
        np.testing.assert_array_equal(ours, theirs, err_msg=label)
        return
    scale = TOLERANCE[dtype]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(ours, theirs, rtol=scale, atol=scale, err_msg=label)


@pytest.mark.parametrize("special", [False, True])
def test_values(library, special):
    dtype, kernels, entries = library
    kind = np.dtype(dtype)
    if special and kind.kind in "cb":
        pytest.skip("complex functions at infinity are the C library's on the CPU")
    tried = 0
    for (name, which, _, layout), (kernel, operands, width) in entries:
        row, generator = ROWS[name], np.random.default_rng(tried)
        shape = (5, 7) if layout == "strided" else (4 * width + 3,)
        result, kinds = element_types(row, which, operands, kind)
        given = [
            arranged(draw(generator, row, k, shape, special), layout, place)
            for place, k in enumerate(kinds)
        ]
        params = list(PARAMETERS[: row["params"]])
        out = arranged(np.zeros(shape, result), layout, 0)
        launch(getattr(kernels, kernel), arguments_of(out, given, params, shape), 2, 3)
        expected = reference(row, which, dtype, given, operands, (result, out.size), params)
        compare(np.ascontiguousarray(out).reshape(-1), expected, dtype, kernel)
        tried += 1
    assert tried == 2 * len(_core._cuda_rows(getattr(lampas, dtype)))


def test_no_element_beyond_the_last_is_written(library):
    dtype, kernels, entries = library
    (_, (kernel, operands, width)) = next(e for e in entries if e[0][3] == "contiguous")
    kind = np.dtype(dtype)
    for n in range(3 * width + 1):
        memory = np.ones(3 * width + 8, kind)
        given = [np.ones(3 * width + 8, kind) for _ in operands]
        a = arguments_of(memory[:n], [x[:n] for x in given], [1.0], (n,))
        memory[:] = 0
        launch(getattr(kernels, kernel), a, 2, 3)
        assert (memory[n:] == 0).all() and (memory[:n] != 0).all()


def test_ranks(library):
    """From a single element to as many dimensions as a kernel takes."""
    dtype, kernels, entries = library
    (key, (kernel, operands, _)) = next(e for e in entries if e[0][3] == "strided")
    for rank in range(RANK + 1):
        shape = tuple(2 if d % 3 == 0 else 1 for d in range(rank))
        given = [np.ones(shape, np.dtype(dtype)) for _ in operands]
        out = np.zeros(shape, np.dtype(dtype))
        launch(getattr(kernels, kernel), arguments_of(out, given, [1.0], shape), 1, 4)
        assert (out != 0).all(), (key, rank)


def test_arguments_agree_with_the_text():
    text = _core._cuda_headers()["cuda/device/pointwise.h"]
    assert "kOperands = 6, kParams = 6, kRank = 12;" in text
    assert ctypes.sizeof(Arguments) == 6 * 8 + 12 * 24 + 8 + 12 * 8 + 6 * 12 * 8 + 8


def test_complex_functions_at_the_edges(tmp_path):
    """The functions that devices have of their own, beside the C library's: branch cuts with either
    sign of zero, the ends of the range, arguments whose squares vanish or overflow."""
    names = """exp log sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh log1p expm1 log2
    log10 exp2""".split()
    text, kernels = _core._cuda_program([(n, -1, lampas.complex128, "contiguous") for n in names])
    library = build(tmp_path, text, "functions")
    parts = [0.0, -0.0, 1, -1, 0.5, -2, 1e-10, 1e10, 1e200, -1e200, 1e-300, 710, -800, np.pi / 2]
    z = np.array([complex(re, im) for re in parts for im in parts])
    for name, (kernel, _, _) in zip(names, kernels):
        ours, theirs = np.zeros_like(z), np.zeros_like(z)
        launch(getattr(library, kernel), arguments_of(ours, [z], [], z.shape), 2, 64)
        addresses = [theirs.ctypes.data, z.ctypes.data]
        _core._cpu_tile(name, -1, lampas.complex128, addresses, [], z.size)
        for x, y, expected in zip(z, ours, theirs):
            for a, b in ((y.real, expected.real), (y.imag, expected.imag)):
                close = a == b or abs(a - b) <= 1e-11 * max(abs(b), 1e-12) or a != a and b != b
                signs = b != 0 or np.signbit(a) == np.signbit(b)
                assert close and signs, (name, x, y, expected)
