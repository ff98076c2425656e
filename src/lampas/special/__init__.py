"""Special functions: names of `torch.special` over the core's rows. Polynomials: `polynomials`."""

import lampas
from lampas import _core
from lampas.ops.register import NAMESPACES, composite

# Public name: row of the core.
_ROWS = {
    name: name
    for name in (
        "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 digamma erf erfc erfcx erfinv exp2 expm1 i0 i0e i1 i1e "
        "log1p log_ndtr log_softmax logit logsumexp modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 "
        "modified_bessel_k1 ndtr ndtri round scaled_modified_bessel_k0 scaled_modified_bessel_k1 sinc softmax "
        "spherical_bessel_j0 xlog1py xlogy zeta"
    ).split()
}
_ROWS.update(
    expit="sigmoid", gammaln="lgamma", psi="digamma", gammainc="igamma", gammaincc="igammac"
)
for _name in _ROWS:
    globals()[_name] = getattr(_core, _ROWS[_name])

polygamma = lampas.polygamma
multigammaln = lampas.mvlgamma


@composite(namespace="special", out=True)
def entr(input):
    """-x log x; 0 at 0, -inf below."""
    if not input.is_floating_point():
        input = input.to(_core.get_default_dtype())
    positive = input > 0
    y = -input * lampas.where(positive, input, 1).log()
    rest = lampas.where(input == 0, 0.0, -lampas.inf).to(y.dtype)
    return lampas.where(positive | input.isnan(), y, rest)


def _both(row):
    """A row of two tensors that takes a number on either side too."""

    def called(input, other, *, out=None):
        if not isinstance(input, lampas.Tensor):
            if not isinstance(other, lampas.Tensor):
                raise TypeError(f"{row.__name__}(): at least one argument must be a Tensor")
            input = lampas.tensor(input, device=other.device)
        elif not isinstance(other, lampas.Tensor):
            other = lampas.tensor(other, device=input.device)
        return row(input, other) if out is None else row(input, other, out=out)

    called.__name__ = called.__qualname__ = row.__name__
    return called


xlog1py, xlogy, zeta = _both(_core.xlog1py), _both(_core.xlogy), _both(_core.zeta)

from lampas.special import polynomials as _polynomials  # noqa: E402

globals().update(NAMESPACES["special"])

__all__ = sorted(
    {*_ROWS, *NAMESPACES["special"], "polygamma", "multigammaln", "xlog1py", "xlogy", "zeta"}
)
