"""torch.testing: make_tensor draws PyTorch's numbers, assert_close says PyTorch's words."""

import pytest
from agreement import agree
from expressions import cases

CLOSE = """
a, b | a, b.double() | a, b[:2] | a, b, dict(rtol=1) | a, b, dict(rtol=1, atol=1) | [a], [b] | {"x": a}, {"y": a} | {"x": [a, a]}, {"x": [a, b]}
1, 2 | 1.0, float("nan") | a, [1.0, 2.0, 3.0] | a.long(), b.long() + 1 | a > 1, b > 3 | a, b, dict(msg="hey")
a, b, dict(msg=lambda m: "X" + m) | a.reshape(1, 3), b.reshape(1, 3) | t.tensor(1.0), t.tensor(2.0) | "a", "b" | None, None
[1, 2], [1] | a, b, dict(check_dtype=False) | t.ones(2, dtype=t.complex64), t.ones(2, dtype=t.complex64) * 2 | a, a.to("meta")
t.tensor(float("nan")), t.tensor(float("nan")) | t.tensor(float("nan")), t.tensor(float("nan")), dict(equal_nan=True) | 1, 1.0
a, a.half() | a, a.half(), dict(check_dtype=False) | t.ones(2, 3).T, t.ones(3, 2), dict(check_stride=True) | a, a, dict(rtol=0) | t.zeros(0), t.zeros(0)
"""
MADE = """
(3,), float32 | (2, 2), int64, low=-3, high=4 | (3,), bool | (2,), complex64 | (3,), uint8 | (4,), float64, low=0, high=1, exclude_zero=True
(2, 3), float32, noncontiguous=True | (4,), int64, noncontiguous=True | (1,), float32, noncontiguous=True | (3, 2, 2), bool, noncontiguous=True
(2,), float32, requires_grad=True | (2,), int64, requires_grad=True | (2,), float32, low=3, high=1 | (0,), float32 | (2,), bfloat16
(1, 2, 3, 2), float32, memory_format=t.channels_last | (2,), int8, low=-1000 | (2,), float32, low=float("nan") | (2, 3), complex64, noncontiguous=True
"""


@pytest.mark.parametrize("case", cases(CLOSE))
def test_assert_close(case):
    def run(t):
        a, b = t.tensor([1.0, 2.0, 3.0]), t.tensor([1.0, 2.0, 3.5])
        actual, expected, *options = eval(f"({case},)", {"t": t, "a": a, "b": b})
        return t.testing.assert_close(actual, expected, **(options[0] if options else {}))

    agree(run)


@pytest.mark.parametrize("case", cases(MADE))
def test_make_tensor(case):
    def run(t):
        t.manual_seed(0)
        dtypes = {
            n: getattr(t, n)
            for n in "float32 float64 bfloat16 complex64 int64 int8 uint8 bool".split()
        }
        size, dtype, *options = _parts(case)
        x = eval(
            f"t.testing.make_tensor({size}, dtype={dtype}, device='cpu', {', '.join(options)})",
            {"t": t, **dtypes},
        )
        return x, x.stride(), x.storage_offset(), x.requires_grad, t.rand(1)

    agree(run)


def _parts(case):
    size, _, rest = case.partition("), ")
    return [size + ")", *rest.split(", ")]
