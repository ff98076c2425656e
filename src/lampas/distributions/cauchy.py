"""The Cauchy (Lorentz) distribution."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import expands
from lampas.distributions.utils import broadcast_all

__all__ = ["Cauchy"]


@expands("loc", "scale")
class Cauchy(Distribution):
    """Cauchy distribution with mode `loc` and half width at half maximum `scale`."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.size(), validate_args=validate_args)

    def _filled(self, value):
        shape = self._extended_shape()
        return lampas.full(shape, value, dtype=self.loc.dtype, device=self.loc.device)

    @property
    def mean(self):
        return self._filled(math.nan)

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        return self._filled(math.inf)

    def rsample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        noise = lampas.empty(shape, dtype=self.loc.dtype, device=self.loc.device).cauchy_()
        return self.loc + noise * self.scale

    def log_prob(self, value):
        self._check(value)
        z = (value - self.loc) / self.scale
        return -math.log(math.pi) - self.scale.log() - (z**2).log1p()

    def cdf(self, value):
        self._check(value)
        return lampas.atan((value - self.loc) / self.scale) / math.pi + 0.5

    def icdf(self, value):
        return lampas.tan(math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self):
        return math.log(4 * math.pi) + self.scale.log()
