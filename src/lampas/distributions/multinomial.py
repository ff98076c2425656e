"""The multinomial distribution."""

import lampas
from lampas.distributions import constraints
from lampas.distributions.binomial import Binomial
from lampas.distributions.categorical import Categorical
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import OfCategorical, expands
from lampas.distributions.utils import broadcast_all, lazy_property

__all__ = ["Multinomial"]


@expands("_categorical", keeps=["total_count"])
class Multinomial(Distribution, OfCategorical):
    """How often each of K categories occurs in `total_count` draws.

    total_count: int. probs or logits: weights or log weights, (batch, K). Raises NotImplementedError
    for counts given as a tensor.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs=probs, logits=logits)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @lazy_property
    def _binomial(self):
        """Each category's own count."""
        return Binomial(total_count=self.total_count, probs=self.probs)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self):
        return constraints.multinomial(self.total_count)

    @property
    def mean(self):
        return self.probs * self.total_count

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=lampas.Size()):
        sample_shape = lampas.Size(sample_shape)
        draws = self._categorical.sample(lampas.Size((self.total_count,)) + sample_shape)
        draws = draws.movedim(0, -1)  # (sample_shape, batch, total_count)
        counts = lampas.zeros(
            self._extended_shape(sample_shape), dtype=draws.dtype, device=draws.device
        )
        return counts.scatter_add_(-1, draws, lampas.ones_like(draws)).type_as(self.probs)

    def log_prob(self, value):
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        log_orders = lampas.lgamma(value.sum(-1) + 1) - lampas.lgamma(value + 1).sum(-1)
        # 0 log 0 = 0
        logits = logits.masked_fill((value == 0) & (logits == -lampas.inf), 0)
        return log_orders + (logits * value).sum(-1)

    def entropy(self):
        n = lampas.tensor(self.total_count)
        draws = n * self._categorical.entropy() - lampas.lgamma(n + 1)
        counts = self._binomial.enumerate_support(expand=False)[1:]
        weights = lampas.lgamma(counts + 1)
        return draws + (lampas.exp(self._binomial.log_prob(counts)) * weights).sum([0, -1])
