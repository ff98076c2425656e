"""Between layouts: to_dense, to_sparse, coalesce, CSR and CSC, masks; and reading what a tensor keeps."""

import lampas
from lampas import _core
from lampas.sparse import coordinates as at
from lampas.sparse.nodes import node, refuse_gradient
from lampas.sparse.tensor import Compressed, Coo, content, is_sparse, make, rule, unsupported

_LAYOUTS = {
    _core.sparse_coo: "Sparse", _core.sparse_csr: "SparseCsr", _core.sparse_csc: "SparseCsc",
    _core.strided: "Strided",
}  # fmt: skip


def coo_of(x):
    """The Coo of a sparse tensor of any layout, as it is."""
    return at.as_coo(content(x))


def like_pattern(g, x):
    """A gradient restricted to the coordinates of the sparse tensor x, in its layout."""
    c = content(x)
    if isinstance(c, Coo):
        c = at.coalesced(c)
        return make(c.with_values(at.values_at(g, c)))
    return make(c.with_values(at.values_at(g, _in_lines(c))))


def _in_lines(c):
    """The coordinates of a Compressed in the order of its values."""
    if c.by_rows:
        return at.as_coo(c)
    turned = at.as_coo(Compressed(_core.sparse_csr, c.outer, c.inner, c.values, c.size[::-1]))
    return Coo(turned.indices.flip(0), c.values, c.size)


_to_dense = node(
    "ToDenseBackward0",
    lambda x: at.dense(coo_of(x)),
    lambda g, args, _: [like_pattern(g, args[0])],
)
_coalesce = node(
    "CoalesceBackward0",
    lambda x: make(at.coalesced(content(x))),
    lambda g, args, _: [g],
)


@rule("to_dense")
def to_dense(self, dtype=None, *, masked_grad=None):
    """The dense tensor."""
    if masked_grad is False:
        refuse_gradient("to_dense(masked_grad=False)", self)
    x = _to_dense(self)
    return x if dtype is None else x.to(dtype)


def _wants_coo(self, name):
    c = content(self)
    if not isinstance(c, Coo):
        raise RuntimeError(
            f"{name} expected sparse coordinate tensor layout but got {_LAYOUTS[c.layout]}"
        )
    return c


@rule("coalesce")
def coalesce(self):
    """The same tensor with each coordinate once and in order; itself when it is so already."""
    return self if _wants_coo(self, "coalesce").coalesced else _coalesce(self)


@rule("is_coalesced")
def is_coalesced(self):
    return _wants_coo(self, "is_coalesced").coalesced


@rule("_coalesced_")
def mark_coalesced(self, coalesced):
    c = content(self)
    return _core._write_opaque(self, Coo(c.indices, c.values, c.size, coalesced), c.size)


@rule("_indices")
def raw_indices(self):
    return _wants_coo(self, "_indices").indices.detach()


@rule("_values")
def raw_values(self):
    return content(self).values.detach()


@rule("indices")
def indices(self):
    c = _wants_coo(self, "indices")
    if not c.coalesced:
        raise RuntimeError(
            "Cannot get indices on an uncoalesced tensor, please call .coalesce() first"
        )
    return c.indices.detach()


_values = node(
    "ValuesBackward0",
    lambda x: content(x).values,
    lambda g, args, _: [make(content(args[0]).with_values(g))],
)


@rule("values")
def values(self):
    if not content(self).coalesced:
        raise RuntimeError(
            "Cannot get values on an uncoalesced tensor, please call .coalesce() first"
        )
    return _values(self)


@rule("_nnz")
def nnz(self):
    return content(self).values.size(0)


def _line_reader(name, part, layout):
    def read(self):
        c = content(self)
        if c.layout is not layout:
            kind = "row" if layout is _core.sparse_csr else "column"
            raise RuntimeError(
                f"{name} expected sparse {kind} compressed tensor layout but got {_LAYOUTS[c.layout]}"
            )
        return getattr(c, part).detach()

    rule(name)(read)


_line_reader("crow_indices", "outer", _core.sparse_csr)
_line_reader("col_indices", "inner", _core.sparse_csr)
_line_reader("ccol_indices", "outer", _core.sparse_csc)
_line_reader("row_indices", "inner", _core.sparse_csc)
rule("sparse_dim", "_dimI")(lambda self: content(self).sparse_dim)
rule("dense_dim", "_dimV")(lambda self: len(content(self).size) - content(self).sparse_dim)
rule("layout.get")(lambda self: content(self).layout)
rule("is_sparse.get")(lambda self: content(self).layout is _core.sparse_coo)
rule("is_sparse_csr.get")(lambda self: content(self).layout is _core.sparse_csr)
rule("device.get")(lambda self: content(self).values.device)
rule("is_cpu.get")(lambda self: content(self).values.is_cpu)
rule("is_meta.get")(lambda self: content(self).values.is_meta)


# ---- from dense ----


def coo_from_dense(x, sparse_dim):
    """The coalesced Coo of what is not zero in the first `sparse_dim` dims of x."""
    if x.dim() == 0:
        kept = 1 if bool(x != 0) else 0
        empty = lampas.zeros(0, kept, dtype=lampas.int64)
        return Coo(empty, x.reshape(1)[:kept], (), True)
    inner = tuple(range(sparse_dim, x.dim()))
    nonzero = (x != 0).sum(inner) if inner else x
    indices = lampas.nonzero(nonzero).t().contiguous()
    return Coo(indices, x[tuple(indices)], tuple(x.shape), True)


_to_sparse = node(
    "ToSparseBackward0",
    lambda x: make(coo_from_dense(x, x.dim())),
    lambda g, args, _: [g.to_dense()],
)
_to_sparse_dims = node(
    "ToSparseBackward1",
    lambda x, sparse_dim: make(coo_from_dense(x, sparse_dim)),
    lambda g, args, _: [g.to_dense()],
)


def compressed_from(c, layout):
    """The Compressed of a Coo of a matrix."""
    if c.sparse_dim != 2 or len(c.size) != 2:
        raise NotImplementedError("compressed sparse tensors of other than matrices")
    c = at.coalesced(c)
    rows, columns = c.indices[0], c.indices[1]
    lines, n = (rows, c.size[0]) if layout is _core.sparse_csr else (columns, c.size[1])
    inner, values = (columns, c.values) if layout is _core.sparse_csr else (rows, c.values)
    if layout is not _core.sparse_csr:
        order = lampas.argsort(lines, stable=True)
        inner, values = inner[order], values[order]
    outer = lampas.zeros(n + 1, dtype=lampas.int64)
    outer[1:] = lampas.bincount(lines, minlength=n).cumsum(0)
    return Compressed(layout, outer, inner, values, c.size)


def _in_layout(x, layout, sparse_dim):
    if layout is _core.sparse_coo:
        return make(coo_of(x) if is_sparse(x) else coo_from_dense(x, sparse_dim))
    c = coo_of(x) if is_sparse(x) else coo_from_dense(x, x.dim())
    return make(compressed_from(c, layout))


def _back(g, args, _):
    x = args[0]
    if not is_sparse(x):
        return [g.to_dense()]
    return [like_pattern(g, x) if is_sparse(g) else g]


_relayout = node("ToSparseBackward0", _in_layout, _back)


@rule("to_sparse", "to_sparse_coo")
def to_sparse(self, sparse_dim=None, *, layout=None, blocksize=None, dense_dim=None):
    """The tensor in a sparse layout, COO by default; sparse_dim: how many dims coordinates name."""
    if isinstance(sparse_dim, type(_core.strided)):
        sparse_dim, layout = None, sparse_dim
    layout = layout or _core.sparse_coo
    if blocksize is not None or dense_dim or layout not in _LAYOUTS or layout is _core.strided:
        raise NotImplementedError(f"to_sparse to {layout} by blocks or with dense dims")
    if is_sparse(self):
        if content(self).layout is layout:
            return self
        return _relayout(self, layout, 2)
    if sparse_dim is None:
        if layout is not _core.sparse_coo:
            return _relayout(self, layout, 2)
        return _to_sparse(self)
    if not 0 <= sparse_dim <= self.dim() or (sparse_dim == 0 and self.dim()):
        raise RuntimeError(
            f"to_sparse: conversion from Strided to Sparse with sparse_dim={sparse_dim} is not "
            f"possible for a tensor of {self.dim()} dimensions"
        )
    return _to_sparse_dims(self, sparse_dim)


def _to_compressed(layout):
    def convert(self, dense_dim=None):
        if self.dim() != 2:
            raise NotImplementedError(f"to {layout}: tensors of other than two dimensions")
        return to_sparse(self, layout=layout, dense_dim=dense_dim)

    return convert


to_sparse_csr = rule("to_sparse_csr")(_to_compressed(_core.sparse_csr))
to_sparse_csc = rule("to_sparse_csc")(_to_compressed(_core.sparse_csc))


def _mask_value(x, mask):
    c = content(mask)
    return make(c.with_values(at.values_at(x, c)))


_sparse_mask = node(
    "SparseMaskBackward0",
    _mask_value,
    lambda g, args, _: [like_pattern(g, args[1]) if is_sparse(args[0]) else g.to_dense(), None],
)


@rule("sparse_mask")
def sparse_mask(self, mask):
    """The elements of self at the coordinates of the COO tensor `mask`."""
    if not is_sparse(mask) or not isinstance(content(mask), Coo):
        raise unsupported("sparse_mask", [self, mask])
    if self.shape != mask.shape:
        raise RuntimeError("sparse_mask(): operands have incompatible sizes; self has size "
                           f"{list(self.shape)} but mask has size {list(mask.shape)}")  # fmt: skip
    return _sparse_mask(self, mask)
