"""Reductions made of others: norms by name, quantiles, traces, differences, covariance."""

import lampas
from lampas import _core
from lampas.ops.register import NAMESPACES, composite

_VECTOR_NORM = _core.linalg_vector_norm


_TYPE_LABELS = {
    "bool": "Bool", "uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int",
    "int64": "Long", "float16": "Half", "float32": "Float", "float64": "Double",
}  # fmt: skip


def type_label(dtype):
    """A dtype as PyTorch's C++ messages spell it: Long for int64."""
    name = str(dtype).removeprefix("torch.")
    return _TYPE_LABELS.get(name, name)


def _dims(dim):
    return (dim,) if isinstance(dim, int) else tuple(dim)


@composite(namespace="linalg", out=True)
def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """The vector norm of order `ord` (inf and -inf too) over `dim`, by default over everything.

    x: floating point or complex. Raises RuntimeError for other types, and for an empty reduction
    whose norm has no identity (negative orders, inf).
    """
    return _VECTOR_NORM(x, ord, dim, keepdim, dtype=dtype)


@composite(method=True, out=True)
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """The norm over `dim`. p: a number, "fro" (the 2-norm) or "nuc" (nuclear, of matrices)."""
    dims = None if dim is None else _dims(dim)
    if p == "fro" and (dims is None or len(dims) <= 2):
        return _VECTOR_NORM(input, 2, dims, keepdim, dtype=dtype)
    if isinstance(p, str):
        if dims is None:
            dims = tuple(range(input.dim()))
        return lampas.linalg.matrix_norm(input, p, dims, keepdim, dtype=dtype)
    return _VECTOR_NORM(input, 2 if p is None else p, dims, keepdim, dtype=dtype)


@composite
def frobenius_norm(input, dim, keepdim=False):
    """The 2-norm over `dim`."""
    return _VECTOR_NORM(input, 2, dim, keepdim)


@composite(method=True, out=True)
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean of the elements that are not NaN; NaN where there are none."""
    if not (input.is_floating_point() or input.is_complex()):
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            + type_label(input.dtype)
        )
    total = lampas.nansum(input, dim, keepdim, dtype=dtype)
    return total / (~input.isnan()).sum(dim, keepdim)


@composite(method=True)
def trace(input):
    """The sum of the diagonal of a matrix."""
    if input.dim() != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.dim()}")
    return input.diagonal().sum()


# --- quantiles ---

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _check_quantile(name, input, q, interpolation):
    if not input.numel():
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if input.dtype not in (lampas.float32, lampas.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )
    if not isinstance(q, lampas.Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q:g}")
        return lampas.tensor(q, dtype=input.dtype, device=input.device)
    if q.dim() > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if q.dtype != input.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if q.device != input.device:
        raise RuntimeError(f"{name}() q tensor must be on the same device as the input tensor")
    if not q.is_meta and q.numel() and not bool(((q >= 0) & (q <= 1)).all()):
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
    return q


def _ranks(ordered, q, ignore_nan):
    """Fractional places (..., Q) of the quantiles in lines (..., N) that end with their NaNs."""
    last = ordered.shape[-1] - 1
    if ignore_nan:
        valid = (~ordered.isnan()).sum(-1, keepdim=True)
        ranks = q * (valid - 1).to(ordered.dtype)
        return lampas.where(ranks < 0, 0, ranks)
    ranks = (q * last).expand(*ordered.shape[:-1], q.numel())
    return lampas.where(ordered.isnan().any(-1, keepdim=True), last, ranks)


def _interpolate(ordered, ranks, interpolation):
    if interpolation == "lower":
        ranks = ranks.floor()
    elif interpolation == "higher":
        ranks = ranks.ceil()
    elif interpolation == "nearest":
        ranks = ranks.round()
    below = ranks.detach().floor().long()
    values = ordered.gather(-1, below)
    if interpolation not in ("linear", "midpoint"):
        return values
    above = ordered.gather(-1, ranks.detach().ceil().long())
    weight = lampas.full_like(ranks, 0.5) if interpolation == "midpoint" else ranks - below
    return values.lerp(above, weight)


def _quantile(name, input, q, dim, keepdim, interpolation, ignore_nan):
    q = _check_quantile(name, input, q, interpolation)
    if dim is None:
        lines, shape = input.flatten(), [1] * input.dim()
    else:
        lines = input.movedim(dim, -1) if input.dim() else input.unsqueeze(dim)
        shape = list(input.shape)
        if shape:
            shape[dim] = 1
    ordered = lines.sort(-1).values
    found = _interpolate(ordered, _ranks(ordered, q.reshape(-1), ignore_nan), interpolation)
    found = found.movedim(-1, 0)  # (Q, ...)
    if keepdim:
        found = found.reshape(q.numel(), *shape)
    return found if q.dim() else found.squeeze(0)


@composite(method=True, out=True)
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The q-th quantiles (q a number or 1-d tensor in [0, 1]) along `dim`, or of everything.

    Lines with a NaN give NaN. A 1-d q becomes the first dimension of the result. float32, float64.
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


@composite(method=True, out=True)
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """As quantile, of the elements that are not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)


# --- differences and areas ---


@composite(method=True, out=True)
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """The n-th differences of neighbours along `dim`, `prepend` and `append` joined on first."""
    if input.dim() == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    if n == 0:  # PyTorch joins nothing then
        return lampas.zeros_like(input).copy_(input)
    parts = [part for part in (prepend, input, append) if part is not None]
    joined = lampas.cat(parts, dim) if len(parts) > 1 else input
    n = min(n, joined.shape[dim])
    for _ in range(n):
        length = joined.shape[dim]
        later, sooner = joined.narrow(dim, 1, length - 1), joined.narrow(dim, 0, length - 1)
        joined = later.logical_xor(sooner) if joined.dtype == lampas.bool else later - sooner
    return joined


def _areas(name, y, x, dx, dim):
    """The trapezoid of every pair of neighbours of y along dim."""
    if y.shape[dim] == 0:
        return None
    length = y.shape[dim] - 1
    left, right = y.narrow(dim, 0, length), y.narrow(dim, 1, length)
    if x is None:
        return (left + right) * (dx / 2)
    if x.dtype == lampas.bool or y.dtype == lampas.bool:
        raise RuntimeError(
            f"{name}: received a bool input for `x` or `y`, but bool is not supported"
        )
    if x.dim() == 1:
        if x.shape[0] != y.shape[dim]:
            raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
        shape = [1] * y.dim()
        shape[dim] = x.shape[0]
        x = x.reshape(shape)
    elif x.dim() < y.dim():
        x = x.reshape([1] * (y.dim() - x.dim()) + list(x.shape))
    width = x.shape[dim] - 1
    return (x.narrow(dim, 1, width) - x.narrow(dim, 0, width)) * (left + right) / 2


@composite(aliases=("trapz",))
def trapezoid(y, x=None, *, dx=1, dim=-1):
    """The integral of y along `dim` by the trapezoidal rule, over points `x` or spaced `dx`."""
    areas = _areas("trapezoid", y, x, dx, dim)
    if areas is None:
        return lampas.zeros(y.shape[:dim] + y.shape[dim:][1:], dtype=y.dtype, device=y.device)
    return areas.sum(dim)


@composite
def cumulative_trapezoid(y, x=None, *, dx=1, dim=-1):
    """As trapezoid, with every partial integral: one element shorter than y along `dim`."""
    areas = _areas("cumulative_trapezoid", y, x, dx, dim)
    return lampas.zeros_like(y) if areas is None else areas.cumsum(dim)


# --- covariance ---


def _check_weights(name, weights, count, floating):
    if weights.dim() > 1:
        raise RuntimeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with "
            f"{weights.dim()} dimensions"
        )
    if weights.is_floating_point() != floating:
        kind = "floating point" if floating else "integral"
        raise RuntimeError(
            f"cov(): expected {name} to have {kind} dtype but got {name} with "
            f"{type_label(weights.dtype)} dtype"
        )
    if weights.numel() != count:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input "
            f"but got {weights.numel()} != {count}"
        )
    if not weights.is_meta and bool((weights < 0).any()):
        raise RuntimeError(f"cov(): {name} cannot be negative")


@composite(method=True)
def cov(input, *, correction=1, fweights=None, aweights=None):
    """The covariance matrix of variables (rows) over observations (columns)."""
    if input.dim() > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an input with "
            f"{input.dim()} dimensions"
        )
    if input.dtype == lampas.bool:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    rows = input if input.dim() == 2 else input.reshape(1, -1)
    count = rows.shape[1]
    weights = None
    if fweights is not None:
        _check_weights("fweights", fweights, count, False)
        weights = fweights
    if aweights is not None:
        _check_weights("aweights", aweights, count, True)
        weights = aweights if weights is None else weights * aweights
    total = count if weights is None else weights.sum()
    if weights is not None and not weights.is_meta and not bool(total):
        raise RuntimeError("cov(): weights sum to zero, can't be normalized")
    scaled = rows if weights is None else rows * weights
    centre = scaled.sum(1) / total
    if weights is None or correction == 0 or aweights is None:
        freedom = total - correction
    else:
        freedom = total - correction * (weights * aweights).sum() / total
    centred = rows - centre.unsqueeze(1)
    other = centred if weights is None else centred * weights
    freedom = freedom.clamp_min(0) if isinstance(freedom, lampas.Tensor) else max(freedom, 0)
    return (centred @ other.transpose(0, 1).conj() / freedom).squeeze()


@composite(method=True)
def corrcoef(input):
    """The matrix of Pearson's correlation coefficients of variables (rows)."""
    if input.dim() > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{input.dim()} dimensions"
        )
    c = cov(input)
    if c.dim() == 0:
        return c / c
    deviation = c.diagonal().sqrt()
    return _clip((c / deviation.reshape(-1, 1)) / deviation)


def _clip(c):
    if not c.is_complex():
        return c.clamp(-1, 1)
    return lampas.complex(c.real.clamp(-1, 1), c.imag.clamp(-1, 1))


NAMESPACES.setdefault("special", {}).update(
    softmax=_core.softmax, log_softmax=_core.log_softmax, logsumexp=_core.logsumexp
)
