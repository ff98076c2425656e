"""The inverse gamma distribution."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.gamma import Gamma
from lampas.distributions.parameters import expands
from lampas.distributions.transformed_distribution import TransformedDistribution
from lampas.distributions.transforms import PowerTransform

__all__ = ["InverseGamma"]


@expands()
class InverseGamma(TransformedDistribution):
    """Distribution of 1 / x, x of Gamma(concentration, rate)."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, concentration, rate, validate_args=None):
        base = Gamma(concentration, rate, validate_args=validate_args)
        minus_one = -base.rate.new_ones(())
        super().__init__(base, PowerTransform(minus_one), validate_args=validate_args)

    @property
    def concentration(self):
        """The gamma distribution's shape."""
        return self.base_dist.concentration

    @property
    def rate(self):
        """The gamma distribution's inverse scale."""
        return self.base_dist.rate

    @property
    def mean(self):
        mean = self.rate / (self.concentration - 1)
        return lampas.where(self.concentration > 1, mean, math.inf)

    @property
    def mode(self):
        return self.rate / (self.concentration + 1)

    @property
    def variance(self):
        c = self.concentration
        variance = self.rate.square() / ((c - 1).square() * (c - 2))
        return lampas.where(c > 2, variance, math.inf)

    def entropy(self):
        c = self.concentration
        return c + self.rate.log() + c.lgamma() - (1 + c) * c.digamma()
