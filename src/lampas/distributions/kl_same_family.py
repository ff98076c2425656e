"""Divergences between two distributions of one family; vectors of normal numbers are in `kl_multivariate`."""

import lampas
from lampas.distributions.bernoulli import Bernoulli
from lampas.distributions.beta import Beta
from lampas.distributions.binomial import Binomial
from lampas.distributions.categorical import Categorical
from lampas.distributions.cauchy import Cauchy
from lampas.distributions.continuous_bernoulli import ContinuousBernoulli
from lampas.distributions.dirichlet import Dirichlet
from lampas.distributions.exp_family import ExponentialFamily
from lampas.distributions.exponential import Exponential
from lampas.distributions.gamma import Gamma
from lampas.distributions.geometric import Geometric
from lampas.distributions.gumbel import Gumbel
from lampas.distributions.half_normal import HalfNormal
from lampas.distributions.independent import Independent
from lampas.distributions.kl import kl_divergence, register_kl
from lampas.distributions.laplace import Laplace
from lampas.distributions.normal import Normal
from lampas.distributions.one_hot_categorical import OneHotCategorical
from lampas.distributions.pareto import Pareto
from lampas.distributions.poisson import Poisson
from lampas.distributions.transformed_distribution import TransformedDistribution
from lampas.distributions.uniform import Uniform
from lampas.distributions.utils import _sum_rightmost, euler_constant
from lampas.nn.functional import softplus

inf = lampas.inf


@register_kl(Bernoulli, Bernoulli)
def _kl_bernoulli(p, q):
    # log p - log q = softplus(-logit q) - softplus(-logit p); 0 log 0 = 0
    success = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    success = success.masked_fill(q.probs == 0, inf).masked_fill(p.probs == 0, 0)
    failure = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    failure = failure.masked_fill(q.probs == 1, inf).masked_fill(p.probs == 1, 0)
    return success + failure


@register_kl(Beta, Beta)
def _kl_beta(p, q):
    total_p = p.concentration1 + p.concentration0
    total_q = q.concentration1 + q.concentration0
    log_norms = (
        q.concentration1.lgamma()
        + q.concentration0.lgamma()
        + total_p.lgamma()
        - (p.concentration1.lgamma() + p.concentration0.lgamma() + total_q.lgamma())
    )
    at1 = (p.concentration1 - q.concentration1) * lampas.digamma(p.concentration1)
    at0 = (p.concentration0 - q.concentration0) * lampas.digamma(p.concentration0)
    return log_norms + at1 + at0 + (total_q - total_p) * lampas.digamma(total_p)


@register_kl(Binomial, Binomial)
def _kl_binomial(p, q):
    if (p.total_count < q.total_count).any():
        raise NotImplementedError(
            "KL between Binomials where q.total_count > p.total_count is not implemented"
        )
    odds = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return (p.total_count * odds).masked_fill(p.total_count > q.total_count, inf)


@register_kl(Categorical, Categorical)
def _kl_categorical(p, q):
    terms = p.probs * (p.logits - q.logits)
    return terms.masked_fill(q.probs == 0, inf).masked_fill(p.probs == 0, 0).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _kl_one_hot(p, q):
    return _kl_categorical(p._categorical, q._categorical)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _kl_continuous_bernoulli(p, q):
    log_norm_p = p._cont_bern_log_norm() + lampas.log1p(-p.probs)
    log_norm_q = q._cont_bern_log_norm() + lampas.log1p(-q.probs)
    return p.mean * (p.logits - q.logits) + log_norm_p - log_norm_q


@register_kl(Dirichlet, Dirichlet)
def _kl_dirichlet(p, q):
    total_p, total_q = p.concentration.sum(-1), q.concentration.sum(-1)
    log_norms = (q.concentration.lgamma() - p.concentration.lgamma()).sum(-1)
    surplus = p.concentration - q.concentration
    mean_logs = p.concentration.digamma() - total_p.digamma().unsqueeze(-1)
    return total_p.lgamma() - total_q.lgamma() + log_norms + (surplus * mean_logs).sum(-1)


@register_kl(Exponential, Exponential)
def _kl_exponential(p, q):
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(ExponentialFamily, ExponentialFamily)
def _kl_exponential_family(p, q):
    """The Bregman divergence of the log normaliser. F. Nielsen, R. Nock, ICIP 2010."""
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot"
            "                             be computed using Bregman divergences"
        )
    params_p = [n.detach().requires_grad_() for n in p._natural_params]
    params_q = q._natural_params
    log_norm = p._log_normalizer(*params_p)
    gradients = lampas.autograd.grad(log_norm.sum(), params_p, create_graph=True)
    result = q._log_normalizer(*params_q) - log_norm
    for n_p, n_q, gradient in zip(params_p, params_q, gradients):
        own_dims = n_q.dim() - len(q.batch_shape)
        result = result - _sum_rightmost((n_q - n_p) * gradient, own_dims)
    return result


@register_kl(Gamma, Gamma)
def _kl_gamma(p, q):
    log_norms = lampas.lgamma(q.concentration) - lampas.lgamma(p.concentration)
    return (
        q.concentration * (p.rate / q.rate).log()
        + log_norms
        + (p.concentration - q.concentration) * lampas.digamma(p.concentration)
        + (q.rate - p.rate) * (p.concentration / p.rate)
    )


@register_kl(Gumbel, Gumbel)
def _kl_gumbel(p, q):
    ratio = p.scale / q.scale
    shift = (p.loc - q.loc) / q.scale
    tail = lampas.exp((1 + ratio).lgamma() - shift)
    return shift - ratio.log() + ratio * euler_constant + tail - (1 + euler_constant)


@register_kl(Geometric, Geometric)
def _kl_geometric(p, q):
    return -p.entropy() - lampas.log1p(-q.probs) / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
def _kl_half_normal(p, q):
    return _kl_normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _kl_laplace(p, q):
    ratio = p.scale / q.scale
    distance = (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * lampas.exp(-distance / p.scale) - 1


@register_kl(Normal, Normal)
def _kl_normal(p, q):
    ratio = (p.scale / q.scale).pow(2)
    shift = ((p.loc - q.loc) / q.scale).pow(2)
    return 0.5 * (ratio + shift - 1 - ratio.log())


@register_kl(Cauchy, Cauchy)
def _kl_cauchy(p, q):
    """F. Chyzak, F. Nielsen, arXiv 1905.10965."""
    distance = (p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)
    return distance.log() - (4 * p.scale * q.scale).log()


@register_kl(Pareto, Pareto)
def _kl_pareto(p, q):
    ratio = q.alpha / p.alpha
    result = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return result.masked_fill(p.scale < q.scale, inf)


@register_kl(Poisson, Poisson)
def _kl_poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def _kl_uniform(p, q):
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return result.masked_fill((q.low > p.low) | (q.high < p.high), inf)


@register_kl(TransformedDistribution, TransformedDistribution)
def _kl_transformed(p, q):
    """A bijection leaves the divergence as it is. Raises NotImplementedError for different transforms."""
    if p.transforms != q.transforms:
        raise NotImplementedError
    if p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Independent, Independent)
def _kl_independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return _sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)
