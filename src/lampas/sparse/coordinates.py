"""Coordinates of COO tensors as numbers, and what is done with them: sorting, summing, looking up."""

import math

import lampas
from lampas.sparse.tensor import Coo, content, is_sparse


def keys(indices, sizes):
    """(dims, nnz) coordinates -> (nnz,) positions in row-major order. IndexError out of bounds."""
    total = lampas.zeros(indices.size(1), dtype=lampas.int64)
    if indices.size(1) == 0:
        return total
    for d, size in enumerate(sizes):
        row = indices[d]
        low, high = int(row.min()), int(row.max())
        if low < 0 or high >= size:
            wrong = low if low < 0 else high
            raise IndexError(f"index {wrong} is out of bounds for dimension {d} with size {size}")
        total = total * size + row
    return total


def coordinates(positions, sizes):
    """The inverse of `keys`: (n,) -> (dims, n)."""
    rows = []
    for size in reversed(sizes):
        rows.append(positions % max(size, 1))
        positions = positions // max(size, 1)
    rows.reverse()
    return lampas.stack(rows) if rows else lampas.zeros(0, len(positions), dtype=lampas.int64)


def sparse_sizes(c):
    """The sizes of the dims that coordinates name."""
    return c.size[: c.sparse_dim]


def summed(positions, values, sizes, size):
    """The coalesced Coo of values at positions, those at one position added in order."""
    if len(positions) == 0:
        indices = lampas.zeros(len(sizes), 0, dtype=lampas.int64)
        return Coo(indices, values, size, True)
    found, place = lampas.unique(positions, return_inverse=True)
    wide = values.dtype is lampas.bool
    total = lampas.zeros(
        len(found), *values.shape[1:], dtype=lampas.uint8 if wide else values.dtype
    )
    total = total.index_add(0, place, values.to(total.dtype))
    return Coo(coordinates(found, sizes), total.to(values.dtype), size, True)


def coalesced(c):
    """The same elements, each coordinate once and in order."""
    if c.coalesced:
        return c
    sizes = sparse_sizes(c)
    return summed(keys(c.indices, sizes), c.values, sizes, c.size)


def dense(c):
    """The dense tensor of a Coo."""
    sizes = sparse_sizes(c)
    wide = c.values.dtype is lampas.bool
    flat = lampas.zeros(
        math.prod(sizes), *c.values.shape[1:], dtype=lampas.uint8 if wide else c.values.dtype
    )
    flat = flat.index_add(0, keys(c.indices, sizes), c.values.to(flat.dtype))
    return flat.reshape(c.size).to(c.values.dtype)


def values_at(x, c):
    """Values of a tensor (dense, or sparse with as many sparse dims) at the coordinates of c."""
    sizes = sparse_sizes(c)
    wanted = keys(c.indices, sizes)
    if not is_sparse(x):
        shape = (math.prod(sizes), *c.size[c.sparse_dim :])
        return x.reshape(shape).index_select(0, wanted)
    found = as_coo(content(x))
    if found.sparse_dim != c.sparse_dim:
        return values_at(dense(found), c)
    found = coalesced(found)
    have = keys(found.indices, sizes)
    result = lampas.zeros(len(wanted), *c.size[c.sparse_dim :], dtype=found.values.dtype)
    if len(have) == 0:
        return result
    place = lampas.searchsorted(have, wanted).clamp_max(len(have) - 1)
    hit = lampas.nonzero(have[place] == wanted).reshape(-1)
    result[hit] = found.values.index_select(0, place[hit])
    return result


def as_coo(c):
    """A Coo of the same elements."""
    if isinstance(c, Coo):
        return c
    lines = c.outer.diff().to(lampas.int64)
    line = lampas.repeat_interleave(lampas.arange(len(lines)), lines)
    inner = c.inner.to(lampas.int64)
    rows = (line, inner) if c.by_rows else (inner, line)
    made = Coo(lampas.stack(rows), c.values, c.size, c.by_rows)
    return made if c.by_rows else coalesced(made)
