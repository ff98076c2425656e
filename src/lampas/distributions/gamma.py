"""The gamma distribution."""

import lampas
from lampas.distributions import constraints
from lampas.distributions.exp_family import ExponentialFamily
from lampas.distributions.parameters import expands
from lampas.distributions.utils import broadcast_all

__all__ = ["Gamma"]


@expands("concentration", "rate")
class Gamma(ExponentialFamily):
    """Gamma distribution of shape `concentration` and inverse scale `rate`."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(self, concentration, rate, validate_args=None):
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.size(), validate_args=validate_args)

    @property
    def mean(self):
        return self.concentration / self.rate

    @property
    def mode(self):
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self):
        return self.concentration / self.rate.pow(2)

    def rsample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        draws = lampas._standard_gamma(self.concentration.expand(shape))
        value = draws / self.rate.expand(shape)
        # Detached: keeping away from 0 does not change the gradient.
        value.detach().clamp_(min=lampas.finfo(value.dtype).tiny)
        return value

    def log_prob(self, value):
        value = lampas.as_tensor(value, dtype=self.rate.dtype, device=self.rate.device)
        self._check(value)
        shape = self.concentration
        return (
            lampas.xlogy(shape, self.rate)
            + lampas.xlogy(shape - 1, value)
            - self.rate * value
            - lampas.lgamma(shape)
        )

    def entropy(self):
        shape = self.concentration
        tail = lampas.lgamma(shape) + (1 - shape) * lampas.digamma(shape)
        return shape - lampas.log(self.rate) + tail

    @property
    def _natural_params(self):
        return self.concentration - 1, -self.rate

    def _log_normalizer(self, x, y):
        return lampas.lgamma(x + 1) - (x + 1) * lampas.log(-y)

    def cdf(self, value):
        self._check(value)
        return lampas.special.gammainc(self.concentration, self.rate * value)
