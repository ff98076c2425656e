"""The generalised Pareto distribution of exceedances over a threshold."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import expands
from lampas.distributions.utils import broadcast_all

__all__ = ["GeneralizedPareto"]


@expands("loc", "scale", "concentration")
class GeneralizedPareto(Distribution):
    """Generalised Pareto: survival (1 + k z)^(-1/k), z = (x - loc) / scale, k = `concentration`.

    For k = 0 (to within 1e-8) the survival is exp(-z). J. Pickands, Annals of Statistics 3, 1975.
    """

    arg_constraints = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True

    def __init__(self, loc, scale, concentration, validate_args=None):
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.size(), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        bounded = self.concentration < 0
        end = self.loc - self.scale / lampas.where(bounded, self.concentration, -1)
        return constraints.interval(self.loc, end.masked_fill(~bounded, math.inf))

    def _split(self):
        """(where the tail is exponential, the concentration with 1 in those places)"""
        exponential = lampas.isclose(self.concentration, lampas.zeros_like(self.concentration))
        return exponential, lampas.where(exponential, 1, self.concentration)

    def _z(self, x):
        return (x - self.loc) / self.scale

    @property
    def mean(self):
        finite = self.concentration < 1
        mean = self.loc + self.scale / lampas.where(finite, 1 - self.concentration, 1)
        return mean.masked_fill(~finite, math.nan)

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        finite = self.concentration < 0.5
        k = lampas.where(finite, self.concentration, 0)
        variance = self.scale**2 / ((1 - k) ** 2 * (1 - 2 * k))
        return variance.masked_fill(~finite, math.nan)

    def rsample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        return self.icdf(lampas.rand(shape, dtype=self.loc.dtype, device=self.loc.device))

    def log_prob(self, value):
        self._check(value)
        z = self._z(value)
        exponential, k = self._split()
        return -self.scale.log() - lampas.where(exponential, z, (1 + 1 / k) * lampas.log1p(k * z))

    def log_survival_function(self, value):
        """log P(X > value)."""
        self._check(value)
        z = self._z(value)
        exponential, k = self._split()
        return -lampas.where(exponential, z, lampas.log1p(k * z) / k)

    def log_cdf(self, value):
        """log P(X <= value)."""
        self._check(value)
        return lampas.log1p(-self.log_survival_function(value).exp())

    def cdf(self, value):
        self._check(value)
        return self.log_cdf(value).exp()

    def icdf(self, value):
        log_survival = lampas.log1p(-value)
        exponential, k = self._split()
        z = lampas.where(exponential, -log_survival, lampas.expm1(-k * log_survival) * (1 / k))
        return self.loc + self.scale * z

    def entropy(self):
        return self.scale.log() + self.concentration + 1
