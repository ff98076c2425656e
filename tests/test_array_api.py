"""`Tensor.__array_namespace__` against the array API standard, version 2024.12.

Names are the published ones; signatures and values are compared with `array_api_strict`, NumPy held to
the letter of the standard.
"""

import inspect

import numpy
import pytest
from expressions import cases

import lampas

strict = pytest.importorskip("array_api_strict")
strict.set_array_api_strict_flags(api_version="2024.12")

NAMES = """
arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like tril triu zeros
zeros_like astype can_cast finfo iinfo isdtype result_type abs acos acosh add asin asinh atan atan2 atanh
bitwise_and bitwise_left_shift bitwise_invert bitwise_or bitwise_right_shift bitwise_xor ceil clip conj copysign
cos cosh divide equal exp expm1 floor floor_divide greater greater_equal hypot imag isfinite isinf isnan less
less_equal log log1p log2 log10 logaddexp logical_and logical_not logical_or logical_xor maximum minimum
multiply negative nextafter not_equal positive pow real reciprocal remainder round sign signbit sin sinh square
sqrt subtract tan tanh trunc take take_along_axis __array_namespace_info__ matmul matrix_transpose tensordot
vecdot broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape roll squeeze
stack tile unstack argmax argmin count_nonzero nonzero searchsorted where unique_all unique_counts
unique_inverse unique_values argsort sort cumulative_prod cumulative_sum max mean min prod std sum var all any
diff e inf nan newaxis pi bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64
complex128
""".split()
LINALG = """
cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank matrix_transpose outer
pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm
""".split()
FFT = "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift".split()
INTEGERS = (
    "int8 int16 int32 int64 uint8 uint16 uint32".split()
)  # uint64: few operators, as in PyTorch
REALS = "float32 float64".split()
COMPLEX = "complex64 complex128".split()

# x (2, 3), y (2, 3), v (3,), m (2, 2), z (): every case runs for every dtype of its kinds.
VALUES = {
    ("bool", *INTEGERS, *REALS, *COMPLEX): """
        xp.flip(x) | xp.flip(x, axis=1) | xp.roll(x, 1) | xp.roll(x, 1, axis=(0, 1)) | xp.roll(x, (1, 2), axis=(0, 1))
        xp.concat([x, y], axis=1) | xp.concat([x, y], axis=None) | xp.stack([x, y], axis=-1) | xp.permute_dims(x, (1, 0))
        xp.expand_dims(x, axis=1) | xp.squeeze(xp.expand_dims(x, axis=0), 0) | xp.reshape(x, (3, -1)) | xp.tile(x, (2, 1))
        xp.repeat(x, 2) | xp.repeat(x, 2, axis=1) | xp.unstack(x, axis=1) | xp.moveaxis(x, 0, 1) | xp.matrix_transpose(x)
        xp.take(x, xp.asarray([2, 0]), axis=1) | xp.take(v, xp.asarray([2, 0])) | xp.broadcast_to(v, (2, 3))
        xp.broadcast_arrays(x, v) | xp.where(x == y, x, y) | xp.equal(x, y) | xp.not_equal(x, v) | xp.nonzero(x)
        xp.any(x) | xp.all(x, axis=0) | xp.any(x, axis=(0, 1), keepdims=True) | xp.all(x, axis=()) | xp.count_nonzero(x)
        xp.count_nonzero(x, axis=1, keepdims=True) | xp.zeros_like(x) | xp.full_like(x, True) | xp.ones_like(x)
        xp.tril(x, k=1) | xp.triu(x) | xp.eye(3, 4, k=1, dtype=x.dtype) | xp.astype(x, x.dtype) | xp.asarray(x, copy=True)
        xp.meshgrid(v, v) | xp.meshgrid(v, v, indexing="ij") | xp.take_along_axis(x, xp.asarray([[1], [0]]), axis=1)
        xp.linalg.diagonal(m, offset=1) | xp.full((2,), 1, dtype=x.dtype)
    """,
    ("bool", *INTEGERS, *REALS): """
        xp.unique_all(w)
        xp.unique_counts(w) | xp.unique_inverse(w) | xp.unique_values(x)
    """,
    (*INTEGERS, *REALS): """
        xp.argmax(x) | xp.argmin(x, axis=1, keepdims=True) | xp.argmax(x, keepdims=True)
        xp.sort(x) | xp.sort(x, axis=0, descending=True) | xp.argsort(x) | xp.argsort(x, axis=0, descending=True)
        xp.max(x) | xp.min(x, axis=1) | xp.max(x, axis=(0, 1), keepdims=True) | xp.floor(x) | xp.round(x)
        xp.ceil(x) | xp.trunc(x) | xp.less(x, y) | xp.greater_equal(x, y) | xp.maximum(x, y) | xp.minimum(x, 2) | xp.clip(x, 1, 2)
        xp.clip(x, min=v) | xp.clip(x, max=2) | xp.floor_divide(x, k) | xp.remainder(x, k) | xp.searchsorted(xp.sort(v), x)
        xp.searchsorted(xp.sort(v), v, side="right")
    """,
    (*INTEGERS, *REALS, *COMPLEX): """
        xp.sum(x) | xp.sum(x, axis=0) | xp.sum(x, axis=(0, 1), keepdims=True) | xp.sum(x, axis=()) | xp.prod(x, axis=1)
        xp.sum(x, dtype=x.dtype) | xp.prod(x, axis=(0, 1)) | xp.cumulative_sum(x, axis=1) | xp.cumulative_sum(v, include_initial=True)
        xp.cumulative_prod(v) | xp.add(x, y) | xp.add(x, 1) | xp.subtract(x, v) | xp.multiply(x, z) | xp.multiply(2, x)
        xp.square(x) | xp.positive(x) | xp.abs(x) | xp.sign(x) | xp.pow(x, 2) | xp.matmul(x, v) | xp.vecdot(x, y) | xp.vecdot(x, v, axis=-1)
        xp.tensordot(x, y, axes=2) | xp.tensordot(x, y, axes=((1,), (1,))) | xp.linalg.trace(m) | xp.linalg.outer(v, v)
        xp.diff(x) | xp.diff(v, n=2) | xp.diff(x, axis=0, prepend=y) | xp.linalg.cross(v, v + v)
        xp.add(x, z) | xp.conj(x) | xp.isfinite(x) | xp.isnan(x) | xp.isinf(x)
    """,
    ("bool", *INTEGERS): "xp.bitwise_and(x, y) | xp.bitwise_or(x, y) | xp.bitwise_xor(x, v) | xp.bitwise_invert(x)",
    ("bool",): "xp.logical_and(x, y) | xp.logical_or(x, v) | xp.logical_xor(x, True) | xp.logical_not(x)",
    (*INTEGERS,): "xp.bitwise_left_shift(x, k) | xp.bitwise_right_shift(x, 1)",
    (*REALS,): """
        xp.mean(x) | xp.var(x, axis=1, correction=1) | xp.std(x, keepdims=True) | xp.var(x, axis=(0, 1)) | xp.acosh(x + 2)
        xp.var(x, axis=()) | xp.atan2(x, y) | xp.hypot(x, y) | xp.copysign(x, -y) | xp.nextafter(x, y) | xp.signbit(-x)
        xp.logaddexp(x, y) | xp.round(x / 2) | xp.linspace(0, 1, 5, dtype=x.dtype, endpoint=False) | xp.linspace(0, 1, 5, dtype=x.dtype)
        xp.fft.rfft(x) | xp.fft.rfftn(x, axes=(0,)) | xp.fft.ihfft(v, norm="ortho") | xp.argmax(x / 0) | xp.unique_values(v / 0 - v / 0)
    """,
    (*REALS, *COMPLEX): """
        xp.mean(x, axis=0) | xp.sqrt(x) | xp.exp(x) | xp.log(x + 1) | xp.log1p(x) | xp.expm1(x) | xp.log2(x + 1) | xp.log10(x + 1)
        xp.sin(x) | xp.cos(x) | xp.tan(x) | xp.sinh(x) | xp.cosh(x) | xp.tanh(x) | xp.atan(x / 9) | xp.asinh(x) | xp.acos(x / 9)
        xp.asin(x / 9) | xp.atanh(x / 9) | xp.reciprocal(x + 1) | xp.divide(x, 2.0) | xp.real(x) | xp.pow(x, y)
        xp.linalg.det(m) | xp.linalg.matrix_power(m, 2) | xp.linalg.inv(m) | xp.linalg.solve(m, m[0, :]) | xp.linalg.solve(xp.stack([m, m]), m) | xp.linalg.slogdet(m)
        xp.linalg.svdvals(m) | xp.linalg.matrix_norm(m) | xp.linalg.matrix_norm(m, ord="nuc", keepdims=True)
        xp.linalg.vector_norm(x) | xp.linalg.vector_norm(x, axis=1, ord=1) | xp.linalg.matrix_rank(m) | xp.linalg.pinv(x)
        xp.linalg.cholesky(m @ xp.conj(m.T)) | xp.linalg.cholesky(m @ xp.conj(m.T), upper=True) | xp.linalg.eigvalsh(m @ xp.conj(m.T))
        xp.linalg.svd(x).S | xp.linalg.svd(x, full_matrices=False).Vh.shape | xp.linalg.eigh(m @ xp.conj(m.T)).eigenvalues
        xp.linalg.qr(xp.matrix_transpose(x), mode="complete").R.shape
    """,
    (*COMPLEX,): """
        xp.imag(x) | xp.fft.fft(x, n=4) | xp.fft.ifft(x, axis=0) | xp.fft.fftn(x, norm="ortho") | xp.fft.irfft(x) | xp.fft.hfft(x)
        xp.fft.fftshift(x) | xp.fft.ifftshift(x, axes=1) | xp.fft.irfftn(x) | xp.fft.ifftn(x)
    """,
}  # fmt: skip
PLAIN = """
xp.arange(5) | xp.arange(1, 4, 2) | xp.arange(5.0) | xp.arange(3, 1) | xp.zeros((2, 1)) | xp.ones(3, dtype=xp.int8) | xp.full((2,), True)
xp.asarray([1, 2]) | xp.asarray([[1.0]]) | xp.asarray(True) | xp.asarray([1, 2.5], dtype=xp.float64) | xp.asarray(1j) | xp.full((), 3)
xp.fft.fftfreq(5, d=0.5) | xp.fft.rfftfreq(4) | xp.isdtype(xp.int8, "integral") | xp.isdtype(xp.bool, "numeric")
xp.isdtype(xp.float32, ("bool", xp.float32)) | xp.isdtype(xp.complex64, "complex floating") | xp.isdtype(xp.uint8, "unsigned integer")
xp.iinfo(xp.int16).max | xp.finfo(xp.float32).eps | xp.finfo(xp.complex128).bits | xp.finfo(xp.complex64).dtype == xp.float32
xp.reshape(xp.arange(4), (2, 2), copy=True) | xp.eye(2) | xp.eye(2, 3, k=-1) | xp.squeeze(xp.zeros((1, 2, 1)), (0, 2))
sorted(xp.__array_namespace_info__().dtypes()) | sorted(xp.__array_namespace_info__().dtypes(kind=("bool", "real floating")))
sorted(xp.__array_namespace_info__().default_dtypes()) | sorted(xp.__array_namespace_info__().capabilities())
xp.result_type(xp.int8, xp.uint16) == xp.int32 | xp.result_type(xp.float32, 1) == xp.float32 | xp.result_type(xp.float32, 1j) == xp.complex64
""".replace("\n", " | ").strip(" |")
REFUSED = """
xp.isdtype(xp.int8, "int") | xp.result_type(xp.int64, xp.uint64) | xp.result_type(xp.int8, xp.float32) | xp.result_type(xp.bool, 1)
xp.astype(xp.asarray(1j), xp.float32) | xp.squeeze(xp.zeros((2, 1)), 0) | xp.expand_dims(xp.zeros(2), axis=3)
xp.take(xp.zeros((2, 2)), xp.asarray([0])) | xp.nonzero(xp.asarray(1)) | xp.cumulative_sum(xp.zeros((2, 2)))
xp.vecdot(xp.zeros(3), xp.zeros(1)) | xp.matrix_transpose(xp.zeros(2)) | xp.result_type(1, 2)
xp.zeros(2).__array_namespace__(api_version="1999.01") | xp.concat([xp.zeros(()), xp.zeros(())])
"""  # fmt: skip


@pytest.fixture(scope="module")
def xp():
    return lampas.ones(1).__array_namespace__(api_version="2024.12")


def test_every_name_is_there(xp):
    missing = [name for name in NAMES if not hasattr(xp, name)]
    missing += [name for name in LINALG if not hasattr(xp.linalg, name)]
    missing += [name for name in FFT if not hasattr(xp.fft, name)]
    assert not missing


def functions():
    for space, names in (("", NAMES), ("linalg", LINALG), ("fft", FFT)):
        theirs = getattr(strict, space) if space else strict
        for name in names:
            # expand_dims: array_api_strict has the signature of the next version already.
            if inspect.isfunction(getattr(theirs, name, None)) and name != "expand_dims":
                yield space, name


@pytest.mark.parametrize("space, name", list(functions()))
def test_signature(xp, space, name):
    mine, theirs = (getattr(x, space) if space else x for x in (xp, strict))
    mine, theirs = inspect.signature(getattr(mine, name)), inspect.signature(getattr(theirs, name))
    for one in mine.parameters.values():
        other = theirs.parameters[one.name]
        assert one.kind == other.kind, one.name
        assert "UNDEF" in repr(other.default) or one.default == other.default, one.name
    assert list(mine.parameters) == list(theirs.parameters)


def operands(xp, dtype):
    """The same small arrays in any namespace."""
    kind = numpy.dtype(dtype).kind
    base = {
        "x": [[3, 1, 2], [0, 5, 4]], "y": [[1, 1, 4], [2, 0, 3]], "v": [2, 0, 3], "m": [[2, 1], [1, 3]], "z": 2,
        "k": [[1, 2, 3], [3, 2, 1]], "w": [[3, 1, 3], [1, 0, 3]],
    }  # fmt: skip
    made = {}
    for name, value in base.items():
        array = numpy.asarray(value)
        array = array > 1 if kind == "b" else array + 1j * (array % 3) if kind == "c" else array
        made[name] = xp.asarray(array.astype(dtype).tolist(), dtype=getattr(xp, dtype))
    return made


def plain(value):
    """Comparable: (dtype, array), entry by entry in a tuple."""
    if isinstance(value, (tuple, list)) and not isinstance(value, lampas.Size):
        return [plain(one) for one in value]
    if isinstance(value, lampas.Tensor):
        value = value.numpy(force=True)
    return numpy.asarray(value) if not isinstance(value, str) else value


def same(got, expected, tolerance):
    if isinstance(expected, list):
        assert len(got) == len(expected)
        for pair in zip(got, expected):
            same(*pair, tolerance)
        return
    if isinstance(expected, str):
        assert got == expected
        return
    assert got.shape == expected.shape and got.dtype == expected.dtype
    if expected.dtype.kind in "fc":
        numpy.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    else:
        assert (got == expected).all()


# Operators that neither PyTorch nor Lampas has for wide unsigned integers.
LACKING = (
    "nonzero( tril( triu( take_along_axis( argmax( argmin( sort( argsort( max( min( vecdot(".split()
)


def rows():
    for kinds, table in VALUES.items():
        for case in cases(table):
            for dtype in kinds:
                yield case, dtype


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case, dtype", list(rows()))
def test_value(xp, case, dtype):
    if dtype in ("uint16", "uint32") and any(f"xp.{name}" in case for name in LACKING):
        with pytest.raises(NotImplementedError, match="not implemented for 'UInt"):
            eval(case, {"xp": xp, **operands(xp, dtype)})
        return
    expected = plain(eval(case, {"xp": strict, **operands(strict, dtype)}))
    got = plain(eval(case, {"xp": xp, **operands(xp, dtype)}))
    same(got, expected, 1e-5 if dtype in ("float32", "complex64") else 1e-12)


@pytest.mark.parametrize("case", [c for c in cases(PLAIN) if c and 'int8, "int"' not in c])
def test_without_arrays(xp, case):
    lampas.set_default_dtype(lampas.float64)  # as array_api_strict
    same(plain(eval(case, {"xp": xp})), plain(eval(case, {"xp": strict})), 1e-12)


@pytest.mark.parametrize("case", cases(REFUSED))
def test_refuses(xp, case):
    with pytest.raises((TypeError, ValueError, IndexError)) as mine:
        eval(case, {"xp": xp})
    with pytest.raises(Exception) as theirs:
        eval(case, {"xp": strict})
    assert issubclass(mine.type, theirs.type) or issubclass(theirs.type, mine.type)


def test_promotion_table(xp):
    """Every pair of dtypes: the same result, or refused by both."""
    names = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128".split()
    for a in names:
        for b in names:
            try:
                expected = str(
                    strict.result_type(getattr(strict, a), getattr(strict, b))
                ).rpartition(".")[2]
            except TypeError:
                with pytest.raises(TypeError):
                    xp.result_type(getattr(xp, a), getattr(xp, b))
                continue
            assert str(xp.result_type(getattr(xp, a), getattr(xp, b))) == "torch." + expected


def test_reshape_without_copy(xp):
    x = xp.reshape(xp.arange(6), (2, 3))
    assert xp.reshape(x, (6,), copy=False).data_ptr() == x.data_ptr()
    with pytest.raises(ValueError, match="a view is not possible"):
        xp.reshape(x.T, (6,), copy=False)


def test_gradients_flow(xp):
    x = lampas.tensor([1.0, 2.0, 3.0], requires_grad=True)
    xp.sum(xp.multiply(x, x) + xp.cumulative_sum(x)).backward()
    assert x.grad.tolist() == [5.0, 6.0, 7.0]


SCRIPT = """
import torch, array_api_compat
xp = array_api_compat.array_namespace(torch.ones(2))
assert array_api_compat.is_torch_array(torch.ones(2))
x = xp.asarray([[3.0, 1.0], [2.0, 4.0]])
print(xp.__name__, xp.sum(x, axis=0).tolist(), xp.concat([x, x], axis=1).shape)
print(xp.unique_values(xp.asarray([2, 1, 2])).tolist(), xp.var(x, correction=1).item(), xp.permute_dims(x, (1, 0)).tolist())
print(xp.linalg.vecdot(x, x).tolist(), xp.fft.fft(x).shape, array_api_compat.size(x), xp.result_type(xp.int8, xp.float32))
print(xp.isdtype(x.dtype, "real floating"), xp.astype(x, xp.int64).tolist(), xp.take(x, xp.asarray([1]), axis=0).tolist())
"""


def test_array_api_compat(tmp_path, python):
    """A script for PyTorch gets array_api_compat's wrapper of it; `lampas` gives its own namespace."""
    pytest.importorskip("array_api_compat")
    (tmp_path / "script.py").write_text(SCRIPT)
    run = "import runpy, sys; sys.argv = ['lampas', 'run', {!r}]; runpy.run_module('lampas', run_name='__main__')"
    expected = python(SCRIPT)
    assert python(run.format(str(tmp_path / "script.py"))) == expected
    import array_api_compat

    xp = array_api_compat.array_namespace(lampas.ones(2), 3.0)
    assert xp is lampas.ones(1).__array_namespace__()
    assert array_api_compat.is_array_api_obj(lampas.ones(2))
    assert array_api_compat.to_device(lampas.ones(2), "cpu").tolist() == [1.0, 1.0]
