"""The geometric distribution."""

import lampas
from lampas.distributions import constraints
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import ProbsOrLogits, check_one_given, expands
from lampas.distributions.utils import broadcast_all
from lampas.nn.functional import binary_cross_entropy_with_logits

__all__ = ["Geometric"]


@expands("probs", "logits")
class Geometric(Distribution, ProbsOrLogits):
    """Failures before the first success of trials with probability `probs` (log odds `logits`)."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, probs=None, logits=None, validate_args=None):
        check_one_given(probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        else:
            (self.logits,) = broadcast_all(logits)
        super().__init__(self._param.size(), validate_args=validate_args)
        if self._validate_args and probs is not None:
            self._check_positive()

    def _check_positive(self):
        value = self.probs
        positive = value > 0
        if not positive.all():
            raise ValueError(
                f"Expected parameter probs ({type(value).__name__} of shape {tuple(value.shape)}) of "
                f"distribution {self!r} to be positive but found invalid values:\n"
                f"{value.detach()[~positive]}"
            )

    @property
    def _param(self):
        return self.__dict__["logits" if "probs" not in self.__dict__ else "probs"]

    @property
    def mean(self):
        return 1.0 / self.probs - 1.0

    @property
    def mode(self):
        return lampas.zeros_like(self.probs)

    @property
    def variance(self):
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape=lampas.Size()):
        # Inversion: the survival of k failures is (1 - p)^k.
        shape = self._extended_shape(sample_shape)
        tiny = lampas.finfo(self.probs.dtype).tiny
        with lampas.no_grad():
            u = lampas.empty(shape, dtype=self.probs.dtype, device=self.probs.device)
            u.uniform_(tiny, 1)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value):
        self._check(value)
        value, probs = broadcast_all(value, self.probs)
        failing = probs.masked_fill((probs == 1) & (value == 0), 0)  # 0 log 0 = 0
        return value * (-failing).log1p() + self.probs.log()

    def entropy(self):
        trial = binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
        return trial / self.probs
