"""Collective operations in a world of one process: what one rank gets from itself.

Arguments are checked as PyTorch's gloo backend does, so that a mistake shows before the program
meets a larger world. Tensors of objects travel by copy.
"""

import copy
import warnings

import lampas
from lampas.autograd.grad_mode import no_grad
from lampas.distributed.world import GroupMember, ReduceOp, Work, member

__all__ = [
    "all_gather", "all_gather_into_tensor", "all_gather_object", "all_gather_single", "all_reduce", "all_to_all",
    "all_to_all_single", "barrier", "broadcast", "broadcast_object_list", "gather", "gather_object",
    "monitored_barrier", "reduce", "reduce_scatter", "reduce_scatter_single", "reduce_scatter_tensor", "scatter",
    "scatter_object_list",
]  # fmt: skip


def _checked(value, name):
    if not isinstance(value, lampas.Tensor):
        raise TypeError(
            f"Invalid function argument. Expected parameter `{name}` of type torch.Tensor\n"
            f"             but got {type(value)} instead."
        )
    return value


def _checked_list(values, name):
    if not isinstance(values, list) or not all(isinstance(v, lampas.Tensor) for v in values):
        raise TypeError(
            f"Invalid function argument. Expected parameter `{name}` of type List[torch.Tensor]\n"
            f"             but got {type(values)} with elements of type "
            f"{[type(v) for v in values] if isinstance(values, list) else values}."
        )
    return values


def _root(rank, group_rank, what):
    """Refuses another root than rank 0."""
    rank = group_rank if rank is None else rank
    if rank not in (None, 0):
        raise RuntimeError(f"ProcessGroupGloo::{what}: invalid root rank: {rank}")


def _outside(group):
    """Whether this process is not in the group, so that nothing happens."""
    return member(group) == GroupMember.NON_GROUP_MEMBER


def _write(targets, sources, what):
    """Copies each source into its target, which has its shape and dtype."""
    if len(targets) != len(sources):
        raise RuntimeError(
            f"ProcessGroupGloo::{what}: invalid output tensor list at index 0 "
            f"(expected length {len(sources)}, got {len(targets)})"
        )
    for target, source in zip(targets, sources):
        if target.dtype != source.dtype:
            raise ValueError(
                f"Invalid usage of tensors with different dtypesFound {target.dtype} and  {source.dtype}"
            )
        if target.shape != source.shape:
            raise RuntimeError(
                f"ProcessGroupGloo::{what}: invalid tensor size at index 0 "
                f"(expected {_shape(source)}, got {_shape(target)})"
            )
    with no_grad():
        for target, source in zip(targets, sources):
            target.copy_(source)


def _shape(tensor):
    return "(" + ", ".join(map(str, tensor.shape)) + ")"


def _flat(target, source, what):
    """Copies the elements of `source` into `target`, which has as many in whatever shape."""
    if target.numel() != source.numel():
        raise ValueError(
            f"{what}: the output has {target.numel()} elements, but {source.numel()} are needed in a "
            "world of one process"
        )
    _write([target.view(-1)], [source.reshape(-1)], what)


def _done(tensors, async_op):
    return Work(tensors) if async_op else None


def all_reduce(tensor, op=ReduceOp.SUM, group=None, async_op=False):
    """The reduction over all ranks, in place: the tensor itself."""
    _checked(tensor, "tensor")
    return None if _outside(group) else _done([tensor], async_op)


def reduce(tensor, dst=None, op=ReduceOp.SUM, group=None, async_op=False, group_dst=None):
    """The reduction over all ranks, in place on rank `dst`."""
    _checked(tensor, "tensor")
    if _outside(group):
        return None
    _root(dst, group_dst, "reduce")
    return _done([tensor], async_op)


def broadcast(tensor, src=None, group=None, async_op=False, group_src=None):
    """The tensor of rank `src`, in place."""
    _checked(tensor, "tensor")
    if _outside(group):
        return None
    _root(src, group_src, "broadcast")
    return _done([tensor], async_op)


def all_gather(tensor_list, tensor, group=None, async_op=False):
    """Writes the tensor of each rank into a list of tensors, one a rank."""
    _checked_list(tensor_list, "tensor_list")
    _checked(tensor, "tensor")
    if _outside(group):
        return None
    _write(tensor_list, [tensor], "allgather")
    return _done(tensor_list, async_op)


def all_gather_single(output_tensor, input_tensor, group=None, async_op=False):
    """Writes the tensors of all ranks into one, behind each other or stacked."""
    _checked(output_tensor, "output_tensor")
    _checked(input_tensor, "input_tensor")
    if _outside(group):
        return None
    _flat(output_tensor, input_tensor, "all_gather_into_tensor")
    return _done([output_tensor], async_op)


def all_gather_into_tensor(output_tensor, input_tensor, group=None, async_op=False):
    """The older name of all_gather_single."""
    _renamed("all_gather_into_tensor", "all_gather_single")
    return all_gather_single(output_tensor, input_tensor, group, async_op)


def _renamed(old, new):
    warnings.warn(
        f"`torch.distributed.{old}` is deprecated. Please use `torch.distributed.{new}` instead.",
        FutureWarning,
        stacklevel=3,
    )


def gather(tensor, gather_list=None, dst=None, group=None, async_op=False, group_dst=None):
    """Writes the tensor of each rank into a list of tensors on rank `dst`."""
    _checked(tensor, "tensor")
    if _outside(group):
        return None
    _root(dst, group_dst, "gather")
    if not gather_list:
        raise ValueError("Argument ``gather_list`` must be specified on destination rank.")
    _write(_checked_list(gather_list, "gather_list"), [tensor], "gather")
    return _done(gather_list, async_op)


def scatter(tensor, scatter_list=None, src=None, group=None, async_op=False, group_src=None):
    """Writes into `tensor` this rank's part of the list on rank `src`."""
    _checked(tensor, "tensor")
    if _outside(group):
        return None
    _root(src, group_src, "scatter")
    if not scatter_list:
        raise ValueError("Argument ``scatter_list`` must be specified on source rank.")
    _write([tensor], _checked_list(scatter_list, "scatter_list"), "scatter")
    return _done([tensor], async_op)


def reduce_scatter(output, input_list, op=ReduceOp.SUM, group=None, async_op=False):
    """Reduces lists of tensors over all ranks; each rank gets its part."""
    _checked(output, "output")
    _checked_list(input_list, "input_list")
    if _outside(group):
        return None
    _write([output], input_list, "reduce_scatter")
    return _done([output], async_op)


def reduce_scatter_tensor(output, input, op=ReduceOp.SUM, group=None, async_op=False):
    """The older name of reduce_scatter_single."""
    _renamed("reduce_scatter_tensor", "reduce_scatter_single")
    return reduce_scatter_single(output, input, op, group, async_op)


def reduce_scatter_single(output, input, op=ReduceOp.SUM, group=None, async_op=False):
    """Reduces a tensor over all ranks; each rank gets its part."""
    _checked(output, "output")
    _checked(input, "input")
    if _outside(group):
        return None
    _flat(output, input, "reduce_scatter_tensor")
    return _done([output], async_op)


def all_to_all(output_tensor_list, input_tensor_list, group=None, async_op=False):
    """Each rank sends one tensor to each rank."""
    _checked_list(output_tensor_list, "output_tensor_list")
    _checked_list(input_tensor_list, "input_tensor_list")
    if _outside(group):
        return None
    _write(output_tensor_list, input_tensor_list, "alltoall")
    return _done(output_tensor_list, async_op)


def all_to_all_single(
    output, input, output_split_sizes=None, input_split_sizes=None, group=None, async_op=False
):
    """Each rank sends one slice of a tensor to each rank."""
    _checked(output, "output")
    _checked(input, "input")
    if _outside(group):
        return None
    _flat(output, input, "all_to_all_single")
    return _done([output], async_op)


def barrier(group=None, async_op=False, device_ids=None):
    """Waits for all ranks: for nobody."""
    return None if _outside(group) else _done([], async_op)


def monitored_barrier(group=None, timeout=None, wait_all_ranks=False):
    """Waits for all ranks: for nobody."""
    member(group)


def all_gather_object(object_list, obj, group=None):
    """Puts a copy of each rank's object into the list."""
    if not _outside(group):
        object_list[0] = copy.deepcopy(obj)


def gather_object(obj, object_gather_list=None, dst=None, group=None, group_dst=None):
    """Puts a copy of each rank's object into the list on rank `dst`."""
    if _outside(group):
        return
    _root(dst, group_dst, "gather")
    if not object_gather_list:
        raise ValueError("Argument ``object_gather_list`` must be specified on destination rank.")
    object_gather_list[0] = copy.deepcopy(obj)


def broadcast_object_list(
    object_list, src=None, group=None, device=None, group_src=None, **options
):
    """Replaces the objects by those of rank `src`: they stay."""
    if not _outside(group):
        _root(src, group_src, "broadcast")


def scatter_object_list(
    scatter_object_output_list, scatter_object_input_list=None, src=None, group=None, group_src=None
):
    """Puts into the output list this rank's object of the list on rank `src`."""
    if _outside(group):
        return
    _root(src, group_src, "scatter")
    if not isinstance(scatter_object_output_list, list) or not scatter_object_output_list:
        raise ValueError(
            "Expected argument scatter_object_output_list to be a list of size at least 1."
        )
    if not scatter_object_input_list:
        raise ValueError("source rank must provide non-None scatter_object_input_list")
    scatter_object_output_list[0] = copy.deepcopy(scatter_object_input_list[0])


def _to_nobody(kind, rank_of):
    """An operation between two ranks: there is no second."""

    def refuse(tensor, peer=None, group=None, tag=0, **options):
        member(group)
        peer = options.get(f"group_{rank_of}", peer) if peer is None else peer
        peer = options.get(rank_of, peer) if peer is None else peer
        if peer in (0, None):
            raise ValueError(
                f"Invalid {kind} rank: {kind} rank should not be the same as the rank of the "
                "current process."
            )
        raise ValueError(f"rank {peer} is out of range for a world of one process")

    return refuse


for _name in ("send", "isend", "send_object_list", "recv", "irecv", "recv_object_list"):
    _sends = "send" in _name
    _call = _to_nobody("destination" if _sends else "source", "dst" if _sends else "src")
    _call.__name__ = _call.__qualname__ = _name
    _call.__doc__ = "Between two ranks: raises ValueError in a world of one process."
    globals()[_name] = _call
    __all__.append(_name)
