"""Normalisations against PyTorch: layouts, types, modes, both derivatives, running statistics."""

import pytest
import torch
from agreeing import assert_agree

import lampas

SHAPES = [(4, 6), (4, 6, 5), (2, 6, 3, 4), (2, 6, 2, 3, 2), (70, 6, 3), (3, 6, 1)]
TYPES = [
    (torch.float64, torch.float64, 1e-9),
    (torch.float32, torch.float32, 1e-4),
    (torch.float16, torch.float16, 2e-2),
    (torch.bfloat16, torch.float32, 1e-1),
]


def _inputs(shape, dtype, parameters, last=False):
    torch.manual_seed(0)
    x = (torch.randn(*shape) + 2).to(dtype)
    if last:
        x = x.to(memory_format=torch.channels_last)
    weight, bias, mean = (torch.randn(6).to(parameters) for _ in range(3))
    return (
        x.requires_grad_(),
        weight.requires_grad_(),
        bias.requires_grad_(),
        mean,
        torch.rand(6).to(parameters) + 0.5,
    )


@pytest.mark.parametrize("dtype, parameters, tolerance", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(shape, training, dtype, parameters, tolerance):
    for last in {False, len(shape) == 4}:
        x, weight, bias, mean, var = _inputs(shape, dtype, parameters, last)
        for w, b in ((weight, bias), (None, None), (None, bias)):

            def run(module, x, w, b, mean, var):
                y = module.batch_norm(x, w, b, mean, var, training, 0.1, 1e-3, True)
                return y, mean, var

            assert_agree(
                run,
                x,
                w,
                b,
                mean,
                var,
                second=dtype == torch.float64,
                rtol=tolerance,
                atol=tolerance,
            )


@pytest.mark.parametrize("dtype, parameters, tolerance", TYPES)
@pytest.mark.parametrize("shape", SHAPES[1:5])
def test_group_and_instance_norm(shape, dtype, parameters, tolerance):
    second = dtype == torch.float64
    for last in {False, len(shape) == 4}:
        x, weight, bias, mean, var = _inputs(shape, dtype, parameters, last)
        for groups in (1, 2, 6):
            assert_agree(lambda m, x, w, b, g=groups: m.group_norm(x, g, w, b, 1e-3), x, weight, bias, second=second,
                         rtol=tolerance, atol=tolerance)  # fmt: skip
        assert_agree(lambda m, *a: m.instance_norm(*a, True, 0.1, 1e-3, True), x, weight, bias, mean, var, second=second,
                     rtol=tolerance, atol=tolerance)  # fmt: skip


@pytest.mark.parametrize("dtype, parameters, tolerance", TYPES)
def test_layer_and_rms_norm(dtype, parameters, tolerance):
    second = dtype == torch.float64
    torch.manual_seed(0)
    x = (torch.randn(7, 3, 70) + 1).to(dtype).requires_grad_()
    weight, bias = (torch.randn(70).to(parameters).requires_grad_() for _ in range(2))
    limits = {"second": second, "rtol": tolerance, "atol": tolerance}
    assert_agree(lambda m, x, w, b: m.layer_norm(x, [70], w, b), x, weight, bias, **limits)
    assert_agree(lambda m, x: m.layer_norm(x, [3, 70]), x, **limits)
    assert_agree(lambda m, x: m.rms_norm(x, [70]), x, **limits)
    if dtype == parameters:
        assert_agree(lambda m, x, w: m.rms_norm(x, [70], w), x, weight, **limits)


def test_large_batches_have_the_moments_of_float64():
    torch.manual_seed(0)
    x = torch.randn(40, 130, 17, 3) * 0.1 + 100
    for layout in (torch.contiguous_format, torch.channels_last):
        y = lampas.batch_norm(lampas.from_numpy(x.contiguous(memory_format=layout).numpy()), None, None, None, None, True, 0.1,
                              1e-5, True)  # fmt: skip
        wide = torch.batch_norm(x.double(), None, None, None, None, True, 0.1, 1e-5, True)
        assert float((torch.tensor(y.tolist()) - wide).abs().max()) < 1e-3


ERRORS = [
    lambda m: m.batch_norm(m.ones(2, 3), m.ones(2), None, None, None, True, 0.1, 1e-5, True),
    lambda m: m.batch_norm(m.ones(2, 3), None, None, None, None, False, 0.1, 1e-5, True),
    lambda m: m.layer_norm(m.ones(2, 3), [4]),
    lambda m: m.layer_norm(m.ones(2, 3), []),
    lambda m: m.layer_norm(m.ones(2, 3), [3], m.ones(2)),
    lambda m: m.layer_norm(m.ones(2, 3), [3], m.ones(3).double()),
    lambda m: m.group_norm(m.ones(2, 3), 2),
    lambda m: m.group_norm(m.ones(2, 4), 2, m.ones(3)),
    lambda m: m.rms_norm(m.ones(2, 3), [4]),
    lambda m: m.rms_norm(m.ones(2, 3).long(), [3]),
]


@pytest.mark.parametrize("call", ERRORS)
def test_errors(call):
    with pytest.raises(Exception) as expected:
        call(torch)
    with pytest.raises(type(expected.value)) as got:
        call(lampas)
    assert str(got.value).split("\nhint:")[0] == str(expected.value)
