"""Cholesky, LU and LDL factorisations, and those with orthogonal factors."""

import lampas
from lampas import _core
from lampas.ops.matrix_checks import (
    check_floating,
    check_matrix,
    check_square,
    check_square_floating,
    label,
    named,
    raise_failed,
    refuse_type,
    same_equation,
)
from lampas.ops.one_node import one_node, pulled_back
from lampas.ops.register import composite

# --- Cholesky ---


def _cholesky(A, upper, name, node="LinalgCholeskyExBackward0"):
    check_square_floating(A, name)
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
    check_square_floating(A, "linalg.cholesky_ex")
    L, info = _core._linalg_cholesky_ex(A, upper)
    if check_errors:
        raise_failed(info, "linalg.cholesky_ex", "cholesky")
    return named("linalg_cholesky_ex", ("L", "info"), L, info)


def _old_cholesky(input, upper=False):
    """As linalg.cholesky."""
    check_square_floating(input, "cholesky")
    return _cholesky(input, upper, "cholesky", "CholeskyBackward0")


_old_cholesky.__name__ = "cholesky"
composite(_old_cholesky, method=True, out=True)


def _through_factor(g, L, upper):
    """The gradient of L, given that `g` of A = L Lᴴ (Uᴴ U); PyTorch reads both triangles here."""
    g = g + g.mH
    return L @ g if upper else g @ L


def _cholesky_solution(input, L, upper):
    factor = L.mH if upper else L
    half = _core._linalg_solve_triangular(factor, input, False)
    return _core._linalg_solve_triangular(factor.mH, half, True)


def _cholesky_solve_gradient(grads, args, outputs):
    (g,), (input, L, upper), (x,) = grads, args, outputs
    g = _cholesky_solve(g, L, upper)
    return g.sum_to_size(input.shape), _through_factor(-g @ x.mH, L, upper).sum_to_size(L.shape)


_cholesky_solve = one_node("CholeskySolveBackward0", _cholesky_solution, _cholesky_solve_gradient)


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
    if input.dtype != L.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {label(input.dtype)} and A of "
            f"type {label(L.dtype)} instead."
        )
    m, n = L.shape[-2:]
    if m != n:
        raise RuntimeError(
            f"A must be batches of square matrices, but they are {m} by {n} matrices"
        )
    if n != input.shape[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for cholesky_solve: each A matrix is {n} by {n} but each b "
            f"matrix is {input.shape[-2]} by {input.shape[-1]}"
        )
    refuse_type(L, "cholesky_solve_cpu")
    return _cholesky_solve(input, L, upper)


def _cholesky_inverse_gradient(grads, args, outputs):
    (g,), (L, upper), (x,) = grads, args, outputs
    return (_through_factor(-x @ g @ x, L, upper),)


_cholesky_inverse = one_node(
    "CholeskyInverseBackward0", _core._linalg_cholesky_inverse, _cholesky_inverse_gradient
)


@composite(method=True, out=True)
def cholesky_inverse(L, upper=False):
    """The inverse of A, given its Cholesky factor. LinAlgError for a zero on the factor's diagonal."""
    check_square(L, "cholesky_inverse")
    refuse_type(L, "cholesky_inverse_out_cpu")
    if not L.is_meta:
        zeros = L.detach().diagonal(dim1=-2, dim2=-1) == 0
        first = (zeros.cumsum(-1) == 0).sum(-1) + 1  # place of the first zero, from 1
        raise_failed(first * zeros.any(-1), "cholesky_inverse", "inv")
    return _cholesky_inverse(L, upper)


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
    return named("linalg_lu_factor_ex", ("LU", "pivots", "info"), LU, pivots, info)


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
    return named("linalg_lu_factor", ("LU", "pivots"), LU, pivots)


@composite(namespace="linalg", out=True)
def lu(A, *, pivot=True):
    """(P, L, U) with A = P L U: a permutation, a unit lower and an upper triangle."""
    check_matrix(A, "linalg.lu")
    check_floating(A, "linalg.lu")
    _check_pivot(pivot, "linalg.lu")
    return named("linalg_lu", ("P", "L", "U"), *_core._linalg_lu(A, pivot))


def _old_lu(A, pivot=True, get_infos=False, out=None):
    """(LU, pivots), and the infos of the factorisations if `get_infos`."""
    if A.dim() < 2:
        raise RuntimeError(
            f"torch.lu_factor: Expected tensor with 2 or more dimensions. Got size: {list(A.shape)} instead"
        )
    result = named("_lu_with_info", ("LU", "pivots", "info"), *lu_factor_ex(A, pivot=pivot))
    count = 3 if get_infos else 2
    if out is not None:
        given = len(out) if isinstance(out, (tuple, list)) else 0
        if given != count:
            raise TypeError(f"expected tuple of {count} elements but got {given}")
        return tuple(_core._write_out("lu", tuple(out), tuple(result[:count])))
    return result if get_infos else tuple(result[:2])


def _lu_method(self, pivot=True, get_infos=False):
    """As linalg.lu_factor; with `get_infos` as linalg.lu_factor_ex, as a plain tuple."""
    return tuple(_old_lu(self, pivot, get_infos))


_old_lu.__name__ = _lu_method.__name__ = "lu"
composite(_old_lu)
composite(_lu_method, public=False, method=True)


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
    return named("lu_unpack", ("P", "L", "U"), P, L, U)


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
    same_equation(LU, B, left, "linalg.lu_solve")
    if left:
        return _core._linalg_lu_solve(LU, pivots, B, adjoint)
    return _core._linalg_lu_solve(LU, pivots, B.mH, not adjoint).mH


def _old_lu_solve(b, LU_data, LU_pivots):
    """As linalg.lu_solve."""
    return lu_solve(LU_data, LU_pivots, b)


_old_lu_solve.__name__ = "lu_solve"
composite(_old_lu_solve, method=True, out=True)


# --- orthogonal factors ---


@composite(namespace="linalg", out=True)
def qr(A, mode="reduced"):
    """(Q, R) with A = Q R. mode: "reduced", "complete" (square Q) or "r" (Q empty)."""
    check_matrix(A, "linalg.qr")
    check_floating(A, "linalg.qr")
    return named("linalg_qr", ("Q", "R"), *_core._linalg_qr(A, mode))


def _old_qr(input, some=True):
    """As linalg.qr; some=False: mode "complete"."""
    return named("qr", ("Q", "R"), *qr(input, "reduced" if some else "complete"))


_old_qr.__name__ = "qr"
composite(_old_qr, method=True, out=True)


@composite(method=True, out=True)
def geqrf(input):
    """(a, tau): R above the reflectors of the QR factorisation, as LAPACK gives them."""
    check_matrix(input, "torch.geqrf", "input")
    return named("geqrf", ("a", "tau"), *_core._linalg_geqrf(input))


def _householder_gradient(grads, args, outputs):
    A, tau = args
    if not tau.numel():
        return None, None
    return pulled_back(lambda *x: (_core._linalg_householder_product(*x),), (A, tau), grads)


_householder_product = one_node(
    "LinalgHouseholderProductBackward0", _core._linalg_householder_product, _householder_gradient
)


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
    refuse_type(A, "orgqr_cpu")
    return _householder_product(A, tau)


@composite(method=True, out=True)
def orgqr(input, input2):
    """As linalg.householder_product."""
    return householder_product(input, input2)


def _check_reflectors(A, tau, other, left):
    name = "torch.ormqr"
    for argument, x in (("input", A), ("other", other)):
        if x.dim() < 2:
            raise RuntimeError(f"{name}: {argument} must have at least 2 dimensions.")
    end = 2 if left else 1
    rows = other.shape[-end]
    if tau.shape[-1] > rows:
        raise RuntimeError(
            f"{name}: other.shape[-{end}] must be greater than or equal to tau.shape[-1]"
        )
    if tau.shape[-1] != min(rows, A.shape[-1]):
        raise RuntimeError(
            f"{name}: tau.shape[-1] must be equal to min(other.shape[-{end}], input.shape[-1])"
        )
    if rows != A.shape[-2]:
        raise RuntimeError(f"{name}: other.shape[-{end}] must be equal to input.shape[-2]")
    if A.dim() - tau.dim() != 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to "
            f"{tau.dim()} and input.ndim is equal to {A.dim()}"
        )
    if A.dim() != other.dim():
        raise RuntimeError(
            f"{name}: Expected other to have the same number of dimensions as input, but got other.ndim "
            f"equal to {other.dim()} and input.ndim is equal to {A.dim()}"
        )
    for argument, batch in (("tau", tau.shape[:-1]), ("other", other.shape[:-2])):
        if batch != A.shape[:-2]:
            raise RuntimeError(
                f"{name}: Expected batch dimensions of {argument} to be equal to input.shape[:-2], but "
                f"got {list(batch)}"
            )
    for argument, x in (("tau", tau), ("other", other)):
        if x.dtype != A.dtype:
            raise RuntimeError(
                f"{name}: Expected input and {argument} to have the same dtype, but input has dtype"
                f"{label(A.dtype)} and {argument} has dtype {label(x.dtype)}"
            )


def _ormqr_gradient(grads, args, outputs):
    A, tau, other, left, transpose = args
    back = _ormqr(A, tau, grads[0], left, not transpose)
    if not tau.numel():
        return None, None, back

    def formula(A, tau):
        return (_core._linalg_ormqr(A, tau, other, left, transpose),)

    return (*pulled_back(formula, (A, tau), grads), back)


_ormqr = one_node("OrmqrBackward0", _core._linalg_ormqr, _ormqr_gradient)


@composite(method=True, out=True)
def ormqr(input, input2, input3, left=True, transpose=False):
    """Q `input3` (or `input3` Q; Qᴴ with `transpose`), Q given by reflectors `input` and `input2`."""
    _check_reflectors(input, input2, input3, left)
    refuse_type(input, "ormqr_cpu")
    return _ormqr(input, input2, input3, left, transpose)


# --- LDL ---


@composite(namespace="linalg", out=True)
def ldl_factor_ex(A, *, hermitian=False, check_errors=False):
    """(LD, pivots, info) of a symmetric or Hermitian matrix, as LAPACK's sytrf and hetrf give them."""
    check_square_floating(A, "torch.linalg.ldl_factor_ex")
    LD, pivots, info = _core._linalg_ldl_factor_ex(A, hermitian)
    LD = LD.mT.triu().mT  # the other triangle is not LAPACK's to write; column-major stays
    if check_errors:
        raise_failed(info, "torch.linalg.ldl_factor_ex", "solve")
    return named("linalg_ldl_factor_ex", ("LD", "pivots", "info"), LD, pivots, info)


@composite(namespace="linalg", out=True)
def ldl_factor(A, *, hermitian=False):
    """(LD, pivots) of a symmetric or Hermitian matrix."""
    LD, pivots, _ = ldl_factor_ex(A, hermitian=hermitian)
    return named("linalg_ldl_factor", ("LD", "pivots"), LD, pivots)


@composite(namespace="linalg", out=True)
def ldl_solve(LD, pivots, B, *, hermitian=False):
    """x with A x = B, given ldl_factor(A)."""
    name = "torch.linalg.ldl_solve"
    check_square(LD, name, "LD")
    check_matrix(B, name, "B")
    same_equation(LD, B, True, name)
    if pivots.dtype != lampas.int32:
        raise RuntimeError(f"{name}: Expected pivots to be integers. Got {label(pivots.dtype)}")
    if LD.dtype != B.dtype:
        raise RuntimeError(
            f"{name}: LD dtype {label(LD.dtype)} does not match b dtype {label(B.dtype)}"
        )
    return _core._linalg_ldl_solve(LD, pivots, B, hermitian)
