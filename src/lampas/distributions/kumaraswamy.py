"""The Kumaraswamy distribution."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.parameters import expands
from lampas.distributions.transformed_distribution import TransformedDistribution
from lampas.distributions.transforms import AffineTransform, PowerTransform
from lampas.distributions.uniform import Uniform
from lampas.distributions.utils import broadcast_all, euler_constant

__all__ = ["Kumaraswamy"]


@expands("concentration1", "concentration0")
class Kumaraswamy(TransformedDistribution):
    """Kumaraswamy distribution: survival (1 - x^concentration1)^concentration0 over [0, 1]."""

    arg_constraints = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, concentration1, concentration0, validate_args=None):
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        base = Uniform(
            lampas.zeros_like(self.concentration0),
            lampas.ones_like(self.concentration0),
            validate_args=validate_args,
        )
        transforms = [
            PowerTransform(exponent=self.concentration0.reciprocal()),
            AffineTransform(loc=1.0, scale=-1.0),
            PowerTransform(exponent=self.concentration1.reciprocal()),
        ]
        super().__init__(base, transforms, validate_args=validate_args)

    def _moment(self, n):
        """E[x^n] = b B(1 + n / a, b)"""
        a, b = 1 + n / self.concentration1, self.concentration0
        return b * lampas.exp(lampas.lgamma(a) + lampas.lgamma(b) - lampas.lgamma(a + b))

    @property
    def mean(self):
        return self._moment(1)

    @property
    def mode(self):
        """NaN, as PyTorch 2.13 gives for all parameters; ((a - 1) / (a b - 1))^(1 / a) would be right."""
        return math.nan * self.concentration1 * self.concentration0

    @property
    def variance(self):
        return self._moment(2) - lampas.pow(self.mean, 2)

    def entropy(self):
        a, b = self.concentration1, self.concentration0
        harmonic = lampas.digamma(b + 1) + euler_constant
        left = (1 - b.reciprocal()) + (1 - a.reciprocal()) * harmonic
        return left - lampas.log(a) - lampas.log(b)
