"""Matrix products with a sparse operand. Sums run over the entries in their order."""

import lampas
from lampas import _core
from lampas.sparse import coordinates as at
from lampas.sparse.conversion import coo_of, like_pattern
from lampas.sparse.nodes import node, refuse_gradient
from lampas.sparse.tensor import Compressed, Coo, content, is_sparse, make, rule, unsupported


def _check(a, b, name="mat1 and mat2"):
    for place, x in (("mat1", a), ("mat2", b)):
        if x.dim() != 2:
            raise RuntimeError(f"{place} must be a matrix, got {x.dim()}-D tensor")
    if a.size(1) != b.size(0):
        raise RuntimeError(
            f"{name} shapes cannot be multiplied ({a.size(0)}x{a.size(1)} and {b.size(0)}x{b.size(1)})"
        )
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {a.dtype} != {b.dtype}"
        )
    for x in (a, b):
        if is_sparse(x) and content(x).values.dim() != 1:
            raise RuntimeError("mm: expected sparse operands without dense dimensions")


def _sparse_dense(s, d):
    """(m, k) sparse @ (k, n) dense -> (m, n)."""
    c = at.coalesced(coo_of(s))
    at.keys(c.indices, c.size)  # raises for coordinates out of bounds
    rows, columns = c.indices[0], c.indices[1]
    terms = c.values.unsqueeze(1) * d.index_select(0, columns)
    return lampas.zeros(c.size[0], d.size(1), dtype=terms.dtype).index_add(0, rows, terms)


def _sparse_sparse(a, b):
    """(m, k) @ (k, n), both sparse -> coalesced (m, n): each entry of a meets the line of b it names."""
    first, second = at.coalesced(coo_of(a)), at.coalesced(coo_of(b))
    size = (first.size[0], second.size[1])
    per_line = lampas.bincount(second.indices[0], minlength=second.size[0])
    begins = per_line.cumsum(0) - per_line
    meets = per_line[first.indices[1]]
    entry = lampas.repeat_interleave(lampas.arange(len(meets)), meets)
    within = lampas.arange(len(entry)) - (meets.cumsum(0) - meets)[entry]
    partner = begins[first.indices[1][entry]] + within
    keys = first.indices[0][entry] * size[1] + second.indices[1][partner]
    return make(at.summed(keys, first.values[entry] * second.values[partner], size, size))


def _value(a, b):
    if is_sparse(a) and is_sparse(b):
        made = _sparse_sparse(a, b)
        if isinstance(content(a), Compressed):
            from lampas.sparse.conversion import compressed_from

            return make(compressed_from(content(made), content(a).layout))
        return made
    if is_sparse(a):
        return _sparse_dense(a, b)
    return _sparse_dense(b.t(), a.t()).t().contiguous()


def _dense(x):
    return x.to_dense() if is_sparse(x) else x


def _dense_gradient(g, args, _):
    """Gradients of `@`: dense for both operands."""
    a, b = args
    return [_dense(g) @ _dense(b).t().conj(), _dense(a).t().conj() @ _dense(g)]


def _masked_gradient(g, args, _):
    """Gradients of torch.sparse.mm: those of a sparse operand have its coordinates."""
    first, second = _dense_gradient(g, args, _)
    return [
        like_pattern(first, args[0]) if is_sparse(args[0]) else first,
        like_pattern(second, args[1]) if is_sparse(args[1]) else second,
    ]


def _both_gradient(g, args, _):
    a, b = args
    pattern = at.coalesced(coo_of(g))
    g = make(pattern)
    return [_sparse_sparse(g, b.t()), _sparse_sparse(a.t(), g)]


_mm = node("MmBackward0", _value, _dense_gradient)
_spmm = node("SparseAddmmBackward0", _value, _masked_gradient)
_spspmm = node("SparseSparseMatmulBackward0", _value, _both_gradient)


@rule("mm", "spmm", "dsmm")
def mm(self, mat2, *, out=None):
    """The product of two matrices, one of them sparse."""
    if out is not None:
        raise NotImplementedError("mm of sparse tensors with out=")
    _check(self, mat2)
    both = is_sparse(self) and is_sparse(mat2)
    return (_spspmm if both else _mm)(self, mat2)


def sparse_mm(mat1, mat2):
    """torch.sparse.mm: as mm, the gradient of a sparse operand is sparse."""
    _check(mat1, mat2)
    both = is_sparse(mat1) and is_sparse(mat2)
    return (_spspmm if both else _spmm)(mat1, mat2)


def _mv_gradient(g, args, _):
    a, x = args
    return [lampas.outer(g, x.conj()), _dense(a).t().conj() @ g]


_mv = node("MvBackward0", lambda a, x: _sparse_dense(a, x.unsqueeze(1)).squeeze(1), _mv_gradient)


@rule("mv")
def mv(self, vec):
    """A sparse matrix times a dense vector."""
    if not is_sparse(self) or is_sparse(vec):
        raise unsupported("mv", [self, vec])
    if self.dim() != 2 or vec.dim() != 1:
        raise RuntimeError("vector + matrix @ vector expected, got "
                           f"1, {self.dim()}, {vec.dim()}")  # fmt: skip
    if self.size(1) != vec.size(0):
        raise RuntimeError(
            f"size mismatch, got input ({self.size(0)}), mat ({self.size(0)}x{self.size(1)}), "
            f"vec ({vec.size(0)})"
        )
    return _mv(self, vec)


@rule("matmul", "__matmul__")
def matmul(self, other, *, out=None):
    """Matrices with matrices or vectors."""
    if self.dim() == 2 and other.dim() == 2:
        return mm(self, other, out=out)
    if self.dim() == 2 and other.dim() == 1 and is_sparse(self):
        return mv(self, other)
    raise NotImplementedError(
        f"matmul of {self.dim()}-D and {other.dim()}-D tensors, one of them sparse"
    )


@rule("__rmatmul__")
def rmatmul(self, other):
    return matmul(other, self)


@rule("bmm")
def bmm(self, mat2):
    """A batch of sparse matrices times a batch of dense ones."""
    if not is_sparse(self) or is_sparse(mat2):
        raise unsupported("bmm", [self, mat2])
    if self.dim() != 3 or mat2.dim() != 3:
        raise RuntimeError(
            "batch1 must be a 3D tensor" if self.dim() != 3 else "batch2 must be a 3D tensor"
        )
    refuse_gradient("bmm", self, mat2)
    if (self.size(0), self.size(2)) != (mat2.size(0), mat2.size(1)):
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{self.size(0)}, {self.size(2)}] but got: [{mat2.size(0)}, {mat2.size(1)}]."
        )
    c = at.coalesced(coo_of(self))
    at.keys(c.indices, c.size)
    batch, row, column = c.indices
    terms = c.values.unsqueeze(1) * mat2[batch, column]
    flat = lampas.zeros(c.size[0] * c.size[1], mat2.size(2), dtype=terms.dtype)
    flat = flat.index_add(0, batch * c.size[1] + row, terms)
    return flat.reshape(c.size[0], c.size[1], mat2.size(2))


@rule("addmm")
def addmm(self, mat1, mat2, *, beta=1, alpha=1, out=None):
    """beta * self + alpha * (mat1 @ mat2); self and mat2 are dense."""
    if is_sparse(self) or is_sparse(mat2) or out is not None:
        raise unsupported("addmm", [self, mat1, mat2])
    product = mm(mat1, mat2)
    return beta * self.expand(product.shape) + alpha * product


def sparse_addmm(mat, mat1, mat2, *, beta=1.0, alpha=1.0):
    """torch.sparse.addmm: as addmm, the gradient of mat1 is sparse."""
    _check(mat1, mat2)
    if is_sparse(mat1) and not is_sparse(mat2):
        return _addmm(mat, mat1, mat2, beta, alpha)
    return beta * mat + alpha * sparse_mm(mat1, mat2)


def _addmm_gradient(g, args, outputs):
    mat, mat1, mat2, beta, alpha = args
    first, second = _masked_gradient(g * alpha, (mat1, mat2), outputs)
    return [(g * beta).sum_to_size(mat.shape), first, second]


_addmm = node(
    "SparseAddmmBackward0",
    lambda mat, a, b, beta, alpha: beta * mat + alpha * _sparse_dense(a, b),
    _addmm_gradient,
)


@rule("hspmm")
def hspmm(mat1, mat2, *, out=None):
    """A sparse matrix times a dense one, with the rows that hold anything as a hybrid tensor."""
    refuse_gradient("hspmm", mat1, mat2)
    _check(mat1, mat2)
    c = at.coalesced(coo_of(mat1))
    rows = lampas.unique(c.indices[0])
    product = _sparse_dense(mat1, mat2)
    return make(Coo(rows.unsqueeze(0), product[rows], tuple(product.shape), True))


@rule("smm")
def smm(self, mat):
    """A sparse matrix times a dense one, as a sparse matrix."""
    refuse_gradient("smm", self, mat)
    h = content(hspmm(self, mat))
    columns = mat.size(1)
    rows = h.indices[0].repeat_interleave(columns)
    indices = lampas.stack([rows, lampas.arange(columns).repeat(h.indices.size(1))])
    return make(Coo(indices, h.values.reshape(-1), h.size, True))


@rule("linear")
def linear(input, weight, bias=None):
    """input @ weight.T + bias."""
    y = mm(input, weight.t())
    return y if bias is None else y + bias


@rule("t", "T.get", "adjoint", "H.get", "mT.get", "numpy_T", "matrix_H", "mT", "mH")
def t(self):
    """The transposed matrix: coordinates change places; CSR becomes CSC."""
    if self.dim() < 2:
        return self
    if self.dim() != 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {self.dim()}D")
    if self.is_complex():
        refuse_gradient("t of a complex sparse tensor", self)
    return _t(self)


def _turned(x):
    c = content(x)
    if isinstance(c, Compressed):
        other = _core.sparse_csc if c.by_rows else _core.sparse_csr
        return make(Compressed(other, c.outer, c.inner, c.values, c.size[::-1]))
    if c.sparse_dim != 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 sparse and 0 dense dimensions, but got "
                           f"{c.sparse_dim} sparse, {len(c.size) - c.sparse_dim} dense dimensions")  # fmt: skip
    return make(Coo(c.indices.flip(0), c.values, c.size[::-1], c.values.size(0) < 2))


_t = node("TBackward0", _turned, lambda g, args, _: [g.t()])
