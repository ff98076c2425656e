"""The binomial distribution."""

import lampas
from lampas.distributions import constraints
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import ProbsOrLogits, check_one_given, expands
from lampas.distributions.utils import broadcast_all

__all__ = ["Binomial"]


@expands("total_count", "probs", "logits", "_param")
class Binomial(Distribution, ProbsOrLogits):
    """Number of successes among `total_count` trials, each of probability `probs` (log odds `logits`)."""

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        check_one_given(probs, logits)
        if probs is not None:
            self.total_count, self.probs = broadcast_all(total_count, probs)
        else:
            self.total_count, self.logits = broadcast_all(total_count, logits)
        self._param = self.logits if probs is None else self.probs
        self.total_count = self.total_count.type_as(self._param)
        super().__init__(self._param.size(), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self):
        return self.total_count * self.probs

    @property
    def mode(self):
        largest = ((self.total_count + 1) * self.probs).floor()
        return lampas.minimum(largest, self.total_count)

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        with lampas.no_grad():
            return lampas.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value):
        self._check(value)
        n, logits = self.total_count, self.logits
        log_choices = lampas.lgamma(n + 1) - lampas.lgamma(value + 1) - lampas.lgamma(n - value + 1)
        # log (p^k (1-p)^(n-k)) = k l - n log(1 + e^l) with log odds l.
        return (
            log_choices + value * logits - n * lampas.logaddexp(lampas.zeros_like(logits), logits)
        )

    def entropy(self):
        """Entropy in nats, summed over the support. Raises NotImplementedError for mixed total counts."""
        count = int(self.total_count.max())
        if self.total_count.min() != count:
            raise NotImplementedError("Inhomogeneous total count not supported by `entropy`.")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(lampas.exp(log_prob) * log_prob).sum(0)

    def enumerate_support(self, expand=True):
        count = int(self.total_count.max())
        if self.total_count.min() != count:
            message = "Inhomogeneous total count not supported by `enumerate_support`."
            raise NotImplementedError(message)
        values = lampas.arange(1 + count, dtype=self._param.dtype, device=self._param.device)
        return self._enumerated(values, expand)
