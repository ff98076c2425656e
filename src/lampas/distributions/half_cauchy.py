"""The half-Cauchy distribution."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.cauchy import Cauchy
from lampas.distributions.parameters import expands
from lampas.distributions.transformed_distribution import TransformedDistribution
from lampas.distributions.transforms import AbsTransform

__all__ = ["HalfCauchy"]


@expands()
class HalfCauchy(TransformedDistribution):
    """Distribution of |x|, x Cauchy distributed around 0 with half width `scale`."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, scale, validate_args=None):
        base = Cauchy(0, scale, validate_args=False)
        super().__init__(base, AbsTransform(), validate_args=validate_args)

    @property
    def scale(self):
        """Half width at half maximum of the whole Cauchy distribution."""
        return self.base_dist.scale

    @property
    def mean(self):
        return lampas.full_like(self.scale, math.inf)

    @property
    def mode(self):
        return lampas.zeros_like(self.scale)

    @property
    def variance(self):
        return self.base_dist.variance

    def log_prob(self, value):
        self._check(value)
        value = lampas.as_tensor(value, dtype=self.scale.dtype, device=self.scale.device)
        log_prob = self.base_dist.log_prob(value) + math.log(2)
        return lampas.where(value >= 0, log_prob, -math.inf)

    def cdf(self, value):
        self._check(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, prob):
        return self.base_dist.icdf((prob + 1) / 2)

    def entropy(self):
        return self.base_dist.entropy() - math.log(2)
