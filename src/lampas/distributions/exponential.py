"""The exponential distribution."""

import lampas
from lampas.distributions import constraints
from lampas.distributions.exp_family import ExponentialFamily
from lampas.distributions.parameters import expands
from lampas.distributions.utils import broadcast_all

__all__ = ["Exponential"]


@expands("rate")
class Exponential(ExponentialFamily):
    """Exponential distribution: density rate exp(-rate x), x >= 0."""

    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(self, rate, validate_args=None):
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.size(), validate_args=validate_args)

    @property
    def mean(self):
        return self.rate.reciprocal()

    @property
    def mode(self):
        return lampas.zeros_like(self.rate)

    @property
    def stddev(self):
        return self.rate.reciprocal()

    @property
    def variance(self):
        return self.rate.pow(-2)

    def rsample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        noise = lampas.empty(shape, dtype=self.rate.dtype, device=self.rate.device)
        return noise.exponential_() / self.rate

    def log_prob(self, value):
        self._check(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value):
        self._check(value)
        return 1 - lampas.exp(-self.rate * value)

    def icdf(self, value):
        return -lampas.log1p(-value) / self.rate

    def entropy(self):
        return 1 - lampas.log(self.rate)

    @property
    def _natural_params(self):
        return (-self.rate,)

    def _log_normalizer(self, x):
        return -lampas.log(-x)
