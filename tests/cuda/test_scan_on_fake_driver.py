"""Running results on the fake driver: rows of a warp and of a block, lines beside each other, long lines in
parts; the gradient of prod with zeros; distances."""

import os

import pytest
from both_devices import BOTH

FULL = os.environ.get("LAMPAS_TEST_FULL") == "1"
DTYPES = (
    ["float32", "int64"] if not FULL else ["float32", "float64", "bfloat16", "int64", "complex64"]
)
SHAPES = """
torch.manual_seed(0)
shapes = [((3, 5), 1), ((70, 130), 1), ((3, 1500), 1), ((2, 9000), 1), ((), 0), ((0, 3), 1), ((4, 0), 1),
          ((3, 7, 5), 1), ((2, 300, 3), 1), ((300, 2), 0), ((1, 1), 0)]
"""


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_and_products(run, dtype):
    run(
        BOTH
        + SHAPES
        + f"""
dtype = torch.{dtype}
for shape, d in shapes:
    x = draw(shape, dtype)
    both(lambda x: x.cumsum(d), x, near=1e-3)
    y = 1 + x / 100 if dtype.is_floating_point or dtype.is_complex else x
    both(lambda y: y.cumprod(d), y, near=1e-2 if dtype == torch.bfloat16 else 1e-3)
both(lambda x: x.t().cumsum(0), draw((6, 40), dtype))
both(lambda x: x.cumsum(1), draw((3, 50)) > 0)
"""
    )


def test_logarithms(run):
    run(
        BOTH
        + SHAPES
        + """
for shape, d in shapes:
    both(lambda x: x.logcumsumexp(d), draw(shape))
inf = float("inf")
x = torch.tensor([-inf, -inf, 3., -inf, inf, 2., inf, -inf, float("nan"), 1.]).repeat(3, 1)
both(lambda x: x.logcumsumexp(1), x)
both(lambda x: x.logcumsumexp(0), x)
both(lambda x: x.logcumsumexp(1), draw((3, 40), torch.complex64))
"""
    )


def test_extremes(run):
    run(
        BOTH
        + SHAPES
        + """
for shape, d in shapes:
    x = draw(shape).round()
    both(lambda x: x.cummax(d), x)
    both(lambda x: x.cummin(d), x)
x = draw((3, 50)).round()
x[0, 7] = x[0, 20] = x[2, 0] = float("nan")
x[1] = -float("inf")
both(lambda x: x.cummax(1), x)
both(lambda x: x.cummin(0), x)
both(lambda x: x.cummax(1), draw((3, 50), torch.int32))
both(lambda x: x.cummin(1), draw((3, 50)) > 0)
"""
    )


def test_gradient_of_prod(run):
    run(
        BOTH
        + """
torch.manual_seed(0)
for shape, zeros in (((3, 5), 1), ((3, 5), 2), ((2, 300), 1), ((40,), 0)):
    x = 1 + draw(shape) / 20
    x.view(-1)[3 : 3 + zeros] = 0
    both(lambda x: x.prod(), x, grad=True)
    both(lambda x: x.prod(-1), x, grad=True)
"""
    )


def test_distances(run):
    run(
        BOTH
        + """
torch.manual_seed(0)
for m in (1, 3, 70, 0):
    for p in (0, 1, 2, 3, float("inf")):
        both(lambda a, b: torch.cdist(a, b, p=p, compute_mode="donot_use_mm_for_euclid_dist"),
             draw((2, 5, m)), draw((7, m)))
both(lambda a, b: torch.cdist(a, b), draw((5, 4)), draw((3, 4)), grad=True)
both(lambda x: x.renorm(2, 0, 1.5), draw((5, 4)))
"""
    )
