"""Continuous relaxations of the one-hot categorical distribution: Gumbel-softmax, or concrete.

C. Maddison, A. Mnih, Y. Teh, "The concrete distribution", ICLR 2017; E. Jang, S. Gu, B. Poole,
"Categorical reparametrization with Gumbel-softmax", ICLR 2017.
"""

import lampas
from lampas.distributions import constraints
from lampas.distributions.categorical import Categorical
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import OfBase, OfCategorical, expands
from lampas.distributions.transformed_distribution import TransformedDistribution
from lampas.distributions.transforms import ExpTransform
from lampas.distributions.utils import broadcast_all, clamp_probs

__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]


@expands("_categorical", keeps=["temperature"])
class ExpRelaxedCategorical(Distribution, OfCategorical):
    """Logarithms of RelaxedOneHotCategorical: log_softmax((logits + Gumbel noise) / temperature)."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    # Points whose exponentials sum to 1 in truth; PyTorch checks only that they are numbers.
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        u = clamp_probs(lampas.rand(shape, dtype=self.logits.dtype, device=self.logits.device))
        gumbel = -((-(u.log())).log())
        scores = (self.logits + gumbel) / self.temperature
        return scores - scores.logsumexp(dim=-1, keepdim=True)

    def log_prob(self, value):
        """(K - 1)! T^(K - 1) prod(p e^(-T v)) / sum(p e^(-T v))^K, as a logarithm."""
        k = self._categorical._num_events
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        count = lampas.full_like(self.temperature, float(k))
        log_scale = count.lgamma() - self.temperature.log().mul(-(k - 1))
        score = logits - value.mul(self.temperature)
        score = (score - score.logsumexp(dim=-1, keepdim=True)).sum(-1)
        return score + log_scale


@expands()
class RelaxedOneHotCategorical(TransformedDistribution, OfBase):
    """Points of the simplex that approach one-hot vectors as `temperature` goes to 0."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)
