"""Reductions on the fake driver: rows, columns, parts; every row of reduce.def; places; moments."""

import os

import pytest
from both_devices import BOTH

FULL = os.environ.get("LAMPAS_TEST_FULL") == "1"
DTYPES = ["float32", "int64"] if not FULL else [
    "float32", "float64", "float16", "bfloat16", "uint8", "int8", "int16", "int32", "int64", "bool",
    "complex64", "complex128",
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_over_any_dims(run, dtype):
    run(
        BOTH
        + f"""
dtype = torch.{dtype}
torch.manual_seed(0)
cube = draw((5, 37, 70), dtype)
views = [cube, cube.transpose(0, 2), cube[:, 1::3], cube[..., 3:40], cube[:1].expand(4, 37, 70), cube[:0],
         cube[:, :, :0], cube[0, 0, 0], draw((3, 2500), dtype), draw((2500, 3), dtype), draw((40, 64), dtype)]
for x in views:
    both(lambda x: x.sum(), x)
    for dims in ((0,), (-1,), (1,), (0, 1), (0, 2), (1, 2)):
        if x.dim() > max(dims):
            both(lambda x: x.sum(dims), x)
            both(lambda x: x.sum(dims, keepdim=True), x)
"""
    )


def test_results_of_many_elements_are_made_in_parts(run):
    run(
        BOTH
        + """
torch.manual_seed(0)
for shape in ((70_001,), (2, 40_003), (9000, 8), (9000, 3), (3, 5000, 4), (70, 5, 3)):
    x = draw(shape)
    both(lambda x: x.sum(), x, near=1e-4)
    both(lambda x: x.amax(), x)
    for d in range(len(shape)):
        both(lambda x: x.sum(d), x, near=1e-4)
        both(lambda x: x.max(d), x)
    both(lambda x: torch.var_mean(x, 0), x)
x = torch.arange(70_001, dtype=torch.float64)
assert x.cuda().sum().item() == 70_001 * 35_000
"""
    )


ROWS = """
both(lambda x: x.mean(1), x)
both(lambda x: x.nansum(1), y)
both(lambda x: x.amax(1), x)
both(lambda x: x.amin(0), y)
both(lambda x: x.aminmax(dim=1), x)
both(lambda x: x.prod(1), x / 3)
both(lambda x: x.any(0), x)
both(lambda x: x.all(), x)
both(lambda x: x.count_nonzero(0), x)
both(lambda x: torch.hash_tensor(x), x)
both(lambda x: x.logsumexp(1), x)
both(lambda x: x.logsumexp((0, 1)), y[1:])
for p in (0, 1, 2, 3, float("inf"), -float("inf")):
    both(lambda x: torch.linalg.vector_norm(x, p, 1), x)
both(lambda x: x.norm(), x)
both(lambda x: torch.dist(x, x.flip(0) if x.is_cpu else x.cpu().flip(0).cuda(), 2), x)
"""


@pytest.mark.parametrize(
    "dtype", ["float16"] if not FULL else ["float32", "float64", "float16", "bfloat16"]
)
def test_rows(run, dtype):
    run(
        BOTH
        + f"""
dtype = torch.{dtype}
torch.manual_seed(0)
x = draw((6, 35), dtype)
x[2, 3] = 0
y = x.clone()
y[1, 4], y[2, 5], y[3, 6] = float("nan"), float("inf"), -float("inf")
{ROWS}
both(lambda x: x.sum(0, dtype=torch.float64), x)
"""
    )


def test_rows_of_other_types(run):
    run(
        BOTH
        + """
torch.manual_seed(0)
z = draw((6, 35), torch.complex64)
for f in (lambda x: x.mean(1), lambda x: x.prod(1), lambda x: torch.linalg.vector_norm(x, 2, 0),
          lambda x: x.any(1), lambda x: torch.var(x, 1), lambda x: x.abs().sum()):
    both(f, z / 2)
i = draw((6, 35), torch.int32)
for f in (lambda x: x.amax(1), lambda x: x.amin(), lambda x: x.prod(0), lambda x: x.all(1), lambda x: x.any(),
          lambda x: x.count_nonzero(), lambda x: torch.hash_tensor(x, 1), lambda x: x.float().mean()):
    both(f, i)
"""
    )


def test_places_of_extremes(run):
    run(
        BOTH
        + f"FULL = {FULL}"
        + """
torch.manual_seed(0)
x = draw((7, 33, 6)).round()
nan = x.clone()
nan[3, 5, 1] = nan[3, 9, 1] = float("nan")
equal = torch.zeros(3, 70)
infinite = torch.full((3, 70), -float("inf"))
others = (x.to(torch.int64), x.to(torch.uint8), x.half()) if FULL else ()
for t in (x, nan, equal, infinite, x.transpose(0, 1), x > 0, draw((20_000,)).round(), draw((2, 9001)).round(),
          *others):
    for d in range(t.dim()):
        both(lambda t: t.max(d), t)
        both(lambda t: t.min(d, keepdim=True), t)
        if t.dtype != torch.bool:
            both(lambda t: t.argmax(d), t)
    if t.dtype != torch.bool:
        both(lambda t: t.argmin(), t)
        both(lambda t: t.argmax(), t)
both(lambda t: t.max(), x)
"""
    )


def test_moments(run):
    run(
        BOTH
        + """
torch.manual_seed(0)
x = draw((5, 37, 9))
far = x + 1000
outlier = x.clone()
outlier[0, 0, 0] = 1e6
outlier[:, 0] = -1e5
for t in (x, far, outlier, x.double() + 1e6, x.transpose(0, 2)):
    for dims in (None, (0,), (2,), (0, 1), (1, 2)):
        # a mean of 1e6 rounds by 1e-10
        near = {torch.float32: 1e-4, torch.float64: 1e-9}.get(t.dtype)
        both(lambda t: torch.var_mean(t, dims), t, near=near)
        both(lambda t: torch.std(t, dims, correction=0, keepdim=True), t, near=near)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # degrees of freedom
    both(lambda t: torch.var(t), x[:0])
    both(lambda t: torch.var_mean(t, 0, correction=0), x[:0])
    both(lambda t: torch.std(t, 1), x[:, :1])
"""
    )


def test_gradients(run):
    run(
        BOTH
        + """
torch.manual_seed(0)
x = draw((4, 6))
for f in (lambda x: x.sum(0), lambda x: x.mean(), lambda x: x.amax(1), lambda x: x.var(1), lambda x: x.std(),
          lambda x: x.norm(), lambda x: torch.linalg.vector_norm(x, 3, 1), lambda x: x.logsumexp(0),
          lambda x: x.prod(1), lambda x: (x * torch.ones(6, device=x.device)).nansum()):
    both(f, x, grad=True)
a, b = draw((4, 6)), draw((6,))
both(lambda a, b: a * b, a, b, grad=True)  # summed over what was broadcast
"""
    )


def test_memory_that_does_not_begin_at_16_bytes(run):
    """The same bits wherever the elements lie."""
    run(
        BOTH
        + f"FULL = {FULL}"
        + """
torch.manual_seed(0)
for dtype in (torch.float32, torch.float16) if FULL else (torch.float32,):
    values = draw((7, 4096), dtype)
    whole = torch.zeros(7 * 4096 + 8, dtype=dtype).cuda()
    for shape in ((7, 4096), (4096, 7), (7 * 4096,), (512, 56)):
        for d in range(len(shape)):
            found = []
            for offset in (0, 1, 3):
                x = torch.as_strided(whole, shape, (shape[-1], 1) if len(shape) == 2 else (1,), offset)
                x.copy_(values.view(shape).cuda())
                found.append([t.cpu() for t in (x.sum(d), *x.max(d), *torch.var_mean(x, d))])
            for other in found[1:]:
                assert all(torch.equal(a, b) for a, b in zip(found[0], other))
"""
    )
