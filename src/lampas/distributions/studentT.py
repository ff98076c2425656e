"""Student's t-distribution."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.chi2 import Chi2
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import expands
from lampas.distributions.utils import _standard_normal, broadcast_all

__all__ = ["StudentT"]


@expands("df", "loc", "scale", "_chi2")
class StudentT(Distribution):
    """Student's t with `df` degrees of freedom, shifted by `loc` and stretched by `scale`."""

    arg_constraints = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True

    def __init__(self, df, loc=0.0, scale=1.0, validate_args=None):
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        super().__init__(self.df.size(), validate_args=validate_args)

    @property
    def mean(self):
        return self.loc.masked_fill(self.df <= 1, math.nan)

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        finite = self.df > 2
        spread = self.scale.pow(2) * self.df / lampas.where(finite, self.df - 2, 1)
        heavy = spread.masked_fill(~finite, math.inf)
        return heavy.masked_fill(self.df <= 1, math.nan)

    def rsample(self, sample_shape=lampas.Size()):
        # A normal number over the root of an independent chi-squared one per degree of freedom.
        shape = self._extended_shape(sample_shape)
        noise = _standard_normal(shape, dtype=self.df.dtype, device=self.df.device)
        chi2 = self._chi2.rsample(sample_shape)
        return self.loc + self.scale * (noise * lampas.rsqrt(chi2 / self.df))

    def log_prob(self, value):
        self._check(value)
        z = (value - self.loc) / self.scale
        log_norm = (
            self.scale.log()
            + 0.5 * (self.df.log() + math.log(math.pi))
            + lampas.lgamma(0.5 * self.df)
            - lampas.lgamma(0.5 * (self.df + 1))
        )
        return -0.5 * (self.df + 1) * lampas.log1p(z**2 / self.df) - log_norm

    def entropy(self):
        half, more = 0.5 * self.df, 0.5 * (self.df + 1)
        log_beta = lampas.lgamma(half) + math.lgamma(0.5) - lampas.lgamma(more)
        slope = more * (lampas.digamma(more) - lampas.digamma(half))
        return self.scale.log() + slope + 0.5 * self.df.log() + log_beta
