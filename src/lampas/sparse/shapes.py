"""Shapes of sparse tensors: transposing, selecting, joining, dims of size one, resizing."""

import lampas
from lampas.sparse import coordinates as at
from lampas.sparse import products
from lampas.sparse.conversion import coo_of
from lampas.sparse.nodes import node, refuse_gradient
from lampas.sparse.tensor import (
    Compressed,
    Coo,
    content,
    in_place,
    is_sparse,
    make,
    rule,
    unsupported,
)


def _dim(d, n):
    if not -max(n, 1) <= d < max(n, 1):
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {d})"
        )
    return d % max(n, 1)


def _permuted(x, dims):
    c = coo_of(x)
    first, inner = dims[: c.sparse_dim], dims[c.sparse_dim :]
    if any(d >= c.sparse_dim for d in first):
        raise RuntimeError("transpose(): can't transpose between sparse and dense dimensions")
    values = c.values.permute(0, *(d - c.sparse_dim + 1 for d in inner)) if inner else c.values
    size = tuple(c.size[d] for d in dims)
    same = first == tuple(range(c.sparse_dim))
    return make(Coo(c.indices[list(first)], values, size, c.coalesced and same))


def _back(g, args, _):
    dims = args[1]
    return [permute(g, [dims.index(d) for d in range(len(dims))])]


_permute = {name: node(f"{name}Backward0", _permuted, _back) for name in ("Permute", "Transpose")}


@rule("permute")
def permute(self, *dims):
    """Dims in another order; sparse ones stay before dense ones."""
    dims = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    dims = tuple(_dim(d, self.dim()) for d in dims)
    if sorted(dims) != list(range(self.dim())):
        raise RuntimeError("permute(sparse_coo): dims do not name every dimension once")
    if not is_sparse(self):
        return self.permute(dims)
    return _permute["Permute"](self, dims)


@rule("transpose", "swapaxes", "swapdims")
def transpose(self, dim0, dim1):
    """Two dims change places."""
    first, second = _dim(dim0, self.dim()), _dim(dim1, self.dim())
    if isinstance(content(self), Compressed):
        return self if first == second else products.t(self)
    dims = list(range(self.dim()))
    dims[first], dims[second] = second, first
    return _permute["Transpose"](self, tuple(dims))


@rule("unsqueeze")
def unsqueeze(self, dim):
    """A dim of size one more."""
    refuse_gradient("unsqueeze", self)
    c, n = coo_of(self), self.dim() + 1
    d = _dim(dim, n)
    size = (*c.size[:d], 1, *c.size[d:])
    if d > c.sparse_dim:
        return make(Coo(c.indices, c.values.unsqueeze(d - c.sparse_dim + 1), size, c.coalesced))
    zeros = c.indices.new_zeros(1, c.indices.size(1))
    indices = lampas.cat([c.indices[:d], zeros, c.indices[d:]])
    return make(Coo(indices, c.values, size, c.coalesced))


def _entries_named(row, index):
    """For each number of `index` in turn, the places in `row` that hold it: (which number, place)."""
    order = lampas.argsort(row, stable=True)
    ordered = row[order]
    begin = lampas.searchsorted(ordered, index)
    count = lampas.searchsorted(ordered, index, right=True) - begin
    which = lampas.repeat_interleave(lampas.arange(len(index)), count)
    within = lampas.arange(len(which)) - (count.cumsum(0) - count)[which]
    return which, order[begin[which] + within]


@rule("index_select")
def index_select(self, dim, index):
    """The slices that `index` names, in its order."""
    refuse_gradient("index_select", self)
    c, d = at.coalesced(coo_of(self)), _dim(dim, self.dim())
    size = (*c.size[:d], index.numel(), *c.size[d + 1 :])
    if d >= c.sparse_dim:
        values = c.values.index_select(d - c.sparse_dim + 1, index)
        return make(Coo(c.indices, values, size, True))
    if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < c.size[d]:
        raise IndexError("index_select(): index contains out of range indices")
    place, entry = _entries_named(c.indices[d], index.reshape(-1).to(lampas.int64))
    indices = c.indices[:, entry].clone()
    indices[d] = place
    return make(Coo(indices, c.values[entry], size, d == 0))


def _kept(c, d, low, high):
    return lampas.nonzero((c.indices[d] >= low) & (c.indices[d] < high)).reshape(-1)


@rule("select")
def select(self, dim, index):
    """One slice; dense when no sparse dim is left."""
    refuse_gradient("select", self)
    c, d = coo_of(self), _dim(dim, self.dim())
    n = c.size[d]
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(c.size)} at dimension {d}"
        )
    index %= n
    size = c.size[:d] + c.size[d + 1 :]
    if d >= c.sparse_dim:
        values = c.values.select(d - c.sparse_dim + 1, index)
        return make(Coo(c.indices, values, size, c.coalesced))
    entry = _kept(c, d, index, index + 1)
    if c.sparse_dim == 1:
        return c.values[entry].sum(0)
    rows = [r for r in range(c.sparse_dim) if r != d]
    return make(Coo(c.indices[rows][:, entry], c.values[entry], size, c.coalesced))


@rule("__getitem__")
def get_item(self, key):
    """Indexing by whole numbers, from the first dim on."""
    keys = key if isinstance(key, tuple) else (key,)
    for k in keys:
        if isinstance(k, bool) or not isinstance(k, int):
            raise unsupported("as_strided" if isinstance(k, slice) else "index", [self])
    x = self
    for k in keys:
        x = select(x, 0, k) if is_sparse(x) else x[k]
    return x


@rule("unbind")
def unbind(self, dim=0):
    return tuple(select(self, dim, i) for i in range(self.size(dim)))


@rule("narrow_copy")
def narrow_copy(self, dim, start, length):
    """A copy of a range of a dim."""
    refuse_gradient("narrow_copy", self)
    c, d = coo_of(self), _dim(dim, self.dim())
    if not 0 <= start <= start + length <= c.size[d]:
        raise RuntimeError("Invalid dimension or range for narrow_copy_sparse")
    size = (*c.size[:d], length, *c.size[d + 1 :])
    if d >= c.sparse_dim:
        values = c.values.narrow_copy(d - c.sparse_dim + 1, start, length)
        return make(Coo(c.indices, values, size, c.coalesced))
    entry = _kept(c, d, start, start + length)
    indices = c.indices[:, entry].clone()
    indices[d] -= start
    return make(Coo(indices, c.values[entry], size, c.coalesced))


def _same_kind(tensors):
    if not all(is_sparse(x) and isinstance(content(x), Coo) for x in tensors):
        raise RuntimeError("Concatenating sparse tensors, but a tensor of another layout was found")
    refuse_gradient("cat", *tensors)
    return [content(x) for x in tensors]


@rule("cat", "concat", "concatenate")
def cat(tensors, dim=0, *, out=None):
    """Tensors of one layout side by side along a sparse or dense dim."""
    parts = _same_kind(tensors)
    first, d = parts[0], _dim(dim, tensors[0].dim())
    for c in parts:
        sizes = (c.sparse_dim, c.size[:d], c.size[d + 1 :])
        if sizes != (first.sparse_dim, first.size[:d], first.size[d + 1 :]):
            raise RuntimeError("All tensors must have the same shape except in the concatenating "
                               f"dimension {d}, but got {list(first.size)} and {list(c.size)}")  # fmt: skip
    indices, values, begin = [], [], 0
    for c in parts:
        moved = c.indices.clone()
        if d < c.sparse_dim:
            moved[d] += begin
        begin += c.size[d]
        indices.append(moved)
        values.append(_among(c, parts, d))
    size = (*first.size[:d], begin, *first.size[d + 1 :])
    return make(Coo(lampas.cat(indices, 1), lampas.cat(values), size))


def _among(c, parts, d):
    """The values of a part; along a dense dim with zeros in the places of the others."""
    if d < c.sparse_dim:
        return c.values
    blocks = [
        c.values
        if p is c
        else c.values.new_zeros(
            *c.values.shape[: d - c.sparse_dim + 1],
            p.size[d],
            *c.values.shape[d - c.sparse_dim + 2 :],
        )
        for p in parts
    ]
    return lampas.cat(blocks, d - c.sparse_dim + 1)


@rule("stack")
def stack(tensors, dim=0, *, out=None):
    """Tensors of one size along a new sparse dim."""
    return cat([unsqueeze(x, dim) for x in tensors], dim)


@rule("zeros_like", "empty_like")
def zeros_like(input, *, dtype=None, layout=None, device=None, requires_grad=False,
               memory_format=None, pin_memory=False):  # fmt: skip
    """Zeros of the same size and layout."""
    from lampas.sparse.construction import like

    if layout is not None and layout is lampas.strided:
        shape = tuple(input.shape)
        return lampas.zeros(shape, dtype=dtype or input.dtype, requires_grad=requires_grad)
    return like(input, dtype).requires_grad_(requires_grad)


@rule("new_zeros", "new_empty")
def new_zeros(self, *size, dtype=None, **options):
    """Zeros of another size in the same layout."""
    from lampas.sparse.construction import zeros

    size = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
    return zeros(size, dtype or self.dtype, content(self).layout)


@rule("sparse_resize_")
def sparse_resize_(self, size, sparse_dim, dense_dim):
    """Another size over the same entries; dims cannot shrink while there are any."""
    c, size = content(self), tuple(size)
    if not isinstance(c, Coo):
        raise unsupported("sparse_resize_", [self])
    if len(size) != sparse_dim + dense_dim:
        raise RuntimeError(
            "'len(size) == sparse_dim + dense_dim' is not satisfied: "
            f"len(size) = {len(size)}, sparse_dim = {sparse_dim}, dense_dim = {dense_dim}"
        )
    same = c.sparse_dim == sparse_dim and len(c.size) == len(size)
    grows = same and all(new >= old for new, old in zip(size, c.size))
    if c.values.size(0) and not (grows and size[sparse_dim:] == c.size[sparse_dim:]):
        raise RuntimeError("changing the number or the sizes of dimensions of a non-empty sparse "
                           "tensor is not supported but for growing sparse dimensions")  # fmt: skip
    if c.values.size(0):
        made = Coo(c.indices, c.values, size, c.coalesced)
    else:
        made = _nothing(c, size, sparse_dim)
    return in_place("sparse_resize_", self, lambda: make(made))


def _nothing(c, size, sparse_dim):
    indices = lampas.zeros(sparse_dim, 0, dtype=lampas.int64)
    return Coo(indices, c.values.new_zeros(0, *size[sparse_dim:]), size, True)


@rule("sparse_resize_and_clear_")
def sparse_resize_and_clear_(self, size, sparse_dim, dense_dim):
    made = _nothing(content(self), tuple(size), sparse_dim)
    return in_place("sparse_resize_and_clear_", self, lambda: make(made))


# ---- questions about memory that there is none of ----


def _raising(name, error):
    def refuse(self, *args, **kwargs):
        raise error

    rule(name)(refuse)


for _name, _error in {
    "contiguous": RuntimeError("unsupported memory format option Contiguous"),
    "data_ptr": RuntimeError("Cannot access data pointer of Tensor that doesn't have storage"),
    "tolist": RuntimeError("Cannot access data pointer of Tensor that doesn't have storage"),
    "storage": NotImplementedError("Cannot access storage of SparseTensorImpl"),
    "untyped_storage": NotImplementedError("Cannot access storage of SparseTensorImpl"),
    "numpy": TypeError("can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first."),
    "__array__": TypeError(
        "can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first."
    ),
    "reshape": RuntimeError("reshape is not implemented for sparse tensors"),
    "flatten": RuntimeError("reshape is not implemented for sparse tensors"),
    "expand": RuntimeError("expand is unsupported for Sparse tensors"),
    "nbytes.get": RuntimeError(
        "nbytes is not defined for sparse tensors.  If you want the size of the constituent tensors, "
        "add the nbytes of the indices and values.  If you want the size of the  equivalent dense "
        "tensor, multiply numel() by element_size()"
    ),
}.items():
    _raising(_name, _error)
rule("is_contiguous")(lambda self, *_, **__: False)
rule("is_pinned")(lambda self, *_: False)
rule("storage_offset")(lambda self: 0)


@rule("stride")
def stride(self, dim=None):
    if isinstance(content(self), Compressed):
        raise RuntimeError("Sparse CSR tensors do not have strides")
    return (0,) * self.dim() if dim is None else 0


@rule("backward")
def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    from lampas import autograd

    autograd.backward([self], [gradient], retain_graph, create_graph, inputs=inputs)
