"""Eigenvalues, singular values and their vectors."""

from lampas import _core
from lampas.ops.matrix_checks import (
    check_floating,
    check_matrix,
    check_square_floating,
    named,
    raise_failed,
)
from lampas.ops.register import composite


def _uplo(UPLO):
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper() == "U"


@composite(namespace="linalg", out=True)
def eigh(A, UPLO="L"):
    """(eigenvalues, eigenvectors) of a Hermitian matrix, ascending; only the triangle UPLO is read."""
    check_square_floating(A, "linalg.eigh")
    values, vectors, info = _core._linalg_eigh(A, _uplo(UPLO), True)
    raise_failed(info, "linalg.eigh", "eig")
    return named("linalg_eigh", ("eigenvalues", "eigenvectors"), values, vectors)


@composite(namespace="linalg", out=True)
def eigvalsh(A, UPLO="L"):
    """The eigenvalues of a Hermitian matrix, ascending."""
    check_square_floating(A, "linalg.eigh")
    values, _, info = _core._linalg_eigh(A, _uplo(UPLO), False)
    raise_failed(info, "linalg.eigh", "eig")
    return values


def _eig(A, vectors):
    check_square_floating(A, "linalg.eig")
    if not A.is_meta and not bool(A.detach().isfinite().all()):
        raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
    values, found, info = _core._linalg_eig(A, vectors)
    raise_failed(info, "linalg.eig", "eig")
    return values, found


@composite(namespace="linalg", out=True)
def eig(A):
    """(eigenvalues, eigenvectors) of a square matrix, complex, in no order; vectors have norm 1."""
    return named("linalg_eig", ("eigenvalues", "eigenvectors"), *_eig(A, True))


@composite(namespace="linalg", out=True)
def eigvals(A):
    """The eigenvalues of a square matrix, complex, in no order."""
    return _eig(A, False)[0]


def _svd(A, full, vectors, driver=None):
    check_matrix(A, "linalg.svd")
    check_floating(A, "linalg.svd")
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend."
        )
    U, S, Vh, info = _core._linalg_svd(A, full, vectors)
    raise_failed(info, "linalg.svd", "svd")
    return U, S, Vh


@composite(namespace="linalg", out=True)
def svd(A, full_matrices=True, *, driver=None):
    """(U, S, Vh) with A = U diag(S) Vh, S descending; square U and Vh unless full_matrices is False."""
    return named("linalg_svd", ("U", "S", "Vh"), *_svd(A, full_matrices, True, driver))


@composite(namespace="linalg", out=True)
def svdvals(A, *, driver=None):
    """The singular values, descending."""
    return _svd(A, False, False, driver)[1]


def _old_svd(input, some=True, compute_uv=True):
    """(U, S, V) with input = U diag(S) Vᴴ; with compute_uv=False U and V are zeros."""
    check_matrix(input, "torch.svd", "input")
    if compute_uv:
        U, S, Vh = svd(input, not some)
        return named("svd", ("U", "S", "V"), U, S, Vh.mH)
    m, n = input.shape[-2:]
    S = svdvals(input)
    zeros = [input.new_zeros(*input.shape[:-2], size, size) for size in (m, n)]
    return named("svd", ("U", "S", "V"), zeros[0], S, zeros[1])


_old_svd.__name__ = "svd"
composite(_old_svd, method=True, out=True)
