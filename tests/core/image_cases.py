"""Runs image operators under both modules and compares values, gradients and layouts."""

import torch

import lampas

FORMATS = ("contiguous", "channels_last", "strided", "expanded")


def laid_out(x, form):
    """The values of x in another layout of memory."""
    if form == "channels_last":
        return x.movedim(1, -1).contiguous().movedim(-1, 1)
    if form == "strided":
        return torch.stack([x, x], -1)[..., 0]
    return x


def to_lampas(x):
    """A Lampas tensor with the values, type and strides of a PyTorch one."""
    if x.dtype == torch.bfloat16:
        y = lampas.from_numpy(x.float().numpy()).to(lampas.bfloat16)
    else:
        y = lampas.from_numpy(x.detach().numpy())
    return y


def from_lampas(y):
    """The same values as a PyTorch tensor."""
    y = y.detach()
    if y.dtype == lampas.bfloat16:
        return torch.from_numpy(y.float().numpy()).to(torch.bfloat16)
    return torch.from_numpy(y.numpy())


def tolerance(dtype):
    """(relative, absolute) for sums of some hundred products."""
    return {
        torch.float16: (2e-3, 2e-3),
        torch.bfloat16: (2e-2, 2e-2),
        torch.float64: (1e-10, 1e-10),
        torch.complex128: (1e-10, 1e-10),
    }.get(dtype, (1e-5, 1e-5))


def compare(got, expected, message=""):
    """Types, shapes and values; for tensors and tuples of them."""
    if isinstance(expected, (tuple, list)):
        assert len(got) == len(expected)
        for pair in zip(got, expected):
            compare(*pair, message)
        return
    if expected is None:
        assert got is None or not from_lampas(got).any()
        return
    value = from_lampas(got)
    assert value.dtype == expected.dtype, (message, value.dtype, expected.dtype)
    assert value.shape == expected.shape, (message, value.shape, expected.shape)
    rtol, atol = tolerance(expected.dtype)
    # Sums that cancel are as exact as their terms: errors count beside the largest element.
    if expected.numel() and expected.dtype != torch.bool:
        atol *= max(1.0, float(expected.detach().abs().nan_to_num(0, 0, 0).max()))
    torch.testing.assert_close(
        value,
        expected.detach(),
        rtol=rtol,
        atol=atol,
        equal_nan=True,
        msg=lambda m: f"{message}\n{m}",
    )


def both(function, tensors, orders=2, message=""):
    """Compares results and derivatives up to `orders`; function(module, *tensors) -> tensor(s)."""
    theirs = [
        None if x is None else x.detach().clone(memory_format=torch.preserve_format)
        for x in tensors
    ]
    ours = [None if x is None else to_lampas(x) for x in theirs]
    results = []
    for module, inputs in ((lampas, ours), (torch, theirs)):
        wanted = [
            x
            for x in inputs
            if x is not None and orders and x.dtype.is_floating_point | x.dtype.is_complex
        ]
        for x in wanted:
            x.requires_grad_()
        y = function(module, *inputs)
        results.append([y])
        if not orders:
            continue
        first = y[0] if isinstance(y, (tuple, list)) else y
        grads = module.autograd.grad(
            weighted(module, first), wanted, create_graph=orders > 1, allow_unused=True
        )
        results[-1].append(grads)
        live = [g for g in grads if g is not None and g.requires_grad]
        if orders > 1 and live:
            total = sum(weighted(module, g) for g in live)
            results[-1].append(module.autograd.grad(total, wanted, allow_unused=True))
    for got, expected, what in zip(*results, ("result", "gradient", "second gradient")):
        compare(got, expected, f"{message} {what}")


def weighted(module, y):
    """A sum in which every element counts differently."""
    n = y.numel()
    weights = (module.arange(n, dtype=module.float64) * 0.7).cos().reshape(y.shape).to(y.dtype)
    product = y * weights * y if y.dtype != module.float16 else y * weights
    total = product.sum()
    return total.real if total.dtype.is_complex else total
