"""Calls of Lampas and PyTorch on equal inputs: values, gradients and gradients of gradients."""

import torch

import lampas


def twin(x):
    """The Lampas tensor equal to a PyTorch one, in the same memory format."""
    if not isinstance(x, torch.Tensor):
        return x
    plain = x.detach().float() if x.dtype in (torch.float16, torch.bfloat16) else x.detach()
    dtype = getattr(lampas, str(x.dtype).removeprefix("torch."))
    y = lampas.tensor(plain.tolist(), dtype=dtype).reshape(tuple(x.shape))
    if (
        x.dim() == 4
        and not x.is_contiguous()
        and x.is_contiguous(memory_format=torch.channels_last)
    ):
        y = y.contiguous(memory_format=lampas.channels_last)
    return y.requires_grad_(x.requires_grad)


def back(y):
    """A Lampas tensor as a PyTorch one."""
    dtype = getattr(torch, str(y.dtype).removeprefix("torch."))
    return torch.tensor(y.detach().tolist(), dtype=dtype).reshape(tuple(y.shape))


def assert_agree(function, *args, second=True, rtol=None, atol=None, outputs=lambda r: r):
    """`function(module, *args)` and its derivatives agree; args are PyTorch tensors or plain values."""
    results = []
    for module in (torch, lampas):
        inputs = [x.detach().clone().requires_grad_(x.requires_grad) if module is torch and isinstance(x, torch.Tensor)
                  else x if module is torch else twin(x) for x in args]  # fmt: skip
        results.append(_derivatives(module, function, inputs, second, outputs))
    for expected, got in zip(*results):
        torch.testing.assert_close(
            back(got), expected.detach(), rtol=rtol, atol=atol, equal_nan=True
        )


def _derivatives(module, function, inputs, second, outputs):
    found = outputs(function(module, *inputs))
    found = list(found) if isinstance(found, (tuple, list)) else [found]
    leaves = [x for x in inputs if isinstance(x, module.Tensor) and x.requires_grad]
    values = [y for y in found if y.requires_grad]
    if not leaves or not values:
        return found
    loss = sum(_weighed(module, y) for y in values)
    grads = module.autograd.grad(loss, leaves, create_graph=second, allow_unused=True)
    grads = [g for g in grads if g is not None]
    if second:
        again = [_weighed(module, g) for g in grads if g.requires_grad]
        if again:
            seconds = module.autograd.grad(sum(again), leaves, allow_unused=True)
            grads += [g for g in seconds if g is not None]
    return found + grads


def _weighed(module, y):
    """A sum in which every element has its own weight."""
    count = y.numel()
    weights = module.arange(1, count + 1, dtype=module.float64) / max(count, 1)
    flat = y.abs().square() if y.is_complex() else y
    return (flat.reshape(-1).to(module.float64) * weights).sum()
