"""What out= must be: types that an operator insists on, memory that it may not share."""

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from agreement import agree

NARROW, WIDE = "float32", "float64"
ONE_RESULT = {
    "mm": "t.mm(m, m, out=o)",
    "bmm": "t.bmm(m[None], m[None], out=o)",
    "addmm": "t.addmm(m, m, m, out=o)",
    "addbmm": "t.addbmm(m, m[None], m[None], out=o)",
    "baddbmm": "t.baddbmm(m[None], m[None], m[None], out=o)",
    "dot": "t.dot(v, v, out=o)",
    "gather": "t.gather(v, 0, i, out=o)",
    "take": "t.take(v, i, out=o)",
    "index_select": "t.index_select(v, 0, i, out=o)",
    "masked_select": "t.masked_select(v, v > 0, out=o)",
    "index_add": "t.index_add(v, 0, i, v, out=o)",
    "index_copy": "t.index_copy(v, 0, i, v, out=o)",
    "scatter": "t.scatter(v, 0, i, v, out=o)",
    "scatter_add": "t.scatter_add(v, 0, i, v, out=o)",
    "complex": "t.complex(v, v, out=o)",
    "polar": "t.polar(v, v, out=o)",
    "argmax": "t.argmax(v, 0, out=o)",
    "nonzero": "t.nonzero(v, out=o)",
    "amax": "t.amax(v, 0, out=o)",
    "softmax": "t.softmax(v, 0, out=o)",
    "tril": "t.tril(m, out=o)",
    "renorm": "t.renorm(m, 1, 0, 1, out=o)",
    "cross": "t.linalg.cross(v, v, out=o)",
    "inv": "t.linalg.inv(m + t.eye(3), out=o)",
    "cholesky": "t.linalg.cholesky(t.eye(3), out=o)",
    "vector_norm": "t.linalg.vector_norm(v, out=o)",
    "solve_triangular": "t.linalg.solve_triangular(m, m, upper=True, out=o)",
    "where": "t.where(v > 0, v, v, out=o)",
    "searchsorted": "t.searchsorted(v, v, out=o)",
    "histc": "t.histc(v, 3, out=o)",
    "abs": "t.abs(v, out=o)",
    "floor": "t.floor(v, out=o)",
    "neg": "t.neg(v, out=o)",
    "add": "t.add(v, v, out=o)",
    "exp": "t.exp(v, out=o)",
    "arange": "t.arange(0, 6, 2, out=o)",
    "linspace": "t.linspace(0, 1, 3, out=o)",
    "zeros": "t.zeros(3, out=o)",
    "given": "t.zeros(3, dtype=t.float16, out=o)",
}


@pytest.mark.parametrize("name", ONE_RESULT)
@pytest.mark.parametrize("dtype", ["float64", "int32", "complex128", "bool"])
def test_type_of_one_result(name, dtype):
    def run(t):
        v, i = t.tensor([1.0, 2.0, 3.0]), t.tensor([0, 1, 2])
        m = t.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 2.0], [0.0, 0.0, 1.0]])
        o = t.empty(0, dtype=getattr(t, dtype))
        return eval(ONE_RESULT[name], {"t": t, "v": v, "m": m, "i": i, "o": o})

    agree(run)


@pytest.mark.parametrize("name", ["kthvalue", "median", "mode", "sort", "topk", "max", "cummax"])
@pytest.mark.parametrize("types", [(WIDE, "int64"), (NARROW, "int32"), (NARROW, "int64")])
def test_types_of_two_results(name, types):
    def run(t):
        outs = tuple(t.empty(0, dtype=getattr(t, kind)) for kind in types)
        place = (2,) if name in ("kthvalue", "topk") else (0,)
        values, indices = getattr(t, name)(t.tensor([3.0, 1.0, 2.0]), *place, out=outs)
        return values, indices

    agree(run)


@pytest.mark.parametrize(
    "call",
    [
        "t.take(x, i, out=x)",
        "t.cat([x[:0], y], out=y)",
        "t.kthvalue(x, 2, out=(x, t.empty((), dtype=t.int64)))",
        "t.masked_select(x, x > 0, out=x)",
        "t.index_select(x, 0, i, out=x)",
        "t.gather(x, 0, i, out=x)",
        "t.add(x, y, out=x)",
        "t.cumsum(x, 0, out=x)",
        "t.take(x, i, out=t.ones(1).expand(3))",
    ],
)
def test_memory_of_an_argument(call):
    def run(t):
        x, y, i = t.tensor([1.0, 2.0, 3.0]), t.ones(3), t.tensor([0, 1, 2])
        return eval(call, {"t": t, "x": x, "y": y, "i": i})

    agree(run)


@pytest.mark.parametrize(
    "call", ["t.arange(0, 64, 0.5, out=o)", "t.arange(0, 9, 2.5, out=o)", "t.arange(0, 5, 0)"]
)
def test_ranges_count_in_the_type_of_out(call):
    agree(lambda t: eval(call, {"t": t, "o": t.empty(0, dtype=t.int64)}))
