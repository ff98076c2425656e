"""Numerical derivatives of sampled functions."""

import lampas
from lampas import _core
from lampas.ops.register import composite

Tensor = _core.Tensor


def _wrapped(dims, rank):
    wrapped = []
    for d in dims:
        if not -rank <= d < rank:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {d})"
            )
        if d % rank in wrapped:
            raise RuntimeError(f"dim {d % rank} appears multiple times in the list of dims")
        wrapped.append(d % rank)
    return wrapped


def _spacings(input, spacing, dim):
    """One spacing (a number or a vector of places) per differentiated dimension."""
    if not isinstance(spacing, (tuple, list)):
        if isinstance(spacing, Tensor):
            raise TypeError("gradient(): argument 'spacing' must be a number or a list, not Tensor")
        return [1 if spacing is None else spacing] * len(dim[1])
    if len(spacing) != len(dim[1]):
        if dim[0] is None:
            rule = f"length equal to 'self.dim() = {input.dim()}', since dim argument was not given"
            raise RuntimeError(
                "torch.gradient expected spacing to be unspecified, a scalar, or a list of "
                f"{rule}, but got a list of length {len(spacing)}"
            )
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments "
            f"to have the same length, but got a spacing argument of length {len(spacing)} and a dim "
            f"argument of length {len(dim[1])}."
        )
    return list(spacing)


def _along(x, dim, start, stop):
    n = x.shape[dim]
    stop = n + stop if stop < 0 else stop
    return x.narrow(dim, start, stop - start)


def _even(x, h, dim, order):
    """Derivative along dim of samples a distance h apart."""
    n = x.shape[dim]
    at = [x.narrow(dim, i, 1) for i in (0, 1, n - 2, n - 1)]
    middle = (_along(x, dim, 2, n) - _along(x, dim, 0, n - 2)) / (2 * h)
    if order == 1:
        first, last = (at[1] - at[0]) / h, (at[3] - at[2]) / h
    else:
        first = (4 * at[1] - 3 * at[0] - x.narrow(dim, 2, 1)) / (2 * h)
        last = (3 * at[3] - 4 * at[2] + x.narrow(dim, n - 3, 1)) / (2 * h)
    return lampas.cat((first, middle, last), dim)


def _uneven(x, places, dim, order):
    """Derivative along dim of samples at `places` by parabolas through three neighbours."""
    n = x.shape[dim]
    steps = places[1:] - places[:-1]
    shape = [1] * x.dim()
    shape[dim] = -1
    left, right = steps[:-1].reshape(shape), steps[1:].reshape(shape)
    slopes = (_along(x, dim, 1, n) - _along(x, dim, 0, n - 1)) / steps.reshape(shape)
    low, high = slopes.narrow(dim, 0, n - 2), slopes.narrow(dim, 1, n - 2)
    middle = (left * high + right * low) / (left + right)
    first, last = slopes.narrow(dim, 0, 1), slopes.narrow(dim, n - 2, 1)
    if order == 2:
        bend = (high - low) / (left + right)
        first = first - bend.narrow(dim, 0, 1) * left.narrow(dim, 0, 1)
        last = last + bend.narrow(dim, n - 3, 1) * right.narrow(dim, n - 3, 1)
    return lampas.cat((first, middle, last), dim)


@composite
def gradient(input, *, spacing=1, dim=None, edge_order=1):
    """Derivatives along each dimension in `dim` (default: all), as a tuple, from central differences.

    spacing: a number, or per dimension a number or the vector of places. edge_order: 1 or 2, the
    order of the one-sided differences at both ends.
    """
    chosen = range(input.dim()) if dim is None else [dim] if isinstance(dim, int) else dim
    dims = _wrapped(chosen, max(input.dim(), 1))
    spacings = _spacings(input, spacing, (dim, dims))
    if input.dtype is lampas.uint8:
        raise RuntimeError("torch.gradient does not support uint8 input.")
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    results = []
    for d, h in zip(dims, spacings):
        if input.dim() == 0 or input.shape[d] < edge_order + 1:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least edge_order+1"
            )
        if isinstance(h, Tensor) and h.dim():
            results.append(_uneven(input, h, d, edge_order))
        else:
            results.append(_even(input, h, d, edge_order))
    return tuple(results)
