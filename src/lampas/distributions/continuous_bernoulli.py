"""The continuous Bernoulli distribution."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.exp_family import ExponentialFamily
from lampas.distributions.parameters import ProbsOrLogits, check_one_given, expands
from lampas.distributions.utils import broadcast_all, clamp_probs, lazy_property, logits_to_probs
from lampas.nn.functional import binary_cross_entropy_with_logits

__all__ = ["ContinuousBernoulli"]


@expands("probs", "logits", "_param", keeps=["_lims"])
class ContinuousBernoulli(ExponentialFamily, ProbsOrLogits):
    """Density proportional to p^x (1 - p)^(1 - x) over [0, 1]; p is `probs`, of log odds `logits`.

    For p within `lims`, around 1/2, closed forms cancel; Taylor series take their place.
    G. Loaiza-Ganem, J. Cunningham, "The continuous Bernoulli", NeurIPS 2019.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(self, probs=None, logits=None, lims=(0.499, 0.501), validate_args=None):
        check_one_given(probs, logits)
        if probs is not None:
            (given,) = broadcast_all(probs)
            # Checked before clamping would hide a wrong value.
            if validate_args is not None and not self.arg_constraints["probs"].check(given).all():
                raise ValueError("The parameter probs has invalid values")
            self.probs = clamp_probs(given)
        else:
            (self.logits,) = broadcast_all(logits)
        self._param = self.logits if probs is None else self.probs
        self._lims = lims
        super().__init__(self._param.size(), validate_args=validate_args)

    @lazy_property
    def probs(self):
        """The parameter p, kept off 0 and 1."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _closed(self):
        """Where closed forms hold, and p with the lower limit in other places."""
        low, high = self._lims
        outside = (self.probs <= low) | (self.probs > high)
        return outside, lampas.where(outside, self.probs, low * lampas.ones_like(self.probs))

    def _cont_bern_log_norm(self):
        """log of 2 atanh(1 - 2p) / (1 - 2p), the constant of the density."""
        outside, p = self._closed()
        log_norm = lampas.log(lampas.abs(lampas.log1p(-p) - lampas.log(p))) - lampas.log(
            lampas.abs(1 - 2 * p)
        )
        x = (self.probs - 0.5) ** 2
        return lampas.where(outside, log_norm, math.log(2) + (4 / 3 + 104 / 45 * x) * x)

    @property
    def mean(self):
        outside, p = self._closed()
        mean = p / (2 * p - 1) + 1 / (lampas.log1p(-p) - lampas.log(p))
        x = self.probs - 0.5
        return lampas.where(outside, mean, 0.5 + (1 / 3 + 16 / 45 * x**2) * x)

    @property
    def stddev(self):
        return lampas.sqrt(self.variance)

    @property
    def variance(self):
        outside, p = self._closed()
        log_odds = lampas.log1p(-p) - lampas.log(p)
        variance = p * (p - 1) / (1 - 2 * p) ** 2 + 1 / log_odds**2
        x = (self.probs - 0.5) ** 2
        return lampas.where(outside, variance, 1 / 12 - (1 / 15 - 128 / 945 * x) * x)

    def sample(self, sample_shape=lampas.Size()):
        with lampas.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        return self.icdf(lampas.rand(shape, dtype=self.probs.dtype, device=self.probs.device))

    def log_prob(self, value):
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        cross = binary_cross_entropy_with_logits(logits, value, reduction="none")
        return -cross + self._cont_bern_log_norm()

    def cdf(self, value):
        self._check(value)
        outside, p = self._closed()
        cdf = (p**value * (1 - p) ** (1 - value) + p - 1) / (2 * p - 1)
        return (
            lampas.where(outside, cdf, value).masked_fill(value <= 0, 0).masked_fill(value >= 1, 1)
        )

    def icdf(self, value):
        outside, p = self._closed()
        log_q = lampas.log1p(-p)
        icdf = (lampas.log1p(-p + value * (2 * p - 1)) - log_q) / (lampas.log(p) - log_q)
        return lampas.where(outside, icdf, value)

    def entropy(self):
        log_q, log_p = lampas.log1p(-self.probs), lampas.log(self.probs)
        return self.mean * (log_q - log_p) - self._cont_bern_log_norm() - log_q

    @property
    def _natural_params(self):
        return (self.logits,)

    def _log_normalizer(self, x):
        """log((e^x - 1) / x), from its Taylor series near 0."""
        low, high = self._lims
        outside = (x <= low - 0.5) | (x > high - 0.5)
        far = lampas.where(outside, x, (low - 0.5) * lampas.ones_like(x))
        log_norm = lampas.log(lampas.abs(lampas.expm1(far))) - lampas.log(lampas.abs(far))
        return lampas.where(outside, log_norm, 0.5 * x + x**2 / 24 - x**4 / 2880)
