"""The Laplace distribution."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import expands
from lampas.distributions.utils import broadcast_all

__all__ = ["Laplace"]


@expands("loc", "scale")
class Laplace(Distribution):
    """Laplace distribution: density exp(-|x - loc| / scale) / (2 scale)."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.size(), validate_args=validate_args)

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        return 2 * self.scale.pow(2)

    @property
    def stddev(self):
        return math.sqrt(2) * self.scale

    def rsample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        info = lampas.finfo(self.loc.dtype)
        u = lampas.empty(shape, dtype=self.loc.dtype, device=self.loc.device)
        u.uniform_(info.eps - 1, 1)
        return self.loc - self.scale * u.sign() * lampas.log1p(-u.abs().clamp(min=info.tiny))

    def log_prob(self, value):
        self._check(value)
        return -lampas.log(2 * self.scale) - lampas.abs(value - self.loc) / self.scale

    def cdf(self, value):
        self._check(value)
        z = value - self.loc
        return 0.5 - 0.5 * z.sign() * lampas.expm1(-z.abs() / self.scale)

    def icdf(self, value):
        u = value - 0.5
        return self.loc - self.scale * u.sign() * lampas.log1p(-2 * u.abs())

    def entropy(self):
        return 1 + lampas.log(2 * self.scale)
