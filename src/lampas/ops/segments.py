"""Reductions of consecutive pieces of a tensor."""

import lampas
from lampas.ops.register import composite

_INF = float("inf")
_IDENTITY = {"sum": 0.0, "mean": None, "prod": 1.0, "max": -_INF, "min": _INF}
_OLDER_NAMES = {"amax": "max", "amin": "min"}


def _check_lengths(data, lengths, axis, unsafe):
    if lengths.dtype not in (lampas.int32, lampas.int64):
        from lampas.ops.matrix_checks import label

        raise NotImplementedError(
            f"\"_segment_reduce_lengths_cpu_kernel1\" not implemented for '{label(lengths.dtype)}'"
        )
    if unsafe:
        return
    if bool((lengths < 0).any()):
        raise RuntimeError("lengths contains negative value!")
    if bool((lengths.sum(-1) != data.shape[axis]).any()):
        raise RuntimeError(
            "segment_reduce(): Expected all rows of lengths along axis to sum to "
            "data.size(lengths.dim()-1) when !unsafe."
        )


def _reduced(pieces, reduce, initial):
    """One row of the result: a piece (n, ...) reduced, together with `initial`."""
    start = _IDENTITY[reduce] if initial is None else initial
    if not pieces.shape[0]:
        return pieces.new_full(pieces.shape[1:], float("nan") if start is None else start)
    if reduce == "mean":
        return (pieces.sum(0) + (start or 0.0)) / pieces.shape[0]
    if reduce == "sum":
        return pieces.sum(0) + start
    if reduce == "prod":
        return pieces.prod(0) * start
    return pieces.amax(0).clamp_min(start) if reduce == "max" else pieces.amin(0).clamp_max(start)


def _row_by_row(data, lengths, reduce, initial):
    if lengths.dim() > 1:
        rows = zip(data.unbind(0), lengths.unbind(0))
        return lampas.stack([_row_by_row(x, n, reduce, initial) for x, n in rows])
    sizes = lengths.tolist()
    pieces = data.narrow(0, 0, sum(sizes)).split(sizes)
    if not pieces:
        return data.new_empty((0, *data.shape[1:]))
    return lampas.stack([_reduced(piece, reduce, initial) for piece in pieces])


@composite
def segment_reduce(
    data, reduce, *, lengths=None, indices=None, offsets=None, axis=0, unsafe=False, initial=None
):
    """Each consecutive piece along `axis` reduced by "sum", "mean", "max", "min" or "prod".

    lengths: of the pieces, (..., pieces) with `axis` leading dimensions; or offsets: where they begin
    and, last, end. initial: takes part in every reduction; empty pieces give it, or the neutral element.
    """
    reduce = _OLDER_NAMES.get(reduce, reduce)
    if reduce not in _IDENTITY:
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    if indices is not None:
        raise RuntimeError("segment_reduce(): indices based reduction is not supported yet.")
    if offsets is not None:
        lengths = offsets.diff()
    elif lengths is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    axis = axis % data.dim()
    if lengths.dim() != axis + 1:
        raise RuntimeError("segment_reduce(): axis must be the last dimension of lengths.")
    _check_lengths(data, lengths, axis, unsafe)
    return _row_by_row(data, lengths, reduce, initial)
