"""Randomised low-rank factorisations (Halko, Martinsson, Tropp 2011, algorithms 4.4 and 5.1)."""

import lampas
from lampas.ops.register import composite


def _transpose(a):
    return a.mH if a.is_complex() else a.mT


def _range_of(a, q, niter):
    """An orthonormal basis (..., rows, q) of most of the range of `a`."""
    start = lampas.randn(a.shape[-1], q, dtype=a.dtype, device=a.device)
    basis = lampas.linalg.qr(a @ start).Q
    for _ in range(niter):
        basis = lampas.linalg.qr(_transpose(a) @ basis).Q
        basis = lampas.linalg.qr(a @ basis).Q
    return basis


@composite
def svd_lowrank(A, q=6, niter=2, M=None):
    """U (..., m, q), S (..., q), V (..., n, q) with A - M nearly U diag(S) V^H; it draws random numbers.

    niter: power iterations, which make it more accurate.
    """
    rows, columns = A.shape[-2:]
    centred = A if M is None else A - M.expand(A.shape)
    wide = rows < columns
    if wide:  # the smaller side is factored
        centred = _transpose(centred)
    basis = _range_of(centred, q, niter)
    u, s, vh = lampas.linalg.svd(_transpose(basis) @ centred, full_matrices=False)
    u, v = basis @ u, _transpose(vh)
    return (v, s, u) if wide else (u, s, v)


@composite
def pca_lowrank(A, q=None, center=True, niter=2):
    """The principal components of the rows of A, as svd_lowrank of the centred matrix gives them."""
    if not isinstance(A, lampas.Tensor):
        raise TypeError(f"A: expected Tensor, got {type(A)}")
    rows, columns = A.shape[-2:]
    q = min(6, rows, columns) if q is None else q
    if not 0 <= q <= min(rows, columns):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(rows, columns)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)
