"""Categorical distributions whose values are one-hot vectors."""

import lampas
from lampas.distributions import constraints
from lampas.distributions.categorical import Categorical
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import OfCategorical, expands
from lampas.nn.functional import one_hot

__all__ = ["OneHotCategorical", "OneHotCategoricalStraightThrough"]


@expands("_categorical")
class OneHotCategorical(Distribution, OfCategorical):
    """One-hot vector of K categories with weights `probs` or log weights `logits`, (batch, K)."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @property
    def _param(self):
        return self._categorical._param

    @property
    def mean(self):
        return self._categorical.probs

    @property
    def mode(self):
        return one_hot(self._categorical.mode, self._event_shape[0]).to(self._param)

    @property
    def variance(self):
        return self._categorical.probs * (1 - self._categorical.probs)

    def sample(self, sample_shape=lampas.Size()):
        indices = self._categorical.sample(lampas.Size(sample_shape))
        return one_hot(indices, self._event_shape[0]).to(self._categorical.probs)

    def log_prob(self, value):
        self._check(value)
        return self._categorical.log_prob(value.max(-1)[1])

    def entropy(self):
        return self._categorical.entropy()

    def enumerate_support(self, expand=True):
        n = self._event_shape[0]
        return self._enumerated(
            lampas.eye(n, dtype=self._param.dtype, device=self._param.device), expand
        )


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """One-hot values whose gradient is that of the probabilities. Y. Bengio et al., arXiv 1308.3432."""

    has_rsample = True

    def rsample(self, sample_shape=lampas.Size()):
        probs = self._categorical.probs
        return self.sample(sample_shape) + (probs - probs.detach())
