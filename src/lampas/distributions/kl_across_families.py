"""Divergences between distributions of different families: KL(p || q) = -H(p) - E_p[log q(x)].

Each q has one formula for E_p[log q(x)] in terms of moments of p, which `_register` pairs with each p
that has these moments.
"""

import math

import lampas
from lampas.distributions.bernoulli import Bernoulli
from lampas.distributions.beta import Beta
from lampas.distributions.binomial import Binomial
from lampas.distributions.continuous_bernoulli import ContinuousBernoulli
from lampas.distributions.exponential import Exponential
from lampas.distributions.gamma import Gamma
from lampas.distributions.gumbel import Gumbel
from lampas.distributions.kl import register_kl
from lampas.distributions.laplace import Laplace
from lampas.distributions.normal import Normal
from lampas.distributions.pareto import Pareto
from lampas.distributions.poisson import Poisson
from lampas.distributions.uniform import Uniform
from lampas.distributions.utils import euler_constant

inf = lampas.inf

# --- moments of p ---


def _x_log_x(x):
    return lampas.xlogy(x, x)


def _uniform_mean_log(low, high):
    """E[log x] for x uniform between two bounds >= 0."""
    width = high - low
    return (_x_log_x(high) - _x_log_x(low) - width) / width


def _moments(p, order):
    """p with parameters for which moments up to `order` exist, so that masked gradients are finite."""
    if isinstance(p, Pareto):
        alpha = lampas.where(p.alpha > order, p.alpha, order + 1.0)
        return Pareto(p.scale, alpha, validate_args=False)
    return p


# type of p: function that gives E[log x]
_MEAN_LOG = {
    Beta: lambda p: p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma(),
    Exponential: lambda p: -euler_constant - p.rate.log(),
    Pareto: lambda p: p.scale.log() + p.alpha.reciprocal(),
    Uniform: lambda p: _uniform_mean_log(p.low, p.high),
}


def _uniform_tail(p, q):
    low, high = ((q.loc - end) / q.scale for end in (p.low, p.high))
    return q.scale * (low.exp() - high.exp()) / (p.high - p.low)


# type of p: function that gives E[exp((loc - x) / scale)], for the loc and scale of q
_MEAN_TAIL = {
    Exponential: lambda p, q: (q.loc / q.scale).exp() * (p.rate * q.scale / (p.rate * q.scale + 1)),
    Gamma: lambda p, q: (
        (q.loc / q.scale).exp() * (1 + (p.rate * q.scale).reciprocal()).pow(-p.concentration)
    ),
    Normal: lambda p, q: ((q.loc - p.loc) / q.scale + (p.scale / q.scale).pow(2) / 2).exp(),
    Uniform: _uniform_tail,
}


# --- -E_p[log q(x)] ---


def _against_normal(p, q):
    p = _moments(p, 2)
    squares = p.variance + (p.mean - q.loc).pow(2)
    return q.scale.log() + 0.5 * math.log(2 * math.pi) + squares / (2 * q.scale.pow(2))


def _against_exponential(p, q):
    return -q.rate.log() + q.rate * _moments(p, 1).mean


def _against_gamma(p, q):
    mean_log = _MEAN_LOG[_family(p, _MEAN_LOG)](p)
    log_norm = q.concentration.lgamma() - q.concentration * q.rate.log()
    return log_norm - (q.concentration - 1) * mean_log + q.rate * _moments(p, 1).mean


def _against_gumbel(p, q):
    tail = _MEAN_TAIL[_family(p, _MEAN_TAIL)](p, q)
    return q.scale.log() + (p.mean - q.loc) / q.scale + tail


def _against_continuous_bernoulli(p, q):
    return -p.mean * q.logits - lampas.log1p(-q.probs) - q._cont_bern_log_norm()


def _against_uniform(p, q):
    return (q.high - q.low).log()


def _family(p, table):
    return next(kind for kind in type(p).__mro__ if kind in table)


def _register(type_p, type_q, against, infinite=None):
    """Registers KL(p || q); infinite(p, q) says where it is infinite."""

    @register_kl(type_p, type_q)
    def divergence(p, q):
        result = against(p, q) - p.entropy()
        return result if infinite is None else result.masked_fill(infinite(p, q), inf)


def _outside_unit(p, q):
    return (p.high > 1) | (p.low < 0)


_register(Beta, Normal, _against_normal)
_register(ContinuousBernoulli, Normal, _against_normal)
_register(Exponential, Normal, _against_normal)
_register(Gamma, Normal, _against_normal)
_register(Gumbel, Normal, _against_normal)
_register(Laplace, Normal, _against_normal)
_register(Pareto, Normal, _against_normal, lambda p, q: p.alpha <= 2)
_register(Uniform, Normal, _against_normal)

_register(Beta, Exponential, _against_exponential)
_register(ContinuousBernoulli, Exponential, _against_exponential)
_register(Gamma, Exponential, _against_exponential)
_register(Pareto, Exponential, _against_exponential, lambda p, q: p.alpha <= 1)
_register(Uniform, Exponential, _against_exponential, lambda p, q: p.low < 0)

_register(Beta, Gamma, _against_gamma)
_register(Exponential, Gamma, _against_gamma)
_register(Pareto, Gamma, _against_gamma, lambda p, q: p.alpha <= 1)
_register(Uniform, Gamma, _against_gamma, lambda p, q: p.low < 0)

_register(Exponential, Gumbel, _against_gumbel)
_register(Gamma, Gumbel, _against_gumbel)
_register(Normal, Gumbel, _against_gumbel)
_register(Uniform, Gumbel, _against_gumbel)

# PyTorch's bounds: [0, 1] itself counts as outside for a uniform p, as too narrow for a uniform q.
_register(Beta, ContinuousBernoulli, _against_continuous_bernoulli)
_register(
    Uniform,
    ContinuousBernoulli,
    _against_continuous_bernoulli,
    lambda p, q: (p.high >= 1) | (p.low <= 0),
)

_register(Beta, Uniform, _against_uniform, lambda p, q: (q.low > 0) | (q.high < 1))
_register(ContinuousBernoulli, Uniform, _against_uniform, lambda p, q: (q.low >= 0) | (q.high <= 1))


# --- pairs of their own ---


@register_kl(Bernoulli, Poisson)
def _kl_bernoulli_poisson(p, q):
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Normal, Laplace)
def _kl_normal_laplace(p, q):
    # E|x - loc| is the mean of a folded normal distribution.
    shift = p.loc - q.loc
    z = shift / p.scale
    spread = math.sqrt(2 / math.pi) * p.scale * lampas.exp(-0.5 * z.pow(2))
    distance = spread + shift * lampas.erf(math.sqrt(0.5) * z)
    return -p.entropy() + lampas.log(2 * q.scale) + distance / q.scale


@register_kl(Uniform, Beta)
def _kl_uniform_beta(p, q):
    log_norm = (
        q.concentration1.lgamma()
        + q.concentration0.lgamma()
        - (q.concentration1 + q.concentration0).lgamma()
    )
    at1 = (q.concentration1 - 1) * _uniform_mean_log(p.low, p.high)
    at0 = (q.concentration0 - 1) * _uniform_mean_log(1 - p.high, 1 - p.low)
    return (log_norm - at1 - at0 - p.entropy()).masked_fill(_outside_unit(p, q), inf)


@register_kl(Uniform, Pareto)
def _kl_uniform_pareto(p, q):
    mean_log = _uniform_mean_log(p.low, p.high)
    log_density = q.alpha.log() + q.alpha * q.scale.log() - (q.alpha + 1) * mean_log
    return (-p.entropy() - log_density).masked_fill(p.low < q.scale, inf)


# Where p has values that q excludes.
_EXCLUDED = {
    Beta: [Pareto],
    ContinuousBernoulli: [Pareto],
    Exponential: [Beta, ContinuousBernoulli, Pareto, Uniform],
    Gamma: [Beta, ContinuousBernoulli, Pareto, Uniform],
    Gumbel: [Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform],
    Laplace: [Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform],
    Normal: [Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform],
    Pareto: [Beta, ContinuousBernoulli, Uniform],
    Poisson: [Bernoulli, Binomial],
}


def _infinite(p, q):
    return lampas.full_like(p.mean, inf)


for _type_p, _types_q in _EXCLUDED.items():
    for _type_q in _types_q:
        register_kl(_type_p, _type_q)(_infinite)
