"""The Poisson distribution."""

import lampas
from lampas.distributions import constraints
from lampas.distributions.exp_family import ExponentialFamily
from lampas.distributions.parameters import expands
from lampas.distributions.utils import broadcast_all

__all__ = ["Poisson"]


@expands("rate")
class Poisson(ExponentialFamily):
    """Poisson distribution: counts of events that occur `rate` times on average."""

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate, validate_args=None):
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.size(), validate_args=validate_args)

    @property
    def mean(self):
        return self.rate

    @property
    def mode(self):
        return self.rate.floor()

    @property
    def variance(self):
        return self.rate

    def sample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        with lampas.no_grad():
            return lampas.poisson(self.rate.expand(shape))

    def log_prob(self, value):
        self._check(value)
        rate, value = broadcast_all(self.rate, value)
        return value.xlogy(rate) - rate - (value + 1).lgamma()

    @property
    def _natural_params(self):
        return (lampas.log(self.rate),)

    def _log_normalizer(self, x):
        return lampas.exp(x)
