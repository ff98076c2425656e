"""Which values occur, and how often: unique, histograms over several edges."""

import lampas
from lampas import _core
from lampas.ops.reduction import type_label
from lampas.ops.register import composite


def _chosen(found, return_inverse, return_counts):
    values, inverse, counts = found
    if not (return_inverse or return_counts):
        return values
    return (values, *([inverse] if return_inverse else []), *([counts] if return_counts else []))


@composite(method=True)
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements, ascending; with `dim` the distinct slices along it.

    Returns the values, then (if asked for) where each element of the input went, and how often
    each occurs.
    """
    if dim is None:
        found = _core._unique2(input, sorted, return_inverse, return_counts)
    else:
        found = _core.unique_dim(input, dim, sorted, return_inverse, return_counts)
    return _chosen(found, return_inverse, return_counts)


@composite(method=True)
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """As unique, but only repeats that follow each other are merged."""
    found = _core._unique_consecutive(input, return_inverse, return_counts, dim)
    return _chosen(found, return_inverse, return_counts)


def _edges_between(values, bins, low, high):
    if low == high:
        low, high = low - 0.5, high + 0.5
    return lampas.linspace(low, high, bins + 1, dtype=values.dtype, device=values.device)


def _limits(values, range, places):
    """(low, high) for each column in `places`: given, or from the data."""
    if range is not None:
        return [(range[2 * i], range[2 * i + 1]) for i in places]
    if not values.numel():
        return [(0.0, 1.0) for _ in places]
    lows, highs = values.min(0).values.tolist(), values.max(0).values.tolist()
    return [(lows[i], highs[i]) for i in places]


def _check_range(name, range, count):
    if range is None:
        return
    if len(range) != 2 * count:
        raise RuntimeError(
            f"{name}: 'range' should contain {2 * count} elements but got {len(range)}"
        )
    for low, high in zip(range[::2], range[1::2]):
        if not low <= high:
            raise RuntimeError(f"{name}: min should not exceed max, but got min {low} max {high}")


def _counted(values, edges, weight, density):
    """values (N, D) counted in the cells between edges; the last cell includes its end."""
    shape = [len(e) - 1 for e in edges]
    flat = lampas.zeros(values.shape[0], dtype=lampas.int64, device=values.device)
    inside = lampas.ones(values.shape[0], dtype=lampas.bool, device=values.device)
    for d, line in enumerate(edges):
        column = values[:, d].contiguous()
        place = lampas.searchsorted(line, column, right=True) - 1
        place = place.clamp(0, shape[d] - 1)
        inside = inside & (column >= line[0]) & (column <= line[-1])
        flat = flat * shape[d] + place
    total = 1
    for size in shape:
        total *= size
    kept = flat[inside]
    amounts = lampas.ones_like(kept, dtype=values.dtype) if weight is None else weight[inside]
    counts = lampas.zeros(total, dtype=values.dtype, device=values.device)
    counts = counts.index_add(0, kept, amounts).reshape(shape)
    if density:
        counts = counts / counts.sum()
        for d, line in enumerate(edges):
            across = [-1 if i == d else 1 for i in range_(len(shape))]
            counts = counts / (line[1:] - line[:-1]).reshape(across)
    return counts


range_ = range  # `range` is PyTorch's name for an argument below


@composite(method=True, out=True)
def histogram(input, bins, *, range=None, weight=None, density=False):
    """Counts (or weights, or a density) of elements between edges.

    bins: how many of equal width between the limits of `range` (default: of the data), or the
    1-d edges.
    Returns (hist, bin_edges).
    """
    if not input.is_floating_point():
        raise RuntimeError('"histogram_cpu" not implemented for ' + repr(type_label(input.dtype)))
    if weight is not None and weight.shape != input.shape:
        raise RuntimeError(
            "histogramdd: if weight tensor is provided it should have the same shape as the input "
            "tensor excluding its innermost dimension, but got input with shape "
            f"{[input.numel(), 1]} and weight with shape {[weight.numel()]}"
        )
    values = input.detach().reshape(-1, 1)
    if isinstance(bins, lampas.Tensor):
        if bins.dim() != 1 or not bins.numel():
            raise RuntimeError("histogram(): bins tensor should have one non-empty dimension")
        edges = bins.detach().clone()
    else:
        if bins <= 0:
            raise RuntimeError(f"histogram(): bins must be > 0, but got {bins} for dimension 0")
        _check_range("histogram()", range, 1)
        edges = _edges_between(values, bins, *_limits(values, range, [0])[0])
    flat = None if weight is None else weight.reshape(-1)
    from lampas import return_types

    made = return_types.make("histogram", ("hist", "bin_edges"))
    return made((_counted(values, [edges], flat, density), edges))


@composite
def histogramdd(input, bins, *, range=None, weight=None, density=False):
    """As histogram, of points (..., D). bins: one number, D numbers, or D tensors of edges."""
    if input.dim() < 2:
        raise RuntimeError(
            "torch.histogramdd: input tensor should have at least 2 dimensions, but got "
            f"{input.dim()}"
        )
    count = input.shape[-1]
    values = input.detach().reshape(-1, count)
    bins = [bins] * count if isinstance(bins, int) else list(bins)
    if len(bins) != count and not any(isinstance(b, lampas.Tensor) for b in bins):
        raise RuntimeError(
            "histogramdd: The size of bins must be equal to the innermost dimension of the input."
        )
    if len(bins) != count:
        raise RuntimeError(
            f"torch.histogramdd(): expected {count} sequences of bin edges for a "
            f"{count}-dimensional histogram but got {len(bins)}"
        )
    _check_range("torch.histogramdd()", range, count)
    limits = _limits(values, range, range_(count))
    edges = tuple(
        b if isinstance(b, lampas.Tensor) else _edges_between(values, b, *limits[i])
        for i, b in enumerate(bins)
    )
    flat = None if weight is None else weight.reshape(-1)
    from lampas import return_types

    made = return_types.make("histogramdd", ("hist", "bin_edges"))
    return made((_counted(values, edges, flat, density), tuple(edges)))
