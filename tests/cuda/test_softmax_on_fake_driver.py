"""Softmax and losses on the fake driver: lines held in registers, long lines, lines beside each
other; gradients; class targets that are ignored, weighted or wrong."""

import os

import pytest
from both_devices import BOTH

FULL = os.environ.get("LAMPAS_TEST_FULL") == "1"
DTYPES = ["float32"] if not FULL else ["float32", "float64", "float16", "bfloat16"]
HEAD = "F = torch.nn.functional\ntorch.manual_seed(0)\n"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_lines(run, dtype, name):
    run(
        BOTH
        + HEAD
        + f"""
dtype = torch.{dtype}
shapes = [((3, 5), 1), ((70, 13), 1), ((5, 100), 1), ((3, 1030), 1), ((2, 33_000), 1), ((), 0), ((0, 3), 1),
          ((4, 0), 1), ((3, 7, 5), 1), ((2, 90, 3), 1), ((70, 5, 3), 1), ((130, 2), 0), ((1, 300), 0)]
for shape, d in shapes:
    both(lambda x: F.{name}(x, d), draw(shape, dtype))
    both(lambda x: F.{name}(x, d), draw(shape, dtype), grad=True)
both(lambda x: F.{name}(x.transpose(0, 1), 1), draw((7, 9), dtype))
inf = float("inf")
x = draw((7, 40), dtype)
x[0, 3], x[1, 4], x[2, :], x[3, 5], x[4, 39] = inf, -inf, -inf, float("nan"), 80.
x[5, :39] = -inf
for t in (x, x.repeat(1, 900), x.t().contiguous().t()):
    both(lambda t: F.{name}(t, 1), t)
"""
    )


CASES = """
for shape in ((6, 5), (3, 700), (2, 33_000), (5,), (2, 4, 3), (2, 5, 3, 7), (0, 4)):
    classes = shape[0] if len(shape) == 1 else shape[1]
    x = draw(shape, dtype)
    target = torch.randint(classes, shape[:1] + shape[2:] if len(shape) > 1 else ())
    weight = torch.rand(classes).to(dtype)
    for reduction in ("mean", "sum", "none"):
        both(lambda x, t: F.cross_entropy(x, t, reduction=reduction), x, target, grad=True)
        both(lambda x, t, w: F.nll_loss(x, t, w, reduction=reduction), x, target, weight)
        both(lambda x, t: F.nll_loss(x, t, reduction=reduction), x, target, grad=True)
    if target.dim() and target.numel():
        target.view(-1)[0] = -100
        both(lambda x, t, w: F.cross_entropy(x, t, w.detach()), x, target, weight)
        both(lambda x, t: F.cross_entropy(x, t), x, target, grad=True)
        target.view(-1)[0] = 1
        both(lambda x, t: F.cross_entropy(x, t, ignore_index=1), x, target, grad=True)
        both(lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1), x, target, grad=True)
        both(lambda x, t: F.cross_entropy(x, t.softmax(1)), x, draw(shape, dtype), grad=True)
both(lambda x, t: F.cross_entropy(x, t), draw((3, 4), dtype), torch.full((3,), -100))
x = draw((4, 40), dtype)
x[0, 3], x[1, :], x[2, 5] = float("inf"), -float("inf"), float("nan")
for t in (x, x.t().contiguous().t()):
    both(lambda x, t: F.cross_entropy(x, t, reduction="none"), t, torch.tensor([1, 2, 3, 39]))
"""


@pytest.mark.parametrize("dtype", DTYPES)
def test_class_targets(run, dtype):
    run(BOTH + HEAD + f"dtype = torch.{dtype}\n" + CASES)


@pytest.mark.parametrize("target", [5, -1])
def test_a_class_that_is_not_there(run, target):
    done = run(f"""
x = torch.randn(3, 5).cuda()
torch.nn.functional.cross_entropy(x, torch.tensor([0, {target}, 1]).cuda())
""", check=False)  # fmt: skip
    assert done.returncode == -6 and "Assertion `t >= 0 && t < n_classes` failed." in done.stderr


def test_other_losses(run):
    run(
        BOTH
        + HEAD
        + """
x, y = draw((4, 9)), draw((4, 9))
for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss",
             "binary_cross_entropy_with_logits"):
    for reduction in ("mean", "sum", "none"):
        both(lambda x, y: getattr(F, name)(x, y.detach(), reduction=reduction), x, y)
    both(lambda x: getattr(F, name)(x, y.to(x.device)), x, grad=True)
for reduction in ("batchmean", "sum", "none"):
    both(lambda x: F.kl_div(x, y.to(x.device).softmax(1), reduction=reduction), x, grad=True)
p = torch.rand(4, 9)
both(lambda p, y: F.binary_cross_entropy(p, y.sigmoid().detach()), p, y)
both(lambda p: F.binary_cross_entropy(p, (y.to(p.device) > 0).float()), p, grad=True)
both(lambda p, w: F.binary_cross_entropy(p, (y.to(p.device) > 0).float(), weight=w.exp()), p, y)
"""
    )


def test_a_probability_that_is_none(run):
    done = run("""
x = torch.tensor([0.5, 1.5]).cuda()
torch.nn.functional.binary_cross_entropy(x, torch.ones(2).cuda())
""", check=False)  # fmt: skip
    assert done.returncode == -6 and "input_val >= zero && input_val <= one" in done.stderr
