"""The negative binomial distribution."""

import lampas
from lampas.distributions import constraints
from lampas.distributions.distribution import Distribution
from lampas.distributions.gamma import Gamma
from lampas.distributions.parameters import ProbsOrLogits, check_one_given, expands
from lampas.distributions.utils import broadcast_all, lazy_property
from lampas.nn.functional import logsigmoid

__all__ = ["NegativeBinomial"]


@expands("total_count", "probs", "logits", "_param")
class NegativeBinomial(Distribution, ProbsOrLogits):
    """Successes before `total_count` failures; each trial succeeds with `probs` (log odds `logits`)."""

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(self, total_count, probs=None, logits=None, validate_args=None):
        check_one_given(probs, logits)
        if probs is not None:
            self.total_count, self.probs = broadcast_all(total_count, probs)
        else:
            self.total_count, self.logits = broadcast_all(total_count, logits)
        self._param = self.logits if probs is None else self.probs
        self.total_count = self.total_count.type_as(self._param)
        super().__init__(self._param.size(), validate_args=validate_args)

    @property
    def mean(self):
        return self.total_count * lampas.exp(self.logits)

    @property
    def mode(self):
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0)

    @property
    def variance(self):
        return self.mean / lampas.sigmoid(-self.logits)

    @lazy_property
    def _gamma(self):
        """The distribution of the Poisson rate whose mixture this is."""
        rate = lampas.exp(-self.logits)
        return Gamma(concentration=self.total_count, rate=rate, validate_args=False)

    def sample(self, sample_shape=lampas.Size()):
        with lampas.no_grad():
            return lampas.poisson(self._gamma.sample(sample_shape=sample_shape))

    def log_prob(self, value):
        self._check(value)
        n = self.total_count
        power = n * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
        log_norm = -lampas.lgamma(n + value) + lampas.lgamma(1.0 + value) + lampas.lgamma(n)
        # With no failures to wait for, 0 successes are certain.
        return power - log_norm.masked_fill(n + value == 0.0, 0.0)
