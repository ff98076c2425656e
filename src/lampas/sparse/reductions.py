"""Sums, norms and softmax of sparse tensors."""

import lampas
from lampas.sparse import coordinates as at
from lampas.sparse.conversion import coalesce, coo_of, like_pattern, values
from lampas.sparse.nodes import node, refuse_gradient
from lampas.sparse.tensor import Coo, content, is_sparse, make, rule


def _wrapped(dim, n):
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    for d in dims:
        if not -max(n, 1) <= d < max(n, 1):
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {d})"
            )
    return sorted({d % n for d in dims})


def _everywhere(g, args, _):
    return [g.expand(tuple(args[0].shape))]


_total = node("SumBackward0", lambda x: content(x).values.sum(), _everywhere)


def _sum_over(x, dims, keepdim):
    c = coo_of(x)
    inner = [d - c.sparse_dim + 1 for d in dims if d >= c.sparse_dim]
    values = c.values.sum(inner, keepdim=keepdim) if inner else c.values
    kept = [d for d in range(c.sparse_dim) if d not in dims]
    sizes = at.sparse_sizes(c)
    keep = range(c.sparse_dim) if keepdim else kept
    size = tuple(1 if d in dims else sizes[d] for d in keep) + tuple(values.shape[1:])
    if not kept and not keepdim:
        return values.sum(0)
    rows = c.indices[kept]
    if keepdim:
        rows = lampas.stack([c.indices[d] if d in kept else c.indices[d] * 0 for d in keep])
    sparse = size[: len(keep)]
    return make(at.summed(at.keys(rows, sparse), values, sparse, size))


def _spread(g, args, _):
    """The gradient of a sum over dims: the sum's, at every coordinate of the tensor."""
    x, dims, keepdim = args
    if not keepdim:
        g = g.to_dense() if is_sparse(g) else g
        for d in dims:
            g = g.unsqueeze(d)
    g = g.to_dense() if is_sparse(g) else g
    return [like_pattern(g.expand(tuple(x.shape)), x)]


_partial = node("SparseSumBackward0", _sum_over, _spread)


def _summed(input, dim, dtype, keepdim, total):
    x = input
    if dtype is not None:
        x = x.to(dtype)
    elif not x.dtype.is_floating_point and not x.dtype.is_complex:
        x = x.to(lampas.int64)
    if dim is None or (not isinstance(dim, int) and len(tuple(dim)) == 0):
        return total(x)
    dims = _wrapped(dim, x.dim())
    if len(dims) == x.dim() and not keepdim:
        return total(x)
    return _partial(x, tuple(dims), keepdim)


@rule("sum")
def sum_(input, dim=None, keepdim=False, *, dtype=None, out=None):
    """The sum over all elements (dense), or over dims (sparse where sparse dims stay)."""
    return _summed(input, dim, dtype, keepdim, _total)


def sparse_sum(input, dim=None, dtype=None):
    """torch.sparse.sum: as sum; the gradient is sparse."""
    return _summed(input, dim, dtype, False, lambda x: values(coalesce(x)).sum())


@rule("norm")
def norm(self, p="fro", dim=None, keepdim=False, dtype=None):
    """The norm of all elements."""
    refuse_gradient("norm", self)
    if dim is not None:
        raise NotImplementedError("norm of a sparse tensor over some dims")
    return at.coalesced(coo_of(self)).values.norm(2 if p == "fro" or p is None else p)


@rule("any")
def any_(self, *args, **kwargs):
    if args or kwargs:
        raise NotImplementedError("any of a sparse tensor over some dims")
    return at.coalesced(coo_of(self)).values.any()


@rule("item")
def item(self):
    """The one element as a number."""
    if self.numel() != 1:
        raise RuntimeError(f"a Tensor with {self.numel()} elements cannot be converted to Scalar")
    return at.dense(coo_of(self)).item()


@rule("__bool__")
def truth(self):
    if self.numel() > 1:
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
    return bool(item(self))


@rule("__float__", "__int__", "__index__", "__complex__")
def to_number(self):
    if self.numel() != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    return item(self)


# ---- softmax: over the entries that are there, zeros that are not stored count as minus infinity ----


def _groups(c, dim):
    """(nnz,) which entries share all sparse coordinates but `dim`, and how many groups there are."""
    others = [d for d in range(c.sparse_dim) if d != dim]
    keys = at.keys(c.indices[others], tuple(c.size[d] for d in others))
    found, group = lampas.unique(keys, return_inverse=True)
    return group, len(found)


def _group_sum(values, group, count):
    return lampas.zeros(count, *values.shape[1:], dtype=values.dtype).index_add(0, group, values)


def _softmax_values(c, dim, log):
    if dim >= c.sparse_dim:
        inner = dim - c.sparse_dim + 1
        return c.values.log_softmax(inner) if log else c.values.softmax(inner)
    group, count = _groups(c, dim)
    index = group.reshape(-1, *[1] * (c.values.dim() - 1)).expand(c.values.shape)
    most = lampas.full((count, *c.values.shape[1:]), -float("inf"), dtype=c.values.dtype)
    most = most.scatter_reduce(0, index, c.values, "amax")
    shifted = c.values - most[group]
    total = _group_sum(shifted.exp(), group, count)
    return shifted - total.log()[group] if log else shifted.exp() / total[group]


def _softmax_node(name, log):
    def value(x, dim):
        c = at.coalesced(coo_of(x))
        return make(c.with_values(_softmax_values(c, dim, log)))

    def gradient(g, args, outputs):
        x, dim = args
        y = content(outputs[0])
        g = at.values_at(g, y)
        weighed = g if log else g * y.values
        if dim >= y.sparse_dim:
            total = weighed.sum(dim - y.sparse_dim + 1, keepdim=True)
        else:
            group, count = _groups(y, dim)
            total = _group_sum(weighed, group, count)[group]
        found = g - y.values.exp() * total if log else y.values * (g - total)
        return [make(Coo(y.indices, found, y.size, True))]

    return node(name, value, gradient)


_softmax = _softmax_node("SparseSoftmaxBackward0", False)
_log_softmax = _softmax_node("SparseLogSoftmaxBackward0", True)


def softmax(input, dim, *, dtype=None):
    """torch.sparse.softmax: over the stored entries of each line; those not stored count as -inf."""
    return _any_softmax(_softmax, "softmax", input, dim, dtype)


def log_softmax(input, dim, *, dtype=None):
    """torch.sparse.log_softmax: the logarithm of torch.sparse.softmax."""
    return _any_softmax(_log_softmax, "log_softmax", input, dim, dtype)


def _any_softmax(run, name, input, dim, dtype):
    if not is_sparse(input):
        raise NotImplementedError(
            f"Could not run 'aten::_sparse_{name}' with arguments from the 'CPU' backend."
        )
    x = input if dtype is None else input.to(dtype)
    return run(x, _wrapped(dim, x.dim())[0])
