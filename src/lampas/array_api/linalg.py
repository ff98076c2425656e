"""The extension `linalg`, and the four functions of linear algebra in the main namespace."""

from typing import NamedTuple

import lampas
from lampas.array_api.dtypes import common
from lampas.array_api.reductions import sum as _sum


class EighResult(NamedTuple):
    eigenvalues: lampas.Tensor
    eigenvectors: lampas.Tensor


class QRResult(NamedTuple):
    Q: lampas.Tensor
    R: lampas.Tensor


class SlogdetResult(NamedTuple):
    sign: lampas.Tensor
    logabsdet: lampas.Tensor


class SVDResult(NamedTuple):
    U: lampas.Tensor
    S: lampas.Tensor
    Vh: lampas.Tensor


def matmul(x1, x2, /):
    """The product of matrices, stacks of them, or vectors."""
    return lampas.matmul(*common(x1, x2))


def matrix_transpose(x, /):
    """Each matrix transposed."""
    if x.dim() < 2:
        raise ValueError("matrix_transpose needs at least two dimensions")
    return x.mT


def tensordot(x1, x2, /, *, axes=2):
    """The sum of products over the last `axes` and the first, or over the two lists of dimensions."""
    return lampas.tensordot(*common(x1, x2), dims=axes)


def vecdot(x1, x2, /, *, axis=-1):
    """The sum of products of vectors along `axis`, the first conjugated."""
    x1, x2 = common(x1, x2)
    if axis >= 0:
        raise ValueError("vecdot: axis must be negative")
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError("vecdot: both must have the same size along the axis")
    x1 = lampas.conj_physical(x1) if x1.is_complex() else x1
    return lampas.sum(x1 * x2, axis, dtype=x1.dtype)


def cholesky(x, /, *, upper=False):
    """The Cholesky factor, lower or upper."""
    return lampas.linalg.cholesky(x, upper=upper)


def cross(x1, x2, /, *, axis=-1):
    """The cross product of vectors of three."""
    return lampas.linalg.cross(*common(x1, x2), dim=axis)


def det(x, /):
    """Determinants."""
    return lampas.linalg.det(x)


def diagonal(x, /, *, offset=0):
    """Diagonals of the matrices."""
    return lampas.diagonal(x, offset, -2, -1)


def eigh(x, /):
    """(eigenvalues, eigenvectors) of Hermitian matrices."""
    return EighResult(*lampas.linalg.eigh(x))


def eigvalsh(x, /):
    """Eigenvalues of Hermitian matrices."""
    return lampas.linalg.eigvalsh(x)


def inv(x, /):
    """Inverses."""
    return lampas.linalg.inv(x)


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """Norms of the matrices."""
    return lampas.linalg.matrix_norm(x, ord, (-2, -1), keepdims)


def matrix_power(x, n, /):
    """Integer powers."""
    return lampas.linalg.matrix_power(x, n)


def matrix_rank(x, /, *, rtol=None):
    """Ranks: singular values above rtol times the largest."""
    return lampas.linalg.matrix_rank(x, rtol=rtol)


def outer(x1, x2, /):
    """Products of every element of one vector with every one of another."""
    return lampas.outer(*common(x1, x2))


def pinv(x, /, *, rtol=None):
    """Pseudo-inverses."""
    return lampas.linalg.pinv(x, rtol=rtol)


def qr(x, /, *, mode="reduced"):
    """(Q, R), "reduced" or "complete"."""
    return QRResult(*lampas.linalg.qr(x, mode))


def slogdet(x, /):
    """(sign, logarithm of the absolute value) of determinants."""
    return SlogdetResult(*lampas.linalg.slogdet(x))


def solve(x1, x2, /):
    """Solutions of x1 @ y = x2; x2 is one vector only where it has one dimension."""
    x1, x2 = common(x1, x2)
    if x2.dim() == 1:
        return lampas.linalg.solve(x1, x2[:, None])[..., 0]
    batch = lampas.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    return lampas.linalg.solve(x1, x2.expand(*batch, *x2.shape[-2:]))


def svd(x, /, *, full_matrices=True):
    """(U, S, Vh)."""
    return SVDResult(*lampas.linalg.svd(x, full_matrices))


def svdvals(x, /):
    """Singular values, falling."""
    return lampas.linalg.svdvals(x)


def trace(x, /, *, offset=0, dtype=None):
    """Sums of diagonals."""
    return _sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """Norms of vectors along dimensions; of all elements for None."""
    return lampas.linalg.vector_norm(x, ord, axis, keepdims)
