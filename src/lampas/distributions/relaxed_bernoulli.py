"""Continuous relaxations of the Bernoulli distribution.

C. Maddison, A. Mnih, Y. Teh, "The concrete distribution", ICLR 2017; E. Jang, S. Gu, B. Poole,
"Categorical reparametrization with Gumbel-softmax", ICLR 2017.
"""

import lampas
from lampas.distributions import constraints
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import OfBase, ProbsOrLogits, check_one_given, expands
from lampas.distributions.transformed_distribution import TransformedDistribution
from lampas.distributions.transforms import SigmoidTransform
from lampas.distributions.utils import broadcast_all, clamp_probs

__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]


@expands("probs", "logits", "_param", keeps=["temperature"])
class LogitRelaxedBernoulli(Distribution, ProbsOrLogits):
    """The log odds of RelaxedBernoulli: (logits + logistic noise) / temperature."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self.temperature = temperature
        check_one_given(probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        else:
            (self.logits,) = broadcast_all(logits)
        self._param = self.logits if probs is None else self.probs
        super().__init__(self._param.size(), validate_args=validate_args)

    def rsample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        probs = clamp_probs(self.probs.expand(shape))
        u = clamp_probs(lampas.rand(shape, dtype=probs.dtype, device=probs.device))
        noise = u.log() - (-u).log1p()
        return (noise + probs.log() - (-probs).log1p()) / self.temperature

    def log_prob(self, value):
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        diff = logits - value.mul(self.temperature)
        return self.temperature.log() + diff - 2 * diff.exp().log1p()


@expands()
class RelaxedBernoulli(TransformedDistribution, OfBase):
    """Numbers in (0, 1) that approach Bernoulli ones as `temperature` goes to 0."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)
