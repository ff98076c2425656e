"""The forms of an operator: function, method, in place, out=, other layouts, gradients, wrong calls.

Each form is a generator of cases: it calls both libraries on the same sample and raises where they differ.
"""

import random

import numpy
import torch
from carry import Absent, to_lampas
from compare import Differs, agree

import lampas

# Results that a definition leaves open, so only dtype and shape count.
OPEN = set(
    "empty empty_like new_empty new_empty_strided empty_strided empty_permuted resize_ resize_as_ svd linalg.svd "
    "linalg.eig linalg.eigh pca_lowrank svd_lowrank geqrf linalg.lu_factor_ex lobpcg argsort unique_consecutive_unstable".split()
)


def seed(module):
    module.manual_seed(0)


def samples(op, dtype, requires_grad=False):
    """The database's samples, the same on every run."""
    for one in (torch.manual_seed, numpy.random.seed, random.seed):
        one(0)
    yield from op.sample_inputs("cpu", dtype, requires_grad=requires_grad)


def parts(sample):
    return sample.input, tuple(sample.args), dict(sample.kwargs)


def called(module, function, first, args, kwargs, **more):
    seed(module)
    return function(first, *args, **kwargs, **more)


def copied(value):
    """A sample's part with fresh memory, so that a call that writes spoils nothing."""
    if isinstance(value, torch.Tensor):
        if value.is_conj() or value.is_neg():  # the mark is lost on the way through the storage
            return value.detach().clone().requires_grad_(value.requires_grad)
        flat = torch.empty(0, dtype=value.dtype).set_(value.detach().untyped_storage().clone())
        x = flat.as_strided(value.shape, value.stride(), value.storage_offset())
        return x.requires_grad_(value.requires_grad) if value.requires_grad else x
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(copied(entry) for entry in value)
    if isinstance(value, dict):
        return {key: copied(entry) for key, entry in value.items()}
    return value


def both(op, function, sample, strides=True):
    """One form on one sample: PyTorch's result, then Lampas's, compared. None where PyTorch refuses."""
    first, args, kwargs = parts(sample)
    mine = to_lampas(function), to_lampas(first), to_lampas(args), to_lampas(kwargs)
    try:
        expected = called(torch, function, *(copied(part) for part in (first, args, kwargs)))
    except Exception:
        return None
    agree(called(lampas, *mine), expected, op.name not in OPEN, strides)
    return True


def function(op, dtype):
    """As a function, on every sample."""
    for sample in samples(op, dtype):
        yield lambda sample=sample: both(op, op.op, sample)


def method(op, dtype):
    """As a method of the first argument."""
    if op.method_variant and op.method_variant is not op.op:
        for sample in samples(op, dtype):
            if isinstance(sample.input, torch.Tensor):
                yield lambda sample=sample: both(op, op.method_variant, sample)


def layout(op, dtype):
    """On arguments that lie otherwise in memory: strided apart, transposed, at an offset."""
    for sample in samples(op, dtype):
        for change in (
            torch.testing._internal.common_utils.noncontiguous_like,
            _transposed,
            _behind,
        ):
            moved = sample.transform(lambda v, change=change: _moved(v, change))
            yield lambda moved=moved: both(op, op.op, moved, strides=False)


def _moved(value, change):
    if (
        not isinstance(value, torch.Tensor)
        or value.layout is not torch.strided
        or not value.numel()
    ):
        return value
    return change(value.detach())


def _transposed(x):
    return x.mT.contiguous().mT if x.dim() > 1 else _behind(x)


def _behind(x):
    return torch.cat([x.reshape(-1)[:1], x.reshape(-1)])[1:].view(x.shape)


def in_place(op, dtype):
    """Written into the first argument, whose values are compared."""
    if op.inplace_variant is None:
        return
    for sample in samples(op, dtype):
        if isinstance(sample.input, torch.Tensor) and not sample.broadcasts_input:
            yield lambda sample=sample: _in_place(op, sample)


def _in_place(op, sample):
    first, args, kwargs = parts(sample)
    mine = [to_lampas(part) for part in (first, args, kwargs)]
    theirs = [copied(part) for part in (first, args, kwargs)]
    try:
        called(torch, op.inplace_variant, *theirs)
    except Exception:
        return None
    result = called(lampas, to_lampas(op.inplace_variant), *mine)
    if result is not mine[0]:
        raise Differs("the result is not the tensor that was written")
    agree(mine[0], theirs[0], op.name not in OPEN)
    return True


def out(op, dtype):
    """Into given tensors: of the right size, and empty ones that must grow."""
    if not op.supports_out:
        return
    for sample in samples(op, dtype):
        yield lambda sample=sample: _out(op, sample, grow=False)
        yield lambda sample=sample: _out(op, sample, grow=True)


def _out(op, sample, grow):
    first, args, kwargs = parts(sample)
    try:
        plain = called(torch, op.op, *(copied(part) for part in (first, args, kwargs)))
        several = isinstance(plain, (tuple, list))
        given = [x.new_empty(0 if grow else x.shape) for x in (plain if several else [plain])]
        theirs = tuple(given) if several else given[0]
        mine = to_lampas(copied(theirs))
        called(torch, op.op, *(copied(part) for part in (first, args, kwargs)), out=theirs)
    except Exception:
        return None
    called(lampas, to_lampas(op.op), to_lampas(first), to_lampas(args), to_lampas(kwargs), out=mine)
    agree(mine, theirs, op.name not in OPEN, strides=False)
    return True


def gradient(op, dtype):
    """First derivatives with respect to every tensor that requires them, for fixed weights."""
    if (
        not op.supports_autograd
        or dtype not in op.supported_backward_dtypes("cpu")
        or op.name in OPEN
    ):
        return
    for sample in samples(op, dtype, requires_grad=True):
        yield lambda sample=sample: _gradient(op, sample)


def _gradient(op, sample):
    first, args, kwargs = parts(sample)
    mine = [to_lampas(part) for part in (first, args, kwargs)]
    theirs = [copied(part) for part in (first, args, kwargs)]
    try:
        expected = _gradients(torch, op.op, theirs, sample)
    except Exception:
        return None
    if expected is not None:
        agree(_gradients(lampas, to_lampas(op.op), mine, sample), expected, strides=False)
        return True


def _gradients(module, function, arguments, sample):
    result = called(module, function, *arguments)
    outputs = [x for x in leaves(module, sample.output_process_fn_grad(result)) if x.requires_grad]
    inputs = [x for x in leaves(module, arguments) if x.requires_grad]
    if not outputs or not inputs:
        return None
    weights = [module.linspace(0.5, 1.5, x.numel()).reshape(x.shape).to(x.dtype) for x in outputs]
    return module.autograd.grad(outputs, inputs, weights, allow_unused=True)


def leaves(module, value):
    """The tensors in nested containers, in order."""
    if isinstance(value, module.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [x for entry in value for x in leaves(module, entry)]
    return []


def errors(op, dtype):
    """Wrong calls of the database: the same exception type and text."""
    if op.error_inputs_func is None or dtype is not torch.float32:
        return
    seed(torch)
    for error in op.error_inputs("cpu"):
        yield lambda error=error: _error(op, error.sample_input)


def _error(op, sample):
    first, args, kwargs = parts(sample)
    mine = [to_lampas(part) for part in (first, args, kwargs)]
    function = to_lampas(op.op)
    try:
        called(torch, op.op, *(copied(part) for part in (first, args, kwargs)))
        return None
    except Exception as expected:
        theirs = expected
    try:
        called(lampas, function, *mine)
    except Absent:
        raise
    except Exception as got:
        texts = [str(e).split("\nhint:")[0].replace("lampas", "torch") for e in (got, theirs)]
        if not isinstance(got, type(theirs)) or texts[0] != texts[1]:
            raise Differs(f"{type(got).__name__}: {texts[0]!r} instead of {theirs!r}") from None
        return True
    raise Differs(f"no error instead of {theirs!r}")


FORMS = {
    "function": function, "method": method, "layout": layout, "in place": in_place, "out": out,
    "gradient": gradient, "errors": errors,
}  # fmt: skip
