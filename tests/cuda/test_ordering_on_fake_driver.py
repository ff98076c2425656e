"""Sorting, selecting, sets, histograms and CTC on the fake driver, beside the CPU's results.
Which of equal elements a selection names is left open: its places are checked by what lies there."""

import pytest
from test_indexing_on_fake_driver import FULL, PAIRS

PLACES = """
    def chosen(f, x, dim=-1):
        '''Values as on the CPU, and places at which they lie.'''
        values, places = f(x.cuda())
        expected = f(x)[0]
        assert values.is_cuda and places.is_cuda and places.dtype == torch.int64
        values, places = values.cpu(), places.cpu()
        assert values.stride() == expected.stride() and values.shape == places.shape
        assert torch.allclose(values, expected, rtol=0, atol=0, equal_nan=True) if x.is_floating_point() else \\
            torch.equal(values, expected), (values, expected)
        there = x.gather(dim, places) if values.dim() == x.dim() else \\
            x.gather(dim, places.unsqueeze(dim)).squeeze(dim)
        assert torch.equal(there.nan_to_num(7), values.nan_to_num(7)) if x.is_floating_point() else \\
            torch.equal(there, values)
        return places
    def data(*shape, dtype=torch.float32, span=50):
        x = torch.randint(-span, span, shape)
        if dtype == torch.bool:
            return x > 0
        if not dtype.is_floating_point:
            return x.to(dtype)
        x = (x / 4).to(dtype)
        x[..., ::7] = float("nan")
        x[..., 3::11] = -0.0
        return x
"""
TYPES = ["float32", "bool"]
if FULL:
    TYPES += ["int64", "float64", "float16", "bfloat16", "uint8", "int8", "int16", "int32"]


@pytest.mark.parametrize("dtype", TYPES)
def test_sorting(run, dtype):
    run(
        PAIRS
        + PLACES
        + f"""
    dtype = torch.{dtype}
    torch.manual_seed(0)
    for shape in ((), (1,), (5, 9), (33, 32), (1, 700), (2, 4099)):
        x = data(*shape, dtype=dtype) if shape else data(1, dtype=dtype)[0]
        for descending in (False, True):
            f = lambda x: x.sort(-1, descending, stable=True)
            y, i = f(x.cuda())
            z, j = f(x)
            assert torch.equal(i.cpu(), j), (shape, descending)
            assert torch.equal(y.cpu().nan_to_num(7), z.nan_to_num(7)) if dtype.is_floating_point else \\
                torch.equal(y.cpu(), z)
    x = data(40, 6, 3, dtype=dtype)
    same(lambda x: x.argsort(1, stable=True), x, grads=False)
    same(lambda x: x.t().sort(0, stable=True)[1], data(5, 4, dtype=dtype), grads=False)
    """
    )


def test_sorting_along_long_columns(run):
    run(
        PAIRS
        + PLACES
        + """
    x = data(2100, 3)
    same(lambda x: x.sort(0, stable=True), x, grads=False)
    same(lambda x: x.sort(0, stable=True)[0], torch.randn(4, 9))
    same(lambda x: torch.msort(x), torch.randn(6, 2))
    same(lambda x: x.sort()[0], torch.randn(3, 50))
    """
    )


@pytest.mark.parametrize("dtype", ["float32", "int64"] if FULL else ["float32"])
def test_selecting(run, dtype):
    run(
        PAIRS
        + PLACES
        + f"""
    torch.manual_seed(0)
    for dtype in (torch.{dtype},):
        for n in (1, 40, 2100):
            x = data(3, n, dtype=dtype)
            for largest in (False, True):
                for k in sorted({{1, n // 3, n}} - {{0}}):
                    chosen(lambda x: x.topk(k, -1, largest), x)
            chosen(lambda x: x.kthvalue((n + 1) // 2), x)
            chosen(lambda x: x.median(-1), x)
            chosen(lambda x: x.nanmedian(-1), x)
            chosen(lambda x: x.mode(-1), x)
    chosen(lambda x: x.topk(5, 0), data(2500, 2), 0)
    chosen(lambda x: x.topk(7, 0), data(60, 2, 3), 0)
    chosen(lambda x: x.median(0), data(9, 5), 0)
    chosen(lambda x: x.mode(0), data(9, 5, dtype=torch.bool), 0)
    same(lambda x: x.median(), torch.randn(31))
    same(lambda x: x.nanmedian(), torch.randn(30))
    same(lambda x: x.topk(2)[0], torch.randn(3, 8))
    nan = torch.full((2, 4), float("nan"))
    chosen(lambda x: x.nanmedian(-1), nan)
    """
    )


def test_sets_and_histograms(run):
    run(
        PAIRS
        + PLACES
        + """
    torch.manual_seed(0)
    for x in (data(40), data(4100, dtype=torch.int64), data(6, 7, dtype=torch.bool), torch.zeros(0)):
        same(lambda x: x.unique(return_inverse=True, return_counts=True), x, grads=False)
        same(lambda x: x.unique_consecutive(return_inverse=True, return_counts=True), x, grads=False)
    rows = torch.randint(0, 2, (50, 3))
    same(lambda x: x.unique(dim=0, return_inverse=True, return_counts=True), rows)
    same(lambda x: x.unique(dim=1, return_inverse=True), rows[:5])
    edges, values = data(50).nan_to_num(0).sort()[0], data(7, 9)
    for right in (False, True):
        same(lambda e, v: torch.searchsorted(e, v, right=right), edges, values, grads=False)
        same(lambda e, v: torch.bucketize(v, e, right=right, out_int32=True), edges, values, grads=False)
    lines = torch.randn(3, 8)
    same(lambda e, v: torch.searchsorted(e, v, sorter=e.argsort()), lines, torch.randn(3, 4), grads=False)
    same(lambda x, s: torch.isin(x, s), torch.arange(10), torch.tensor([3, 7, 3]))
    x = torch.randint(0, 9, (5000,))
    same(lambda x: x.bincount(minlength=20), x)
    same(lambda x: (x * 1000).bincount(), x)
    same(lambda x, w: x.bincount(w), x, torch.ones(5000), grads=False)
    same(lambda x: x.int().bincount(), x)
    same(lambda x: x.histc(7, -2, 2), torch.randn(900), grads=False)
    same(lambda x: x.histc(7), torch.randn(900), grads=False)
    w = torch.randn(5, 7)
    for norm in (1.0, 2.0, float("inf")):
        def looked_up(w, i):
            table = w.clone()
            return torch.nn.functional.embedding(i, table, max_norm=1.0, norm_type=norm), table
        same(looked_up, w, torch.tensor([4, 2, 2]), grads=False)
    """
    )


def test_ctc(run):
    run(
        PAIRS
        + """
    warnings.filterwarnings("ignore", "The operator '(mean|div|to)' ")
    torch.manual_seed(0)
    logs = torch.randn(12, 3, 6).log_softmax(-1)
    labels = torch.tensor([[1, 1, 2, 5], [3, 4, 0, 0], [2, 0, 0, 0]])
    lengths, targets = torch.tensor([12, 7, 1]), torch.tensor([4, 2, 0])
    for zero in (False, True):
        for how in ("none", "sum"):
            same(lambda x, y: torch.nn.functional.ctc_loss(x, y, lengths, targets, 0, how, zero), logs, labels)
    short = torch.tensor([2, 7, 1])  # too short for its labels
    same(lambda x, y: torch.nn.functional.ctc_loss(x, y, short, targets, 0, "sum", True), logs, labels)
    same(lambda x: torch.nn.functional.ctc_loss(x, torch.tensor([1, 2, 1], device=x.device), lengths,
                                                torch.tensor([2, 1, 0]), 0, "none"), logs.double())
    loss = torch.nn.functional.ctc_loss(logs.cuda(), labels.cuda() + 2, lengths, targets, 0, "none")
    try:
        loss.cpu()
    except RuntimeError as error:
        assert "ctc_loss: target 7 is out of range for 6 classes" in str(error)
    else:
        raise AssertionError
    """
    )
