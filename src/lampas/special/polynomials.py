"""Orthogonal polynomials of degree n at x, by their three-term recurrences (DLMF 18.9).

Degrees are whole numbers (fractions are cut off), below zero the value is 0; both arguments broadcast,
and either may be a number. None of them has a gradient.
"""

import lampas
from lampas import _core
from lampas.ops.register import composite

Tensor = lampas.Tensor
_TRIGONOMETRIC_FROM = 9  # degrees from which Chebyshev polynomials inside (-1, 1) are cosines
_MOST = 1 << 20  # each degree is a step of the recurrence
_HERMITE_LIMIT = {_core.float32: 128, _core.float64: 512}


def _operands(name, x, n):
    """x as float64, n as int64, both of the common shape, and the type of the result."""
    if not isinstance(x, Tensor) and not isinstance(n, Tensor):
        raise TypeError(f"special_{name}(): at least one of 'input' and 'n' must be a Tensor")
    dtype = lampas.result_type(x, n)
    if not dtype.is_floating_point:
        dtype = _core.get_default_dtype()
    place = x.device if isinstance(x, Tensor) else n.device
    x, n = (lampas.as_tensor(v, device=place).detach() for v in (x, n))
    x, n = lampas.broadcast_tensors(x.to(dtype).double(), n.double())
    degree = lampas.where(n.isnan(), -1.0, n).clamp(-1, 2.0**31).trunc().long()
    return x, degree, dtype


def _recur(x, n, one, step):
    """P_n(x) with P_0 = 1, P_1 = one and P_(k+1) = step(k, P_k, P_(k-1))."""
    last, now = lampas.ones_like(x), one
    y = lampas.where(n == 0, last, lampas.where(n == 1, now, lampas.zeros_like(x)))
    highest = int(n.max()) if n.numel() else 0
    if highest > _MOST:
        raise NotImplementedError(f"polynomials of a degree above {_MOST}, got {highest}")
    for k in range(1, highest):
        last, now = now, step(k, now, last)
        y = lampas.where(n == k + 1, now, y)
    return y


def _polynomial(name, one, step, closed=None, limit=None, doc=""):
    def evaluate(input, n):
        x, degree, dtype = _operands(name, input, n)
        if limit is not None:
            beyond = degree >= limit[dtype] if dtype in limit else degree < -1
            degree = lampas.where(beyond, 0, degree)
        if closed is None:
            y = _recur(x, degree, one(x), step(x))
        else:
            inside = (degree >= _TRIGONOMETRIC_FROM) & (x.abs() < 1)
            y = _recur(x, lampas.where(inside, 0, degree), one(x), step(x))
            y = lampas.where(inside, closed(x.acos(), degree), y)
        if limit is not None:
            y = lampas.where(beyond, lampas.nan, y)
        return y.to(dtype)

    evaluate.__name__ = evaluate.__qualname__ = name
    evaluate.__doc__ = doc
    composite(evaluate, namespace="special", out=True)
    return evaluate


def _chebyshev(letter, one, closed, kind):
    """The polynomial and its shifted partner, of 2x - 1."""

    def step(x):
        return lambda k, now, last: 2 * x * now - last

    plain = _polynomial(
        f"chebyshev_polynomial_{letter}",
        one,
        step,
        closed,
        doc=f"Chebyshev polynomial of the {kind} kind.",
    )

    def shifted(input, n):
        inner = (
            2 * input - 1
            if not isinstance(input, Tensor)
            else 2 * input.detach().to(_wide(input)) - 1
        )
        dtype = lampas.result_type(input, n)
        return plain(inner, n).to(dtype if dtype.is_floating_point else _core.get_default_dtype())

    shifted.__name__ = shifted.__qualname__ = f"shifted_chebyshev_polynomial_{letter}"
    shifted.__doc__ = f"The same as chebyshev_polynomial_{letter} at 2x - 1."
    composite(shifted, namespace="special", out=True)


def _wide(x):
    return _core.float64 if x.dim() or x.is_floating_point() else _core.get_default_dtype()


# With x = cos(angle).
_chebyshev("t", lambda x: x, lambda angle, n: (n * angle).cos(), "first")
_chebyshev("u", lambda x: 2 * x, lambda angle, n: ((n + 1) * angle).sin() / angle.sin(), "second")
_chebyshev(
    "v",
    lambda x: 2 * x - 1,
    lambda angle, n: ((n + 0.5) * angle).cos() / (angle / 2).cos(),
    "third",
)
_chebyshev(
    "w",
    lambda x: 2 * x + 1,
    lambda angle, n: ((n + 0.5) * angle).sin() / (angle / 2).sin(),
    "fourth",
)
_polynomial(
    "hermite_polynomial_h",
    lambda x: 2 * x,
    lambda x: lambda k, now, last: 2 * x * now - 2 * k * last,
    limit=_HERMITE_LIMIT,
    doc="Physicists' Hermite polynomial.",
)
_polynomial(
    "hermite_polynomial_he",
    lambda x: x,
    lambda x: lambda k, now, last: x * now - k * last,
    limit=_HERMITE_LIMIT,
    doc="Probabilists' Hermite polynomial.",
)
_polynomial(
    "laguerre_polynomial_l",
    lambda x: 1 - x,
    lambda x: lambda k, now, last: ((2 * k + 1 - x) * now - k * last) / (k + 1),
    doc="Laguerre polynomial.",
)
_polynomial(
    "legendre_polynomial_p",
    lambda x: x,
    lambda x: lambda k, now, last: ((2 * k + 1) * x * now - k * last) / (k + 1),
    doc="Legendre polynomial.",
)
