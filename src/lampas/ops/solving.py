"""Linear systems, inverses, determinants and least squares."""

import lampas
from lampas import _core
from lampas.ops.matrix_checks import (
    check_matrix,
    check_square,
    check_square_floating,
    label,
    low_precision,
    named,
    raise_failed,
    same_dtype,
    same_equation,
)
from lampas.ops.one_node import one_node, pulled_back
from lampas.ops.register import composite


def _is_vector(A, B):
    return B.dim() == 1 or (A.dim() - 1 == B.dim() and B.shape == A.shape[:-1])


def _solution(A, B, left, vector):
    """(x, info) of vectors, or of x A = B; x is laid out as PyTorch's."""
    if not left:
        x, info = _core._linalg_solve_ex(A.mT, B.mT)
        return x.mT, info
    x, info = _core._linalg_solve_ex(A, B.unsqueeze(-1) if vector else B)
    x = x.squeeze(-1)
    return (x.mT.contiguous().mT if x.dim() > 1 else x), info


def _solution_gradient(grads, args, outputs):
    g, (A, B, left, vector), x = grads[0], args, outputs[0]
    g = _solved(A.mH, g, left, vector)[0]
    if vector:
        dA = -g.unsqueeze(-1) * x.conj().unsqueeze(-2)
    else:
        dA = -(g @ x.mH) if left else -(x.mH @ g)
    return dA.sum_to_size(A.shape), g.sum_to_size(B.shape)


_node = one_node("LinalgSolveExBackward0", _solution, _solution_gradient, differentiable=1)


def _solved(A, B, left, vector):
    """(x, info); systems of columns, the usual case, are one call of the core."""
    return _core._linalg_solve_ex(A, B) if left and not vector else _node(A, B, left, vector)


def _solve(A, B, left, name):
    check_square_floating(A, name)
    same_dtype(A, B, name)
    vector = _is_vector(A, B)
    if vector and not left:
        raise RuntimeError(
            f"{name}: Vector broadcasting of the left hand side is not supported for left=False."
        )
    if not vector and B.dim() < 2:
        check_matrix(B, name, "B")
    same_equation(A, B.unsqueeze(-1) if vector else B, left, name)
    return _solved(A, B, left, vector)


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
    return named("linalg_solve_ex", ("result", "info"), x, info)


@composite(namespace="linalg", out=True)
def solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """x with A x = B (or x A = B), reading one triangle of A; unitriangular: with ones on its diagonal."""
    name = "linalg.solve_triangular"
    check_square(A, name)
    check_matrix(B, name, "B")
    same_dtype(A, B, name)
    same_equation(A, B, left, name)
    return _core._linalg_solve_triangular(A, B, upper, left, unitriangular)


@composite(method=True, out=True)
def triangular_solve(b, A, upper=True, transpose=False, unitriangular=False):
    """(solution of A x = b, copy of A); with `transpose` of Aᵀ x = b."""
    check_square(A, "triangular_solve")
    check_matrix(b, "triangular_solve", "b")
    same_equation(A, b, True, "triangular_solve")
    matrix = A.mT if transpose else A
    x = _core._linalg_solve_triangular(matrix, b, upper != transpose, True, unitriangular)
    copy = A.expand(*x.shape[:-2], *A.shape[-2:]).mT.contiguous().mT  # column-major
    return named("triangular_solve", ("solution", "cloned_coefficient"), x, copy)


def _inverse(A, name):
    check_square_floating(A, name)
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
    return named("linalg_inv_ex", ("inverse", "info"), x, info)


@composite(method=True, out=True)
def inverse(input):
    """As linalg.inv."""
    return inv(input)


@composite(namespace="linalg", out=True)
def det(A):
    """The determinant of (..., n, n)."""
    check_square_floating(A, "linalg.det")
    return _core._linalg_det(A)


@composite(namespace="linalg", out=True)
def slogdet(A):
    """(sign, logabsdet) of the determinant: sign is on the unit circle, or 0 (then logabsdet is -inf)."""
    check_square_floating(A, "linalg.slogdet")
    return named("linalg_slogdet", ("sign", "logabsdet"), *_core._linalg_slogdet(A))


def _old_det(input):
    """As linalg.det."""
    return det(input)


_old_det.__name__ = "det"
composite(_old_det, method=True)


def _old_slogdet(input):
    """As linalg.slogdet."""
    return named("slogdet", ("sign", "logabsdet"), *slogdet(input))


_old_slogdet.__name__ = "slogdet"
composite(_old_slogdet, method=True, out=True)


@composite(method=True)
def logdet(input):
    """The logarithm of the determinant; NaN where that is negative."""
    check_square_floating(input, "logdet")
    sign, size = _core._linalg_slogdet(input)
    if input.is_complex():
        return sign.log() + size
    return lampas.where(sign == -1, float("nan"), size)


def _check_least_squares(A, B, name):
    if A.dim() < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if B.dim() < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    if A.dtype != B.dtype:
        raise RuntimeError(
            f"{name}: Expected input and other to have the same dtype, but got input's dtype "
            f"{label(A.dtype)} and other's dtype {label(B.dtype)}"
        )
    if not 0 <= A.dim() - B.dim() <= 1:
        raise RuntimeError(
            f"{name}: input.dim() must be greater or equal to other.dim() and "
            "(input.dim() - other.dim()) <= 1"
        )
    end = 1 if _is_vector(A, B) else 2
    if A.shape[-2] != B.shape[-end]:
        raise RuntimeError(f"{name}: input.size(-2) should match other.size(-{end})")
    if not A.is_floating_point() and not A.is_complex() or low_precision(A):
        raise RuntimeError("This function doesn't handle types other than float and double")


def _misfit(A, x, right):
    return (A @ x - right).abs().square().sum(-2)


def _least_squares(A, B, rcond, driver):
    vector = _is_vector(A, B)
    right = B.unsqueeze(-1) if vector else B
    m, n = A.shape[-2:]
    x, rank, values, info = _core._linalg_least_squares(A, right, rcond, driver)
    raise_failed(info, "torch.linalg.lstsq", "lstsq")
    x = x[..., :n, :]
    full = driver == "gels" or (driver != "gelsy" and m > n and bool((rank == n).all()))
    residuals = _misfit(A, x, right) if m > n and full else A.new_empty(0, dtype=values.dtype)
    return x.squeeze(-1) if vector else x, residuals, rank, values


def _least_squares_gradient(grads, args, outputs):
    """That of x = A⁺ B and of what is left, |A x - B|²."""
    (A, B), residuals = args[:2], outputs[1]

    def formula(A, B):
        right = B.unsqueeze(-1) if _is_vector(A, B) else B
        x = lampas.linalg.pinv(A) @ right
        solution = x.squeeze(-1) if right is not B else x
        return (solution, _misfit(A, x, right)) if residuals.numel() else (solution,)

    return pulled_back(formula, (A, B), grads)


_lstsq = one_node("LinalgLstsqBackward0", _least_squares, _least_squares_gradient, differentiable=2)


@composite(namespace="linalg", out=True)
def lstsq(A, B, rcond=None, *, driver=None):
    """(solution, residuals, rank, singular_values) of min |A x - B| for (..., m, n) and (..., m, k).

    driver: "gels" (full rank), "gelsy" (default), "gelsd", "gelss". What a driver does not give is empty.
    """
    _check_least_squares(A, B, "torch.linalg.lstsq")
    if rcond is None:
        rcond = lampas.finfo(A.dtype).eps * max(A.shape[-2:])
    fields = ("solution", "residuals", "rank", "singular_values")
    return named("linalg_lstsq", fields, *_lstsq(A, B, float(rcond), driver or "gelsy"))
