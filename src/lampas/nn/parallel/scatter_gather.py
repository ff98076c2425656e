"""Inputs of a module cut over several GPUs, and its outputs joined again."""

import warnings

import lampas
from lampas.cuda import comm

__all__ = ["gather", "scatter", "scatter_kwargs"]


def _is_named(value):
    return isinstance(value, tuple) and hasattr(value, "_fields")


def scatter(inputs, target_gpus, dim=0):
    """A list with the share of each GPU: tensors are cut along `dim`, containers entry by entry.

    What is no tensor is given to every GPU as it is.
    """
    if isinstance(inputs, lampas.Tensor):
        return list(comm.scatter(inputs, target_gpus, dim=dim))
    count = len(target_gpus)
    if _is_named(inputs):
        return [type(inputs)(*share) for share in _shares(inputs, target_gpus, dim)]
    if isinstance(inputs, tuple) and inputs:
        return _shares(inputs, target_gpus, dim)
    if isinstance(inputs, list) and inputs:
        return [list(share) for share in _shares(inputs, target_gpus, dim)]
    if isinstance(inputs, dict) and inputs:
        shares = _shares(tuple(inputs.values()), target_gpus, dim)
        return [type(inputs)(zip(inputs, share)) for share in shares]
    return [inputs for _ in range(count)]


def _shares(values, target_gpus, dim):
    return list(zip(*(scatter(value, target_gpus, dim) for value in values)))


def scatter_kwargs(inputs, kwargs, target_gpus, dim=0):
    """(inputs, keywords) for each GPU, as many of one as of the other."""
    inputs = scatter(inputs, target_gpus, dim) if inputs else []
    kwargs = scatter(kwargs, target_gpus, dim) if kwargs else []
    inputs += [() for _ in range(len(kwargs) - len(inputs))]
    kwargs += [{} for _ in range(len(inputs) - len(kwargs))]
    return tuple(inputs), tuple(kwargs)


def gather(outputs, target_device, dim=0):
    """What several GPUs gave, joined along `dim` on one device (-1: the host), entry by entry.

    Raises:
        AssertionError: tensors on the CPU. ValueError: dicts with different keys.
    """
    first = outputs[0]
    if isinstance(first, lampas.Tensor):
        return _joined(outputs, target_device, dim)
    if first is None:
        return None
    if isinstance(first, dict):
        if not all(len(first) == len(each) for each in outputs):
            raise ValueError("All dicts must have the same number of keys")
        return type(first)(
            (key, gather([each[key] for each in outputs], target_device, dim)) for key in first
        )
    parts = (gather(each, target_device, dim) for each in zip(*outputs))
    return type(first)(*parts) if _is_named(first) else type(first)(parts)


def _joined(outputs, target_device, dim):
    if any(x.device.type == "cpu" for x in outputs):
        raise AssertionError("Gather function not implemented for CPU tensors")
    if all(x.dim() == 0 for x in outputs) and dim == 0:
        warnings.warn(
            "Was asked to gather along dimension 0, but all input tensors were scalars; will instead "
            "unsqueeze and return a vector.",
            stacklevel=3,
        )
        outputs = [x.view(1) for x in outputs]
    return comm.gather(outputs, dim, target_device)
