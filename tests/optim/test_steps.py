"""Every optimizer takes PyTorch's steps: parameters, state, resuming, kernels and formulas."""

import copy
import random

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
from agreement import agree

SHAPES = [(4, 3), (5,), (2, 3, 2), (), (0, 2)]
OPTIONS = {
    "SGD": [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": True, "maximize": True},
        {"weight_decay": 0.1, "maximize": True},
    ],
    "Adam": [{}, {"amsgrad": True, "weight_decay": 0.1}, {"maximize": True, "betas": (0.4, 0.7)}],
    "AdamW": [{}, {"amsgrad": True, "weight_decay": 0.3}],
    "Adamax": [{}, {"weight_decay": 0.1, "maximize": True}],
    "NAdam": [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "RAdam": [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "RMSprop": [
        {},
        {"centered": True},
        {"momentum": 0.6, "weight_decay": 0.1},
        {"momentum": 0.6, "centered": True, "maximize": True},
    ],
    "Adagrad": [{}, {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2}],
    "Adadelta": [{}, {"weight_decay": 0.1, "maximize": True}],
    "Rprop": [{}, {"etas": (0.4, 1.5), "step_sizes": (0.005, 0.03), "maximize": True}],
    "ASGD": [{}, {"t0": 2, "lambd": 0.1, "weight_decay": 0.1, "maximize": True}],
    "Adafactor": [{}, {"weight_decay": 0.1, "lr": 0.5, "maximize": True}],
}
CASES = [(name, options) for name, list_ in OPTIONS.items() for options in list_]
DIFFERENTIABLE = [case for case in CASES if case[0] != "Adafactor"]


def numbers(shape, seed):
    """Nested lists of random numbers."""
    if not shape:
        return random.Random(seed).gauss(0, 1)
    return [numbers(shape[1:], seed * 31 + i + 1) for i in range(shape[0])]


def tensor(module, shape, seed, dtype):
    return module.tensor(numbers(shape, seed), dtype=getattr(module, dtype)).reshape(shape)


def steps(module, params, optimizer, first, count, dtype):
    """Gradients by step and parameter; the second parameter has none in step 2."""
    for step in range(first, first + count):
        for index, param in enumerate(params):
            grad = tensor(module, tuple(param.shape), 100 * step + index, dtype)
            param.grad = None if (step, index) == (2, 1) else grad
        optimizer.step()


def trained(module, name, options, dtype, count=5, shapes=SHAPES):
    params = [
        tensor(module, shape, index, dtype).requires_grad_() for index, shape in enumerate(shapes)
    ]
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.02}]
    optimizer = getattr(module.optim, name)(groups, **options)
    steps(module, params, optimizer, 1, count, dtype)
    return params, optimizer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name,options", CASES)
def test_steps_and_state(name, options, dtype):
    def run(module):
        params, optimizer = trained(module, name, options, dtype, shapes=SHAPES[:-1])
        return params, optimizer.state_dict()

    agree(run)


@pytest.mark.parametrize("name,options", CASES)
@pytest.mark.parametrize("dtype", ["bfloat16", "complex64"])
def test_formula_path(name, options, dtype):
    if dtype == "complex64" and name == "Adafactor":
        options = {}
    agree(
        lambda module: trained(module, name, options, dtype, shapes=SHAPES[:2])[0],
        rtol=2e-2,
        atol=1e-2,
    )


@pytest.mark.parametrize("name,options", CASES)
def test_resuming_from_either_library(name, options):
    import torch

    _, source = trained(torch, name, options, "float32", shapes=SHAPES[:3])
    saved = copy.deepcopy(source.state_dict())

    def run(module):
        state = {
            number: {
                key: module.tensor(value.tolist(), dtype=getattr(module, str(value.dtype)[6:]))
                for key, value in entries.items()
            }
            for number, entries in saved["state"].items()
        }
        params, optimizer = trained(module, name, options, "float32", 1, SHAPES[:3])
        optimizer.load_state_dict({"state": state, "param_groups": saved["param_groups"]})
        steps(module, params, optimizer, 6, 2, "float32")
        return params, optimizer.state_dict()

    agree(run)


@pytest.mark.parametrize("name,options", DIFFERENTIABLE)
def test_kernel_equals_formula(name, options):
    import lampas

    plain, _ = trained(lampas, name, options, "float64")
    starts = [
        tensor(lampas, shape, i, "float64").requires_grad_() for i, shape in enumerate(SHAPES)
    ]
    params = [start.clone() for start in starts]
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.02}]
    optimizer = getattr(lampas.optim, name)(groups, differentiable=True, **options)
    steps(lampas, params, optimizer, 1, 5, "float64")
    for got, expected in zip(params, plain):
        assert lampas.allclose(got, expected, rtol=1e-5, atol=1e-6)
    grads = lampas.autograd.grad(sum(param.sum() for param in params), starts)
    assert all(grad.isfinite().all() for grad in grads)


def test_gradient_of_the_learning_rate():
    def run(module):
        lr = module.tensor(0.1, requires_grad=True, dtype=module.float64)
        start = module.tensor([1.0, -2.0], requires_grad=True, dtype=module.float64)
        param = start.clone()
        optimizer = module.optim.SGD([param], lr=lr, differentiable=True)
        for _ in range(3):
            param.grad = start * 3 + 1
            optimizer.step()
        return module.autograd.grad((param**2).sum(), [lr, start])

    agree(run)


@pytest.mark.parametrize("layout", ["transposed", "strided", "channels_last"])
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_layouts(name, layout):
    def run(module):
        base = tensor(module, (2, 3, 4, 6), 1, "float32")
        if layout == "transposed":
            param = base.transpose(0, 1)
        elif layout == "strided":
            param = base[:, :, :, ::2]
        else:
            param = base.contiguous(memory_format=module.channels_last)
        param = param.detach().requires_grad_()
        optimizer = getattr(module.optim, name)([param], lr=0.1)
        for step in range(2):
            param.grad = tensor(module, tuple(param.shape), step, "float32")
            optimizer.step()
        return param, base

    agree(run)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad"])
def test_large_parameters(name):
    """Sizes that are cut into pieces for several threads."""

    def run(module):
        param = module.linspace(-1, 1, 200_003).requires_grad_()
        optimizer = getattr(module.optim, name)([param], lr=0.1)
        for step in range(1, 3):
            param.grad = module.linspace(0.5, -1, 200_003) * step
            optimizer.step()
        return param

    agree(run)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
@pytest.mark.parametrize("options", [{}, {"max_iter": 3, "history_size": 2}, {"lr": 0.1}])
def test_lbfgs(search, options):
    def run(module):
        params = [
            tensor(module, shape, i, "float64").requires_grad_()
            for i, shape in enumerate(SHAPES[:2])
        ]
        optimizer = module.optim.LBFGS(params, line_search_fn=search, **options)

        def closure():
            optimizer.zero_grad()
            loss = sum(((param - 0.5) ** 4 + 0.1 * param**2).sum() for param in params)
            loss.backward()
            return loss

        losses = [optimizer.step(closure) for _ in range(3)]
        state = optimizer.state_dict()["state"][0]
        return losses, params, state["n_iter"], state["func_evals"], list(state)

    agree(run)


def test_muon():
    def run(module):
        params = [
            tensor(module, shape, i, "float32").requires_grad_()
            for i, shape in enumerate([(4, 3), (2, 5)])
        ]
        optimizer = module.optim.Muon(params, lr=0.1, weight_decay=0.2)
        steps(module, params, optimizer, 3, 3, "float32")
        return params, optimizer.state_dict()

    agree(run, rtol=1e-2, atol=1e-2)


def test_versions_are_counted():
    import lampas

    param = lampas.ones(3, requires_grad=True)
    loss = (param * param).sum()
    param.grad = lampas.ones(3)
    lampas.optim.SGD([param], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
