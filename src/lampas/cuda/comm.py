"""Tensors copied, cut and summed over several GPUs. Gradients flow back through all of it."""

import lampas
from lampas import _core
from lampas._utils import _get_device_index
from lampas.cuda._streams import StreamContext, index_of

__all__ = [
    "broadcast", "broadcast_coalesced", "gather", "reduce_add", "reduce_add_coalesced", "scatter",
]  # fmt: skip


def on(device):
    """The device of a number, a name or a device; None: the current GPU."""
    return _core.device("cuda", index_of(device))


def broadcast(tensor, devices=None, *, out=None):
    """A tuple of copies of a tensor, one on each device; the tensor itself where it is there.

    out: tensors to fill, one on each device, instead of `devices`. RuntimeError for both or none.
    """
    if (devices is None) == (out is None):
        raise RuntimeError(
            "Exactly one of 'devices' and 'out' must be specified, but got "
            f"devices={devices} and out={out}"
        )
    if out is None:
        return tuple(tensor.to(on(device), non_blocking=True) for device in devices)
    for target in out:
        if target.shape != tensor.shape:
            raise RuntimeError(
                f"Expected all output shapes to be {list(tensor.shape)}, got {list(target.shape)}"
            )
        target.copy_(tensor, non_blocking=True)
    return tuple(out)


def broadcast_coalesced(tensors, devices, buffer_size=10485760):
    """For each device a list of copies of all tensors."""
    return [[broadcast(t, [device])[0] for t in tensors] for device in devices]


def reduce_add(inputs, destination=None):
    """The sum of tensors of one shape on several GPUs, on one of them.

    Raises:
        AssertionError: an input on the CPU. ValueError: shapes differ, or there are no inputs.
    """
    destination = on(destination)
    for i, x in enumerate(inputs):
        if x.device.type == "cpu":
            raise AssertionError(
                f"reduce_add expects all inputs to be on GPUs, but input {i} is on CPU"
            )
        if x.shape != inputs[0].shape:
            expected, got = "x".join(map(str, inputs[0].shape)), "x".join(map(str, x.shape))
            raise ValueError(f"input {i} has invalid size: got {got}, but expected {expected}")
    if not inputs:
        raise RuntimeError(
            "reduce_add expects destination to be on the same GPU with one of the tensors"
        )
    total = inputs[0].to(destination, non_blocking=True)
    for x in inputs[1:]:
        total = total + x.to(destination, non_blocking=True)
    return total


def reduce_add_coalesced(inputs, destination=None, buffer_size=10485760):
    """The sums of lists of tensors: the first of each list, the second of each, and so on."""
    return tuple(reduce_add(each, destination) for each in zip(*inputs))


def scatter(tensor, devices=None, chunk_sizes=None, dim=0, streams=None, *, out=None):
    """A tuple of pieces of a tensor along `dim`, one on each device.

    chunk_sizes: of the pieces; None: as `chunk`. streams: whose work the copies are, one each.
    out: tensors to fill, whose sizes are those of the pieces.
    """
    if out is not None:
        pieces = tensor.split([target.shape[dim] for target in out], dim)
        for target, piece in zip(out, pieces):
            target.copy_(piece, non_blocking=True)
        return tuple(out)
    devices = [on(device) for device in devices]
    pieces = (
        tensor.split(list(chunk_sizes), dim) if chunk_sizes else tensor.chunk(len(devices), dim)
    )
    streams = streams or [None] * len(devices)
    moved = []
    for piece, device, stream in zip(pieces, devices, streams):
        with StreamContext(stream):
            moved.append(piece.to(device, non_blocking=True))
    return tuple(moved)


def gather(tensors, dim=0, destination=None, *, out=None):
    """Tensors of several GPUs joined along `dim`, on one device ("cpu" or -1 for the host)."""
    if out is None:
        host = destination in (-1, "cpu") or getattr(destination, "type", "") == "cpu"
        target = _core.device("cpu") if host else on(destination)
        return lampas.cat([t.to(target, non_blocking=not host) for t in tensors], dim)
    start = 0
    for t in tensors:
        out.narrow(dim, start, t.shape[dim]).copy_(t, non_blocking=out.is_cuda)
        start += t.shape[dim]
    return out


def device_index(device):
    """The number of a device; -1 for the CPU."""
    return _get_device_index(device, optional=True, allow_cpu=True)
