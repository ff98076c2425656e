"""Norms, ranks, inverses in the least-squares sense, powers and exponentials of matrices."""

import math

import lampas
from lampas import _core
from lampas.ops.matrix_checks import check_floating, check_matrix, check_square, label
from lampas.ops.one_node import one_node
from lampas.ops.register import composite

_INF = float("inf")


def _linalg():
    return lampas.linalg


# --- norms ---


def _matrix_dims(A, dim, name):
    if len(dim) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {' '.join(map(str, dim))}")
    rank = A.dim()
    for d in dim:
        if not -rank <= d < rank:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {d})"
            )
    rows, cols = (d % rank for d in dim)
    if rows == cols:
        raise RuntimeError(f"{name}: dims must be different. Got ({dim[0]}, {dim[1]})")
    return rows, cols


@composite(namespace="linalg", out=True)
def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """The norm of matrices over the two dims. ord: "fro", "nuc", inf, -inf, 1, -1, 2 or -2."""
    name = "linalg.matrix_norm"
    check_matrix(A, name)
    check_floating(A, name, low=not isinstance(ord, str) and abs(ord) != 2 or ord == "fro")
    dim = tuple(dim)
    if isinstance(ord, str):
        if ord not in ("fro", "nuc"):
            raise RuntimeError(f"{name}: Order {ord} not supported.")
    elif abs(ord) not in (1, 2, _INF):
        raise RuntimeError(f"{name}: Order {ord} not supported.")
    rows, cols = _matrix_dims(A, dim, name)
    if ord == "fro":
        return _core.linalg_vector_norm(A, 2, (rows, cols), keepdim, dtype=dtype)
    if dtype is not None:
        A = A.to(dtype)
    if ord == "nuc" or abs(ord) == 2:
        values = _linalg().svdvals(A.movedim((rows, cols), (-2, -1)))
        norm = values.sum(-1) if ord == "nuc" else _extreme(values, ord, -1, False)
        return norm.unsqueeze(min(rows, cols)).unsqueeze(max(rows, cols)) if keepdim else norm
    inner, outer = (rows, cols) if abs(ord) == 1 else (cols, rows)
    sums = _core.linalg_vector_norm(A, 1, inner, keepdim)
    if not keepdim and inner < outer:
        outer -= 1
    return _extreme(sums, ord, outer, keepdim)


def _extreme(values, ord, dim, keepdim):
    """The largest or, for negative `ord`, the smallest; the largest of no values is 0."""
    if ord < 0:
        if (
            values.numel() == 0 and values.size(dim) == 0 and dim < 0
        ):  # PyTorch's text does not wrap it
            raise IndexError(f"amin(): Expected reduction dim {dim} to have non-zero size.")
        return values.amin(dim, keepdim)
    return values.amax(dim, keepdim) if values.size(dim) else values.sum(dim, keepdim)


@composite(namespace="linalg", out=True)
def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """A vector norm (one dim, or everything when ord is None) or a matrix norm (two dims)."""
    if dim is not None:
        dim = (dim,) if isinstance(dim, int) else tuple(dim)
    if ord is None:
        return _core.linalg_vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is not None and len(dim) not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got [{', '.join(map(str, dim))}]"
        )
    if dim is None and A.dim() not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{A.dim()}D."
        )
    if isinstance(ord, str) or (A.dim() == 2 if dim is None else len(dim) == 2):
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return _core.linalg_vector_norm(A, ord, dim, keepdim, dtype=dtype)


@composite(namespace="linalg", out=True)
def cond(A, p=None):
    """The condition number |A| |A⁻¹| in the norm p (that of matrix_norm; None is 2)."""
    check_matrix(A, "linalg.cond")
    if isinstance(p, str) and p not in ("fro", "nuc"):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if p is None or (not isinstance(p, str) and abs(p) == 2):
        values = _linalg().svdvals(A)
        if not A.numel():
            return values.new_zeros(A.shape[:-2])
        big, small = values[..., 0], values[..., -1]
        return small / big if p == -2 else big / small
    if not isinstance(p, str) and abs(p) not in (1, _INF):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {float(p)}")
    check_square(
        A, f"linalg.cond(ord={p})" if isinstance(p, str) else f"linalg.cond(ord={float(p):g})"
    )
    if not A.numel():
        return A.new_zeros(A.shape[:-2], dtype=A.abs().dtype)
    inverse = _linalg().inv_ex(A).inverse
    result = matrix_norm(A, p) * matrix_norm(inverse, p)
    return lampas.where(result.isnan(), _INF, result)


# --- ranks and pseudo-inverses ---


def _tolerance(A, atol, rtol, largest):
    """What counts as zero next to the largest value: max(atol, rtol * largest)."""
    default = lampas.finfo(A.dtype).eps * max(A.shape[-2:])
    if rtol is None:
        above = (atol > 0) if atol is not None else False
        if isinstance(above, lampas.Tensor):
            rtol = lampas.where(above, 0.0, default).to(largest.dtype)
        else:
            rtol = 0.0 if above else default
    atol = 0.0 if atol is None else atol
    scaled = largest * rtol
    if isinstance(atol, lampas.Tensor):
        return lampas.maximum(atol.to(scaled.dtype), scaled)
    return scaled.clamp_min(atol)


def _magnitudes(A, hermitian):
    return _linalg().eigvalsh(A).abs() if hermitian else _linalg().svdvals(A)


@composite(namespace="linalg", out=True)
def matrix_rank(A, tol=None, hermitian=False, *, atol=None, rtol=None):
    """How many singular values exceed max(atol, rtol * largest); rtol is eps * max(m, n) by default."""
    name = "torch.linalg.matrix_rank"
    check_matrix(A, name, "input")
    if hermitian:
        check_square(A, name)
    atol = tol if tol is not None else atol
    if tol is not None:
        rtol = 0.0
    if not A.numel():
        return lampas.zeros(A.shape[:-2], dtype=lampas.int64, device=A.device)
    with lampas.no_grad():
        values = _magnitudes(A.detach(), hermitian)
        limit = _tolerance(A, atol, rtol, values.amax(-1))
        return (values > limit.unsqueeze(-1)).sum(-1)


def _pseudo_inverse(A, atol, rtol, hermitian):
    if not A.numel():
        return A.new_empty(*A.shape[:-2], A.shape[-1], A.shape[-2])
    if hermitian:
        values, vectors = _linalg().eigh(A)
        size = values.abs()
        limit = _tolerance(A, atol, rtol, size.amax(-1)).unsqueeze(-1)
        scale = lampas.where(size > limit, values.reciprocal(), 0.0).to(A.dtype)
        return (vectors * scale.unsqueeze(-2)) @ vectors.mH
    U, S, Vh = _linalg().svd(A, full_matrices=False)
    limit = _tolerance(A, atol, rtol, S.amax(-1)).unsqueeze(-1)
    scale = lampas.where(S > limit, S.reciprocal(), 0.0).to(A.dtype)
    return (Vh.mH * scale.unsqueeze(-2)) @ U.mH


def _pinv_gradient(grads, args, outputs):
    """Golub and Pereyra's derivative (1973), which needs no distinct singular values."""
    (g,), A, (P,) = grads, args[0], outputs
    gh, Ph = g.mH, P.mH
    inner = -(Ph @ g @ Ph)
    left = (gh - A @ (P @ gh)) @ P @ Ph  # what leaves the range of A
    right = Ph @ P @ (gh - (gh @ P) @ A)
    return (inner + left + right,)


_pinv = one_node("LinalgPinvBackward0", _pseudo_inverse, _pinv_gradient)


@composite(namespace="linalg", out=True)
def pinv(A, rcond=None, hermitian=False, *, atol=None, rtol=None):
    """The pseudo-inverse (..., n, m); singular values up to max(atol, rtol * largest) count as zero."""
    check_matrix(A, "linalg.pinv")
    check_floating(A, "linalg.pinv")
    if hermitian:
        check_square(A, "linalg.pinv")
    rtol = rcond if rcond is not None else rtol
    return _pinv(A, atol, rtol, hermitian)


@composite(method=True)
def pinverse(input, rcond=1e-15):
    """As linalg.pinv with rtol=rcond."""
    return pinv(input, rcond)


# --- powers and exponentials ---


@composite(namespace="linalg", out=True)
def matrix_power(A, n):
    """A multiplied with itself n times; the inverse for negative n, the identity for 0."""
    check_square(A, "linalg.matrix_power")
    if n == 0:
        unit = lampas.eye(A.shape[-1], dtype=A.dtype, device=A.device)
        return A.clone().copy_(unit.expand(A.shape))
    if n < 0:
        A, n = _linalg().inv(A), -n
    result = None
    while n:
        if n & 1:
            result = A if result is None else result @ A
        n >>= 1
        if n:
            A = A @ A
    return result.clone() if result is A else result


def _old_matrix_power(input, n):
    """As linalg.matrix_power."""
    return matrix_power(input, n)


_old_matrix_power.__name__ = "matrix_power"
composite(_old_matrix_power, method=True, out=True)

_PADE = (64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000,
         10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1)  # fmt: skip


def _exponential(A):
    """Scaling and squaring around the Padé approximant of degree 13 (Higham, 2005)."""
    wide = A.float() if A.dtype in (lampas.float16, lampas.bfloat16) else A
    size = _core.linalg_vector_norm(wide.detach(), 1, -2).amax(-1)
    squarings = (size / 5.371920351148152).log2().ceil().clamp_min(0)
    squarings = lampas.where(squarings.isfinite(), squarings, 0.0)
    X = wide * (0.5**squarings).to(wide.dtype).unsqueeze(-1).unsqueeze(-1)
    unit = lampas.eye(A.shape[-1], dtype=X.dtype, device=A.device)
    b = [float(value) for value in _PADE]
    X2 = X @ X
    X4 = X2 @ X2
    X6 = X4 @ X2
    odd = (
        X6 @ (b[13] * X6 + b[11] * X4 + b[9] * X2) + b[7] * X6 + b[5] * X4 + b[3] * X2 + b[1] * unit
    )
    U = X @ odd
    V = X6 @ (b[12] * X6 + b[10] * X4 + b[8] * X2) + b[6] * X6 + b[4] * X4 + b[2] * X2 + b[0] * unit
    result = _linalg().solve(V - U, V + U)
    for step in range(int(squarings.max()) if squarings.numel() else 0):
        more = (squarings > step).unsqueeze(-1).unsqueeze(-1)
        result = lampas.where(more, result @ result, result)
    return result.to(A.dtype).contiguous()


@composite(namespace="linalg")
def matrix_exp(A):
    """The exponential of (..., n, n)."""
    check_floating(A, "linalg.matrix_exp", low=True)
    check_square(A, "linalg.matrix_exp")
    if not A.numel() or A.is_meta:
        return A.clone()
    return A.exp() if A.shape[-1] == 1 else _exponential(A)


def _old_matrix_exp(input):
    """As linalg.matrix_exp."""
    return matrix_exp(input)


_old_matrix_exp.__name__ = "matrix_exp"
composite(_old_matrix_exp, method=True)


# --- tensors as matrices ---


@composite(namespace="linalg", out=True)
def tensorsolve(A, B, dims=None):
    """x with tensordot(A, x, x.ndim) = B; `dims` of A are moved to its end first."""
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(A.dim() - len(dims), A.dim())))
    shape = A.shape[B.dim() :]
    if math.prod(shape) != math.prod(A.shape[: B.dim()]):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {math.prod(shape)} != {math.prod(A.shape[: B.dim()])}"
        )
    return _linalg().solve(A.reshape(math.prod(shape), -1), B.reshape(-1)).reshape(shape)


@composite(namespace="linalg", out=True)
def tensorinv(A, ind=2):
    """The tensor whose tensordot with A over A's first `ind` dims is the identity."""
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    front, back = A.shape[:ind], A.shape[ind:]
    if math.prod(front) != math.prod(back):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), "
            f"but got {math.prod(back)} != {math.prod(front)}"
        )
    return _linalg().inv(A.reshape(math.prod(front), -1)).reshape(*back, *front)


@composite(namespace="linalg")
def vander(x, N=None):
    """The Vandermonde matrix (..., n, N): powers 0 to N - 1 of x; N is n by default."""
    if x.dtype in (lampas.bool, lampas.float16, lampas.bfloat16):
        raise RuntimeError(
            f"linalg.vander supports floating point, complex, and integer tensors, but got {label(x.dtype)}"
        )
    if x.dim() == 0:
        x = x.unsqueeze(0)
    N = x.shape[-1] if N is None else N
    if N <= 1:
        raise RuntimeError("N must be greater than 1.")
    powers = x.unsqueeze(-1).expand(*x.shape, N - 1).cumprod(-1)
    return lampas.cat([lampas.ones_like(x).unsqueeze(-1).to(powers.dtype), powers], -1)


def _old_vander(x, N=None, increasing=False):
    """The Vandermonde matrix (n, N) of a vector, highest powers first unless `increasing`."""
    if x.dim() != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    N = x.shape[0] if N is None else N
    if N < 0:
        raise RuntimeError("N must be non-negative.")
    whole = not (x.is_floating_point() or x.is_complex())
    dtype = lampas.int64 if whole else x.dtype
    result = lampas.ones((x.shape[0], N), dtype=dtype, device=x.device)
    if N > 1:
        powers = x.to(result.dtype).unsqueeze(1).expand(-1, N - 1).cumprod(1)
        result = lampas.cat([result[:, :1], powers], 1)
    return result if increasing else result.flip(1)


_old_vander.__name__ = "vander"
composite(_old_vander)


@composite(out=True)
def nuclear_norm(input, dim=None, keepdim=False):
    """The sum of the singular values of matrices over two dims; the last two by default."""
    if isinstance(dim, bool):  # nuclear_norm(input, keepdim)
        dim, keepdim = None, dim
    return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim)


@composite
def norm_except_dim(v, pow=2, dim=0):
    """p-norms over all dimensions but `dim`, which stay with size 1; dim -1: over all dimensions."""
    if dim == -1:
        return v.norm(pow)
    v.size(dim)  # refuses a dimension out of range
    others = [d for d in range(v.dim()) if d != dim % v.dim()]
    return v.norm(pow, others, True) if others else v.abs()
