"""The Bernoulli distribution."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.exp_family import ExponentialFamily
from lampas.distributions.parameters import ProbsOrLogits, check_one_given, expands
from lampas.distributions.utils import broadcast_all
from lampas.nn.functional import binary_cross_entropy_with_logits

__all__ = ["Bernoulli"]


@expands("probs", "logits", "_param")
class Bernoulli(ExponentialFamily, ProbsOrLogits):
    """Bernoulli distribution: 1 with probability `probs` (log odds `logits`), else 0."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0

    def __init__(self, probs=None, logits=None, validate_args=None):
        check_one_given(probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        else:
            (self.logits,) = broadcast_all(logits)
        self._param = self.logits if probs is None else self.probs
        super().__init__(self._param.size(), validate_args=validate_args)

    @property
    def mean(self):
        return self.probs

    @property
    def mode(self):
        """The likelier value; NaN where both are equally likely."""
        return (self.probs >= 0.5).to(self.probs).masked_fill(self.probs == 0.5, math.nan)

    @property
    def variance(self):
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        with lampas.no_grad():
            return lampas.bernoulli(self.probs.expand(shape))

    def log_prob(self, value):
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self):
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand=True):
        values = lampas.arange(2, dtype=self._param.dtype, device=self._param.device)
        return self._enumerated(values, expand)

    @property
    def _natural_params(self):
        return (lampas.logit(self.probs),)

    def _log_normalizer(self, x):
        return lampas.log1p(lampas.exp(x))
