"""Singular values and principal components of matrices that are nearly of low rank, by random projection.

Source: N. Halko, P. Martinsson, J. Tropp, "Finding structure with randomness", 2009, algorithms 4.4 and 5.1.
"""

import lampas
from lampas.ops.register import composite


def _basis(A, q, niter, M):
    """Orthonormal columns (..., m, q) whose span nearly holds that of A - M, by subspace iteration."""

    def times(X):
        return A @ X if M is None else A @ X - M @ X

    def back(X):
        return A.mH @ X if M is None else A.mH @ X - M.mH @ X

    Q = lampas.linalg.qr(times(lampas.randn(A.shape[-1], q, dtype=A.dtype, device=A.device))).Q
    for _ in range(niter):
        before, Q = Q, lampas.linalg.qr(times(lampas.linalg.qr(back(Q)).Q)).Q
        if lampas.equal(before, Q):  # further rounds change nothing
            break
    return Q


@composite
def svd_lowrank(A, q=6, niter=2, M=None):
    """(U, S, V) with A - M nearly U diag(S) Vᴴ: q singular values of (..., m, n).

    niter: rounds of subspace iteration. A random projection is drawn from the default generator.
    """
    q = 6 if q is None else q
    m, n = A.shape[-2:]
    if M is not None:
        M = M.broadcast_to(A.shape)
    wide = m < n
    if wide:
        A, M = A.mH, None if M is None else M.mH
    Q = _basis(A, q, niter, M)
    B = Q.mH @ A if M is None else Q.mH @ A - Q.mH @ M
    U, S, Vh = lampas.linalg.svd(B, full_matrices=False)
    U, V = Q @ U, Vh.mH
    return (V, S, U) if wide else (U, S, V)


@composite
def pca_lowrank(A, q=None, center=True, niter=2):
    """(U, S, V): principal directions V (..., n, q) of the rows of A (..., m, n), by svd_lowrank.

    q: default min(6, m, n). center: the mean of the rows is taken away first.
    """
    if not isinstance(A, lampas.Tensor):
        raise TypeError(f"A: expected Tensor, got {type(A)}")
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if center:
        A = A - A.mean(-2, keepdim=True)
    return svd_lowrank(A, q, niter)
