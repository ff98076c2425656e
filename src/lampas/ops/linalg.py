"""Linear algebra: checks, named results and messages around the core's factorisations and solvers.

Norms, powers and products of matrices are in `matrices.py`, contractions in `contraction.py`.
"""

import lampas
from lampas import _core, return_types
from lampas.ops.register import NAMESPACES, composite

_LABELS = {"float16": "Half", "bfloat16": "BFloat16", "float32": "Float", "float64": "Double",
           "complex64": "ComplexFloat", "complex128": "ComplexDouble", "bool": "Bool", "uint8": "Byte",
           "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long"}  # fmt: skip


class LinAlgError(RuntimeError):
    """A matrix has no such factorisation, inverse or solution."""


LinAlgError.__name__ = "_LinAlgError"


def label(dtype):
    """The type's name in messages: "Float" for float32."""
    name = str(dtype).removeprefix("torch.")
    return _LABELS.get(name, name)


def check_matrix(A, name, argument="A"):
    if A.dim() < 2:
        raise RuntimeError(f"{name}: The input tensor {argument} must have at least 2 dimensions.")


def check_square(A, name, argument="A"):
    check_matrix(A, name, argument)
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(
            f"{name}: {argument} must be batches of square matrices, but they are {A.shape[-2]} by "
            f"{A.shape[-1]} matrices"
        )


def check_floating(A, name, low_precision=False):
    if not (A.is_floating_point() or A.is_complex()):
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {label(A.dtype)}"
        )
    if not low_precision and A.dtype in (lampas.float16, lampas.bfloat16):
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {label(A.dtype)}")


def _check(A, name, square=True):
    (check_square if square else check_matrix)(A, name)
    check_floating(A, name)


def _same_dtype(A, B, name):
    if A.dtype != B.dtype:
        raise RuntimeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type {label(A.dtype)} and B "
            f"of type {label(B.dtype)} instead"
        )


def _same_equation(A, B, left, name):
    if A.shape[-2] != B.shape[-2 if left else -1]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({A.shape[-2]}x{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
        )


_REASONS = {
    "inv": "The diagonal element {} is zero, the inversion could not be completed because the input matrix is singular.",
    "solve": "The solver failed because the input matrix is singular.",
    "cholesky": "The factorization could not be completed because the input is not positive-definite (the leading "
    "minor of order {} is not positive-definite).",
    "eig": "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated "
    "eigenvalues (error code: {}).",
    "svd": "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated "
    "singular values (error code: {}).",
    "lstsq": "The least squares solution could not be computed because the input matrix does not have full rank "
    "(error code: {}).",
}  # fmt: skip


def raise_failed(info, name, reason):
    """Raises LinAlgError for the first matrix whose `info` is not 0."""
    if info.is_meta or not bool((info != 0).any()):
        return
    codes = info.flatten().tolist()
    place, code = next((place, code) for place, code in enumerate(codes) if code)
    where = f"(Batch element {place}): " if info.dim() else ""
    if reason == "svd" and code == -4:
        text = (
            "The algorithm failed to converge because the input matrix contained non-finite values."
        )
    else:
        text = _REASONS[reason].format(code)
    raise LinAlgError(f"{name}: {where}{text}")


def _named(name, fields, *values):
    return return_types.make(name, fields)(values)


# --- Cholesky ---


def _cholesky(A, upper, name, node="LinalgCholeskyExBackward0"):
    _check(A, name)
    L, info = _core._linalg_cholesky_ex(A, upper, node)
    raise_failed(info, name, "cholesky")
    return L


@composite(namespace="linalg", out=True)
def cholesky(A, *, upper=False):
    """The lower triangle L with A = L Lᴴ, or the upper U with A = Uᴴ U, of (..., n, n).

    Raises LinAlgError when A is not positive-definite.
    """
    return _cholesky(A, upper, "linalg.cholesky")


@composite(namespace="linalg", out=True)
def cholesky_ex(A, *, upper=False, check_errors=False):
    """(L, info): as cholesky; info is the order of the first leading minor that is not positive, or 0."""
    _check(A, "linalg.cholesky_ex")
    L, info = _core._linalg_cholesky_ex(A, upper)
    if check_errors:
        raise_failed(info, "linalg.cholesky_ex", "cholesky")
    return _named("linalg_cholesky_ex", ("L", "info"), L, info)


def _old_cholesky(input, upper=False):
    """As linalg.cholesky."""
    _check(input, "cholesky")
    if not input.numel():
        return lampas.empty_like(input)
    return _cholesky(input, upper, "cholesky", "CholeskyBackward0")


_old_cholesky.__name__ = "cholesky"
composite(_old_cholesky, method=True, out=True)


@composite(method=True, out=True)
def cholesky_solve(input, L, upper=False):
    """x with A x = `input` (..., n, k), given the Cholesky factor `L` of A."""
    if input.dim() < 2:
        raise RuntimeError(
            f"b should have at least 2 dimensions, but has {input.dim()} dimensions instead"
        )
    if L.dim() < 2:
        raise RuntimeError(
            f"u should have at least 2 dimensions, but has {L.dim()} dimensions instead"
        )
    check_square(L, "cholesky_solve")
    _same_equation(L, input, True, "cholesky_solve")
    factor = L.mH if upper else L
    half = _core._linalg_solve_triangular(factor, input, False)
    return _core._linalg_solve_triangular(factor.mH, half, True)


@composite(method=True, out=True)
def cholesky_inverse(L, upper=False):
    """The inverse of A, given its Cholesky factor."""
    check_square(L, "cholesky_inverse")
    check_floating(L, "cholesky_inverse")
    return _core._linalg_cholesky_inverse(L, upper)


# --- LU ---


@composite(namespace="linalg", out=True)
def lu_factor_ex(A, *, pivot=True, check_errors=False):
    """(LU, pivots, info) of (..., m, n): both triangles in one matrix, rows swapped by `pivots`."""
    check_matrix(A, "linalg.lu_factor")
    check_floating(A, "linalg.lu_factor")
    _check_pivot(pivot, "linalg.lu_factor")
    LU, pivots, info = _core._linalg_lu_factor_ex(A, pivot)
    if check_errors:
        _raise_zero_pivot(info, "torch.linalg.lu_factor_ex")
    return _named("linalg_lu_factor_ex", ("LU", "pivots", "info"), LU, pivots, info)


def _check_pivot(pivot, name):
    if not pivot:
        raise RuntimeError(f"{name}: LU without pivoting is not implemented on the CPU")


def _raise_zero_pivot(info, name):
    if info.is_meta or not bool((info > 0).any()):
        return
    codes = info.flatten().tolist()
    place, code = next((place, code) for place, code in enumerate(codes) if code > 0)
    where = f"(Batch element {place}): " if info.dim() else ""
    raise RuntimeError(
        f"{name}: {where}U[{code},{code}] is zero and using it on lu_solve would result in a division by zero. "
        "If you still want to perform the factorization, consider calling linalg.lu(A, pivot) or "
        "linalg.lu_factor_ex(A, pivot)"
    )


@composite(namespace="linalg", out=True)
def lu_factor(A, *, pivot=True):
    """(LU, pivots) of (..., m, n). Raises RuntimeError when U has a zero on its diagonal."""
    LU, pivots, info = lu_factor_ex(A, pivot=pivot)
    _raise_zero_pivot(info, "torch.linalg.lu_factor")
    return _named("linalg_lu_factor", ("LU", "pivots"), LU, pivots)


@composite(namespace="linalg", out=True)
def lu(A, *, pivot=True):
    """(P, L, U) with A = P L U: a permutation, a unit lower and an upper triangle."""
    check_matrix(A, "linalg.lu")
    check_floating(A, "linalg.lu")
    _check_pivot(pivot, "linalg.lu")
    return _named("linalg_lu", ("P", "L", "U"), *_core._linalg_lu(A, pivot))


def _old_lu(A, pivot=True, get_infos=False):
    """(LU, pivots), and the infos of the factorisations if `get_infos`."""
    LU, pivots, info = lu_factor_ex(A, pivot=pivot)
    return (LU, pivots, info) if get_infos else (LU, pivots)


_old_lu.__name__ = "lu"
composite(_old_lu, method=True)


@composite(out=True)
def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    """(P, L, U) from the result of lu_factor; those not asked for are empty."""
    if LU_pivots.dtype != lampas.int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\n"
            "Note: this function is intended to be used with the output produced by torch.linalg.lu_factor"
        )
    check_matrix(LU_data, "torch.lu_unpack", "LU_data")
    m, n = LU_data.shape[-2:]
    k = min(m, n)
    P = L = U = LU_data.new_empty(0)
    if unpack_pivots:
        order = _core._linalg_permutation(LU_pivots, m)
        unit = lampas.eye(m, dtype=LU_data.dtype, device=LU_data.device)
        P = unit[order].mT.contiguous()
    if unpack_data:
        unit = lampas.eye(m, k, dtype=LU_data.dtype, device=LU_data.device)
        L = LU_data[..., :k].tril(-1) + unit
        U = LU_data[..., :k, :].triu()
    return _named("lu_unpack", ("P", "L", "U"), P, L, U)


@composite(namespace="linalg", out=True)
def lu_solve(LU, pivots, B, *, left=True, adjoint=False):
    """x with A x = B (or x A = B; Aᴴ with `adjoint`), given lu_factor(A)."""
    check_floating(LU, "torch.linalg.lu_solve")
    if LU.dtype != B.dtype:
        raise RuntimeError(
            f"linalg.lu_solve: Expected LU and B to have the same dtype, but found LU of type {label(LU.dtype)} "
            f"and B of type {label(B.dtype)} instead"
        )
    if pivots.dtype != lampas.int32:
        raise RuntimeError("linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32")
    check_square(LU, "torch.linalg.lu_solve", "LU")
    check_matrix(B, "torch.linalg.lu_solve", "B")
    _same_equation(LU, B, left, "linalg.lu_solve")
    if left:
        return _core._linalg_lu_solve(LU, pivots, B, adjoint)
    return _core._linalg_lu_solve(LU, pivots, B.mH, not adjoint).mH


def _old_lu_solve(b, LU_data, LU_pivots):
    """As linalg.lu_solve."""
    return lu_solve(LU_data, LU_pivots, b)


_old_lu_solve.__name__ = "lu_solve"
composite(_old_lu_solve, method=True, out=True)


# --- systems ---


def _is_vector(A, B):
    return B.dim() == 1 or (A.dim() - 1 == B.dim() and B.shape == A.shape[:-1])


def _solve(A, B, left, name):
    _check(A, name)
    _same_dtype(A, B, name)
    vector = _is_vector(A, B)
    if vector and not left:
        raise RuntimeError(
            f"{name}: Vector broadcasting of the left hand side is not supported for left=False."
        )
    if not vector and B.dim() < 2:
        check_matrix(B, name, "B")
    right = B.unsqueeze(-1) if vector else B
    _same_equation(A, right, left, name)
    if left:
        x, info = _core._linalg_solve_ex(A, right)
    else:
        x, info = _core._linalg_solve_ex(A.mT, right.mT)
        x = x.mT
    return (x.squeeze(-1) if vector else x), info


@composite(namespace="linalg", out=True)
def solve(A, B, *, left=True):
    """x with A x = B (or x A = B) for (..., n, n) and (..., n, k) or (..., n). LinAlgError if A is singular."""
    x, info = _solve(A, B, left, "linalg.solve")
    raise_failed(info, "torch.linalg.solve", "solve")
    return x


@composite(namespace="linalg", out=True)
def solve_ex(A, B, *, left=True, check_errors=False):
    """(result, info): as solve, without raising unless `check_errors`."""
    x, info = _solve(A, B, left, "linalg.solve")
    if check_errors:
        raise_failed(info, "torch.linalg.solve_ex", "solve")
    return _named("linalg_solve_ex", ("result", "info"), x, info)


@composite(namespace="linalg", out=True)
def solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """x with A x = B (or x A = B), reading one triangle of A; unitriangular: with ones on its diagonal."""
    name = "linalg.solve_triangular"
    check_square(A, name)
    check_matrix(B, name, "B")
    _same_dtype(A, B, name)
    _same_equation(A, B, left, name)
    return _core._linalg_solve_triangular(A, B, upper, left, unitriangular)


@composite(method=True, out=True)
def triangular_solve(b, A, upper=True, transpose=False, unitriangular=False):
    """(solution of A x = b, copy of A); with `transpose` of Aᵀ x = b."""
    check_square(A, "triangular_solve")
    check_matrix(b, "triangular_solve", "b")
    _same_equation(A, b, True, "triangular_solve")
    matrix = A.mT if transpose else A
    x = _core._linalg_solve_triangular(matrix, b, upper != transpose, True, unitriangular)
    copy = A.expand(*x.shape[:-2], *A.shape[-2:]).clone()
    return _named("triangular_solve", ("solution", "cloned_coefficient"), x, copy)


def _inverse(A, name):
    _check(A, name)
    return _core._linalg_inv_ex(A)


@composite(namespace="linalg", out=True)
def inv(A):
    """The inverse of (..., n, n). Raises LinAlgError when A is singular."""
    x, info = _inverse(A, "linalg.inv")
    raise_failed(info, "linalg.inv", "inv")
    return x


@composite(namespace="linalg", out=True)
def inv_ex(A, *, check_errors=False):
    """(inverse, info): as inv, without raising unless `check_errors`."""
    x, info = _inverse(A, "linalg.inv")
    if check_errors:
        raise_failed(info, "linalg.inv_ex", "inv")
    return _named("linalg_inv_ex", ("inverse", "info"), x, info)


@composite(method=True, out=True)
def inverse(input):
    """As linalg.inv."""
    return inv(input)


@composite(namespace="linalg", out=True)
def det(A):
    """The determinant of (..., n, n)."""
    _check(A, "linalg.det")
    return _core._linalg_det(A)


@composite(namespace="linalg", out=True)
def slogdet(A):
    """(sign, logabsdet) of the determinant: sign is on the unit circle, or 0 (then logabsdet is -inf)."""
    _check(A, "linalg.slogdet")
    return _named("linalg_slogdet", ("sign", "logabsdet"), *_core._linalg_slogdet(A))


def _old_det(input):
    """As linalg.det."""
    return det(input)


_old_det.__name__ = "det"
composite(_old_det, method=True)


def _old_slogdet(input):
    """As linalg.slogdet."""
    return _named("slogdet", ("sign", "logabsdet"), *slogdet(input))


_old_slogdet.__name__ = "slogdet"
composite(_old_slogdet, method=True, out=True)


@composite(method=True)
def logdet(input):
    """The logarithm of the determinant; NaN where that is negative."""
    _check(input, "logdet")
    sign, size = _core._linalg_slogdet(input)
    if input.is_complex():
        return sign.log() + size
    return lampas.where(sign == -1, float("nan"), size)


@composite(namespace="linalg", out=True)
def lstsq(A, B, rcond=None, *, driver=None):
    """(solution, residuals, rank, singular_values) of min |A x - B| for (..., m, n) and (..., m, k).

    driver: "gels" (full rank), "gelsy" (default), "gelsd", "gelss". What a driver does not give is empty.
    """
    name = "torch.linalg.lstsq"
    check_floating(A, name)
    check_matrix(A, name, "input")
    if B.dim() < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    _same_dtype(A, B, name)
    vector = _is_vector(A, B)
    right = B.unsqueeze(-1) if vector else B
    if right.shape[-2] != A.shape[-2]:
        raise RuntimeError(f"{name}: input.size(-2) should match other.size(-{1 if vector else 2})")
    m, n = A.shape[-2:]
    if rcond is None:
        rcond = lampas.finfo(A.dtype).eps * max(m, n)
    x, rank, values, info = _core._linalg_least_squares(
        A.detach(), right.detach(), float(rcond), driver or "gelsy"
    )
    raise_failed(info, name, "lstsq")
    x = x[..., :n, :]
    if lampas.is_grad_enabled() and (A.requires_grad or B.requires_grad):
        x = lampas.linalg.pinv(A) @ right
    residuals = A.new_empty(0, dtype=values.dtype)
    if m > n and (
        driver == "gels" or (driver is not None and driver != "gelsy" and bool((rank == n).all()))
    ):
        residuals = (A @ x - right).abs().square().sum(-2)
    elif m > n and driver in (None, "gelsy") and bool((rank == n).all()):
        residuals = (A @ x - right).abs().square().sum(-2)
    solution = x.squeeze(-1) if vector else x
    return _named(
        "linalg_lstsq",
        ("solution", "residuals", "rank", "singular_values"),
        solution,
        residuals,
        rank,
        values,
    )


# --- orthogonal factors ---


@composite(namespace="linalg", out=True)
def qr(A, mode="reduced"):
    """(Q, R) with A = Q R. mode: "reduced", "complete" (square Q) or "r" (Q empty)."""
    check_matrix(A, "linalg.qr")
    check_floating(A, "linalg.qr")
    return _named("linalg_qr", ("Q", "R"), *_core._linalg_qr(A, mode))


def _old_qr(input, some=True):
    """As linalg.qr; some=False: mode "complete"."""
    return _named("qr", ("Q", "R"), *qr(input, "reduced" if some else "complete"))


_old_qr.__name__ = "qr"
composite(_old_qr, method=True, out=True)


@composite(method=True, out=True)
def geqrf(input):
    """(a, tau): R above the reflectors of the QR factorisation, as LAPACK gives them."""
    check_matrix(input, "torch.geqrf", "input")
    return _named("geqrf", ("a", "tau"), *_core._linalg_geqrf(input))


@composite(namespace="linalg", out=True)
def householder_product(A, tau):
    """The first n columns of the product of k reflectors held in (..., m, n) and (..., k)."""
    name = "torch.linalg.householder_product"
    if A.dim() < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if A.shape[-2] < A.shape[-1]:
        raise RuntimeError(
            f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    if A.shape[-1] < tau.shape[-1]:
        raise RuntimeError(
            f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )
    if A.dim() - tau.dim() != 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to {tau.dim()} "
            f"and input.ndim is equal to {A.dim()}"
        )
    if A.shape[:-2] != tau.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got {tuple(tau.shape[:-1])}"
        )
    if A.dtype != tau.dtype:
        raise RuntimeError(
            f"{name}: tau dtype {label(tau.dtype)} does not match input dtype {label(A.dtype)}"
        )
    return _core._linalg_householder_product(A, tau)


@composite(method=True, out=True)
def orgqr(input, input2):
    """As linalg.householder_product."""
    return householder_product(input, input2)


@composite(method=True, out=True)
def ormqr(input, input2, input3, left=True, transpose=False):
    """Q `input3` (or `input3` Q; Qᴴ with `transpose`), Q given by reflectors `input` and `input2`."""
    if input.dim() < 2 or input3.dim() < 2:
        raise RuntimeError("torch.ormqr: input must have at least 2 dimensions.")
    if input2.shape[-1] > input.shape[-1]:
        raise RuntimeError(
            "torch.ormqr: tau.shape[-1] must be less than or equal to input.shape[-1]"
        )
    rows = input3.shape[-2 if left else -1]
    if input.shape[-2] != rows:
        raise RuntimeError(
            f"torch.ormqr: other.shape[{-2 if left else -1}] must be equal to input.shape[-2]"
        )
    if input.shape[:-2] != input3.shape[:-2] or input2.shape[:-1] != input.shape[:-2]:
        raise RuntimeError("torch.ormqr: batch dimensions of the inputs must be equal")
    return _core._linalg_ormqr(input, input2, input3, left, transpose)


# --- spectra ---


def _uplo(UPLO):
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper() == "U"


@composite(namespace="linalg", out=True)
def eigh(A, UPLO="L"):
    """(eigenvalues, eigenvectors) of a Hermitian matrix, ascending; only the triangle UPLO is read."""
    _check(A, "linalg.eigh")
    values, vectors, info = _core._linalg_eigh(A, _uplo(UPLO), True)
    raise_failed(info, "linalg.eigh", "eig")
    return _named("linalg_eigh", ("eigenvalues", "eigenvectors"), values, vectors)


@composite(namespace="linalg", out=True)
def eigvalsh(A, UPLO="L"):
    """The eigenvalues of a Hermitian matrix, ascending."""
    _check(A, "linalg.eigh")
    values, _, info = _core._linalg_eigh(A, _uplo(UPLO), False)
    raise_failed(info, "linalg.eigh", "eig")
    return values


def _eig(A, vectors):
    _check(A, "linalg.eig")
    if not A.is_meta and not bool(A.detach().isfinite().all()):
        raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
    values, found, info = _core._linalg_eig(A, vectors)
    raise_failed(info, "linalg.eig", "eig")
    return values, found


@composite(namespace="linalg", out=True)
def eig(A):
    """(eigenvalues, eigenvectors) of a square matrix, complex, in no order; vectors have norm 1."""
    return _named("linalg_eig", ("eigenvalues", "eigenvectors"), *_eig(A, True))


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
    return _named("linalg_svd", ("U", "S", "Vh"), *_svd(A, full_matrices, True, driver))


@composite(namespace="linalg", out=True)
def svdvals(A, *, driver=None):
    """The singular values, descending."""
    return _svd(A, False, False, driver)[1]


def _old_svd(input, some=True, compute_uv=True):
    """(U, S, V) with input = U diag(S) Vᴴ; with compute_uv=False U and V are zeros."""
    check_matrix(input, "torch.svd", "input")
    if compute_uv:
        U, S, Vh = svd(input, not some)
        return _named("svd", ("U", "S", "V"), U, S, Vh.mH)
    m, n = input.shape[-2:]
    S = svdvals(input)
    zeros = [input.new_zeros(*input.shape[:-2], size, size) for size in (m, n)]
    return _named("svd", ("U", "S", "V"), zeros[0], S, zeros[1])


_old_svd.__name__ = "svd"
composite(_old_svd, method=True, out=True)


# --- LDL ---


@composite(namespace="linalg", out=True)
def ldl_factor_ex(A, *, hermitian=False, check_errors=False):
    """(LD, pivots, info) of a symmetric or Hermitian matrix, as LAPACK's sytrf and hetrf give them."""
    _check(A, "torch.linalg.ldl_factor_ex")
    LD, pivots, info = _core._linalg_ldl_factor_ex(A, hermitian)
    if check_errors:
        raise_failed(info, "torch.linalg.ldl_factor_ex", "solve")
    return _named("linalg_ldl_factor_ex", ("LD", "pivots", "info"), LD, pivots, info)


@composite(namespace="linalg", out=True)
def ldl_factor(A, *, hermitian=False):
    """(LD, pivots) of a symmetric or Hermitian matrix."""
    LD, pivots, _ = ldl_factor_ex(A, hermitian=hermitian)
    return _named("linalg_ldl_factor", ("LD", "pivots"), LD, pivots)


@composite(namespace="linalg", out=True)
def ldl_solve(LD, pivots, B, *, hermitian=False):
    """x with A x = B, given ldl_factor(A)."""
    name = "torch.linalg.ldl_solve"
    check_square(LD, name, "LD")
    check_matrix(B, name, "B")
    _same_equation(LD, B, True, name)
    if pivots.dtype != lampas.int32:
        raise RuntimeError(f"{name}: Expected pivots to be integers. Got {label(pivots.dtype)}")
    if LD.dtype != B.dtype:
        raise RuntimeError(
            f"{name}: LD dtype {label(LD.dtype)} does not match b dtype {label(B.dtype)}"
        )
    return _core._linalg_ldl_solve(LD, pivots, B, hermitian)


NAMESPACES["linalg"]["LinAlgError"] = LinAlgError
