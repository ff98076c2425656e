"""The categorical distribution."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import ProbsOrLogits, check_one_given, expands

__all__ = ["Categorical"]


@expands("probs", "logits", "_param", keeps=["_num_events"])
class Categorical(Distribution, ProbsOrLogits):
    """An integer from 0 to K - 1 with weights `probs` or unnormalised log probabilities `logits`.

    Both have shape (batch, K); they are kept normalised.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    _binary = False

    def __init__(self, probs=None, logits=None, validate_args=None):
        check_one_given(probs, logits)
        name = "logits" if probs is None else "probs"
        param = logits if probs is None else probs
        if param.dim() < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        self._param = self.logits if probs is None else self.probs
        self._num_events = self._param.size()[-1]
        super().__init__(self._param.size()[:-1], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self._num_events - 1)

    def _undefined(self):
        shape = self._extended_shape()
        return lampas.full(shape, math.nan, dtype=self.probs.dtype, device=self.probs.device)

    @property
    def mean(self):
        """NaN: categories are names, not numbers."""
        return self._undefined()

    @property
    def mode(self):
        return self.probs.argmax(dim=-1)

    @property
    def variance(self):
        """NaN: categories are names, not numbers."""
        return self._undefined()

    def sample(self, sample_shape=lampas.Size()):
        if not isinstance(sample_shape, lampas.Size):
            sample_shape = lampas.Size(sample_shape)
        rows = self.probs.reshape(-1, self._num_events)
        drawn = lampas.multinomial(rows, sample_shape.numel(), True).T
        return drawn.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value):
        self._check(value)
        value, log_pmf = lampas.broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return log_pmf.gather(-1, value[..., :1]).squeeze(-1)

    def entropy(self):
        # 0 log 0 = 0: the smallest number in place of -inf.
        logits = lampas.clamp(self.logits, min=lampas.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        values = lampas.arange(self._num_events, dtype=lampas.long, device=self._param.device)
        return self._enumerated(values, expand)
