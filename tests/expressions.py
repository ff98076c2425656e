"""Expressions in `t` (the module) and tensors, evaluated under Lampas and PyTorch and compared: values,
types, shapes, strides, place in memory, node names, and gradients of first and second order."""

import numpy
import torch

import lampas

LAYOUTS = {
    "contiguous": lambda t, x: x,
    "transposed": lambda t, x: x.transpose(0, 2),
    "permuted": lambda t, x: x.permute(1, 2, 0),
    "strided": lambda t, x: x[:, ::2],
    "expanded": lambda t, x: x[:1].expand(3, *x.shape[1:]),
    "channels": lambda t, x: x[None].contiguous(memory_format=t.channels_last)[0],
}


def cases(table):
    """The expressions of a table: lines, cut at '|'."""
    return [case.strip() for line in table.strip().splitlines() for case in line.split(" | ")]


def tensors(result):
    """The tensors of a result, in order."""
    if isinstance(result, (tuple, list)):
        return [t for part in result for t in tensors(part)]
    return [result]


def array_of(x):
    """A tensor's values as an array, bfloat16 as float32."""
    x = x.detach()
    return (x.float() if str(x.dtype).endswith("bfloat16") else x).numpy()


def same(mine, theirs, strides=True, **tolerance):
    """Assert that two tensors agree in type, shape, strides and values."""
    assert str(mine.dtype) == str(theirs.dtype)
    assert tuple(mine.shape) == tuple(theirs.shape)
    if strides and mine.numel():
        assert mine.stride() == theirs.stride()
    numpy.testing.assert_allclose(array_of(mine), array_of(theirs), equal_nan=True, **tolerance)


def inputs(module, array, layout, requires_grad):
    """The leaf, and the leaf as the layout shows it."""
    leaf = module.from_numpy(array.copy())
    if requires_grad:
        leaf.requires_grad_()
    return leaf, LAYOUTS[layout](module, leaf)


def results(case, array, layout="contiguous", requires_grad=False):
    """((leaf, tensors) under Lampas, (leaf, tensors) under PyTorch)."""
    found = []
    for module in (lampas, torch):
        leaf, x = inputs(module, array, layout, requires_grad)
        found.append((leaf, x, tensors(eval(case, {"torch": module, "t": module, "x": x}))))
    return found


def check_values(case, array, layout="contiguous", strides=True):
    """Values, strides, and whether the result lies in the input's memory at the same place."""
    (_, mine_x, mine), (_, theirs_x, theirs) = results(case, array, layout)
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs):
        same(a, b, strides)
        if a.numel():
            inside = theirs_x.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()
            assert inside == (mine_x.untyped_storage().data_ptr() == a.untyped_storage().data_ptr())
            if inside:
                assert a.storage_offset() == b.storage_offset()


def check_gradients(case, array, layout="contiguous", names=True):
    """Node names, and gradients of first and second order for fixed weights."""
    mine_result, theirs_result = results(case, array, layout, requires_grad=True)
    firsts, seconds = [], []
    for module, (leaf, _, ys) in ((lampas, mine_result), (torch, theirs_result)):
        total = 0
        for y in ys:
            if y.requires_grad:
                weight = module.arange(y.numel(), dtype=y.dtype).reshape(y.shape) / 7 + 0.5
                total = total + (y * y * weight).sum()
        (first,) = module.autograd.grad(total, leaf, create_graph=True)
        firsts.append(first)
        if first.requires_grad:
            weight = module.arange(leaf.numel(), dtype=leaf.dtype).reshape(leaf.shape) / 5 - 1
            seconds.append(module.autograd.grad((first * weight).sum(), leaf)[0])
    same(*firsts, strides=False, rtol=1e-6, atol=1e-8)
    assert len(seconds) != 1
    if seconds:
        same(*seconds, strides=False, rtol=1e-6, atol=1e-8)
    if names:
        for a, b in zip(mine_result[2], theirs_result[2]):
            assert (a.grad_fn and a.grad_fn.name()) == (b.grad_fn and b.grad_fn.name())
