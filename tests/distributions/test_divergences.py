"""KL divergences: every registered pair with gradients, dispatch, registration, errors."""

import itertools

import pytest
import torch
from agreement import agree
from distribution_cases import gradients, recording, texts, value_of

import lampas

# Distributions of each type that divergences are registered for.
OF_TYPE = {
    "Bernoulli": "Bernoulli(t([0.3, 0.6])) | Bernoulli(logits=t([-1., 2.])) | Bernoulli(t([0., 1.]))",
    "Beta": "Beta(t([0.5, 2.]), t([1., 3.])) | Beta(t([1.5, 4.]), t([2., 0.7]))",
    "Binomial": "Binomial(3, t([0.3, 0.6])) | Binomial(3, logits=t([1., -2.])) | Binomial(t([5., 2.]), t([0.2, 0.3]))",
    "Categorical": "Categorical(t([[0.2, 0.8], [0.5, 0.5]])) | Categorical(logits=t([[1., 2.], [0., 3.]])) | Categorical(t([[0., 1.], [1., 0.]]))",
    "Cauchy": "Cauchy(t([0., 1.]), t([1., 2.])) | Cauchy(t([3., -1.]), t([0.5, 1.]))",
    "ContinuousBernoulli": "ContinuousBernoulli(t([0.3, 0.9])) | ContinuousBernoulli(t([0.5, 0.1]))",
    "Dirichlet": "Dirichlet(t([[0.5, 2.], [1., 1.]])) | Dirichlet(t([[3., 0.2], [4., 5.]]))",
    "Exponential": "Exponential(t([0.5, 2.])) | Exponential(t([3., 1.]))",
    "ExponentialFamily": "Poisson(t([0.5, 2.])) | Wishart(t(4.), t([[2., 0.5], [0.5, 1.]])) | Wishart(t(5.), torch.eye(2))",
    "Gamma": "Gamma(t([0.5, 2.]), t([1., 3.])) | Gamma(t([1.5, 4.]), t([2., 0.7])) | Chi2(t([3., 1.]))",
    "Geometric": "Geometric(t([0.3, 0.6])) | Geometric(logits=t([-1., 2.]))",
    "Gumbel": "Gumbel(t([0., 1.]), t([1., 2.])) | Gumbel(t([3., -1.]), t([0.5, 1.]))",
    "HalfNormal": "HalfNormal(t([0.5, 2.])) | HalfNormal(t([3., 1.]))",
    "Independent": "Independent(Normal(t([0., 1.]), t([1., 2.])), 1) | Independent(Normal(t([3., 1.]), 1.), 1) | Independent(Normal(t([3., 1.]), 1.), 0)",
    "Laplace": "Laplace(t([0., 1.]), t([1., 2.])) | Laplace(t([3., -1.]), t([0.5, 1.]))",
    "LowRankMultivariateNormal": "LowRankMultivariateNormal(t([1., 0.]), t([[2.], [0.5]]), t([1., 2.]))"
    " | LowRankMultivariateNormal(t([[1., 3.], [0., 0.]]), t([[2., 1.], [0.5, 3.]]), t([0.1, 2.]))",
    "MultivariateNormal": "MultivariateNormal(t([1., 0.]), t([[2., 0.5], [0.5, 1.]])) | MultivariateNormal(t([[1., 3.], [0., 0.]]), 2 * torch.eye(2))",
    "Normal": "Normal(t([0., 1.]), t([1., 2.])) | Normal(t([3., -1.]), t([0.5, 1.]))",
    "OneHotCategorical": "OneHotCategorical(t([0.2, 0.8])) | OneHotCategorical(logits=t([1., 2.]))",
    "Pareto": "Pareto(t([1., 2.]), t([3., 2.5])) | Pareto(t([0.3, 3.]), t([1.5, 0.7]))",
    "Poisson": "Poisson(t([0.5, 2.])) | Poisson(t([3., 1.]))",
    "TransformedDistribution": "LogNormal(t([0., 1.]), t([1., 2.])) | LogNormal(3., 1.) | HalfCauchy(2.)"
    " | TransformedDistribution(Normal(1., 2.), [AffineTransform(1., 3.)])",
    "Uniform": "Uniform(t([0., 0.2]), t([1., 0.9])) | Uniform(t([-1., 0.3]), t([3., 0.5])) | Uniform(t([2., 2.]), t([4., 3.]))",
}
PAIRS = [(p.__name__, q.__name__) for p, q in torch.distributions.kl._KL_REGISTRY]
CASES = [
    (p, q)
    for type_p, type_q in PAIRS
    for p, q in itertools.product(texts(OF_TYPE[type_p]), texts(OF_TYPE[type_q]))
]


def test_the_same_pairs_are_registered():
    mine = [(p.__name__, q.__name__) for p, q in lampas.distributions.kl._KL_REGISTRY]
    assert sorted(mine) == sorted(PAIRS)
    assert len(PAIRS) == 87


@pytest.mark.parametrize(("p", "q"), CASES)
def test_divergence_and_gradients(p, q):
    def run(module):
        leaves = []
        module.set_default_dtype(module.float64)
        tensor = recording(module, leaves)
        a, b = (value_of(text, module, t=tensor) for text in (p, q))
        divergence = value_of("kl_divergence(a, b)", module, a=a, b=b)
        finite = divergence.isfinite()
        return divergence, gradients(module, divergence[finite], leaves) if finite.any() else None

    try:
        agree(run, rtol=1e-8, atol=1e-8)
    finally:
        torch.set_default_dtype(torch.float32)


def test_batches_of_wishart():
    """PyTorch sums over the batch instead."""

    def wisharts(*df):
        return lampas.distributions.Wishart(lampas.tensor(df), lampas.eye(2))

    both = lampas.distributions.kl_divergence(wisharts(4.0, 9.0), wisharts(5.0, 7.0))
    one = lampas.distributions.kl_divergence(wisharts(9.0), wisharts(7.0))
    assert both.tolist() == pytest.approx([both[0].item(), one.item()], rel=1e-5)
    assert (both > 0).all()


def test_nearest_formula_and_ambiguity():
    def run(module):
        d = module.distributions

        class Left(d.Normal):
            pass

        class Right(d.Normal):
            pass

        before = dict(d.kl._KL_REGISTRY)
        try:
            plain = d.kl_divergence(Left(0.0, 1.0), Right(1.0, 1.0))
            d.register_kl(Left, d.Normal)(lambda p, q: "left")
            d.register_kl(d.Normal, Right)(lambda p, q: "right")
            mixed = d.kl_divergence(Left(0.0, 1.0), Right(1.0, 1.0))
            cached = d.kl_divergence(Left(0.0, 1.0), Right(1.0, 1.0))
            d.register_kl(Left, Right)(lambda p, q: "both")
            return plain, mixed, cached, d.kl_divergence(Left(0.0, 1.0), Right(1.0, 1.0))
        finally:
            d.kl._KL_REGISTRY.clear()
            d.kl._KL_REGISTRY.update(before)
            d.kl._KL_MEMOIZE.clear()

    assert agree(run)


ERRORS = """
kl_divergence(Cauchy(0., 1.), Normal(0., 1.)) | kl_divergence(3, 4) | register_kl(3, Normal) | register_kl(Normal, 3)
kl_divergence(Poisson(1.), Exponential(1.)) | kl_divergence(Binomial(2, t(0.1)), Binomial(t([2., 3.]), t(0.1)))
kl_divergence(MultivariateNormal(torch.zeros(2), torch.eye(2)), MultivariateNormal(torch.zeros(3), torch.eye(3)))
kl_divergence(LowRankMultivariateNormal(torch.zeros(2), torch.ones(2, 1), torch.ones(2)), MultivariateNormal(torch.zeros(3), torch.eye(3)))
kl_divergence(LowRankMultivariateNormal(torch.zeros(2), torch.ones(2, 1), torch.ones(2)), LowRankMultivariateNormal(torch.zeros(1), torch.ones(1, 1), torch.ones(1)))
kl_divergence(MultivariateNormal(torch.zeros(3), torch.eye(3)), LowRankMultivariateNormal(torch.zeros(2), torch.ones(2, 1), torch.ones(2)))
"""


@pytest.mark.parametrize("text", texts(ERRORS))
def test_errors(text):
    assert agree(lambda module: value_of(text, module)) is None  # what an error leaves


def test_monte_carlo_confirms_a_divergence_across_families():
    d = lampas.distributions
    p, q = d.Gamma(2.0, 1.5), d.Gumbel(1.0, 2.0)
    x = p.sample((200000,))
    estimate = (p.log_prob(x) - q.log_prob(x)).mean()
    assert d.kl_divergence(p, q).item() == pytest.approx(estimate.item(), rel=0.02)
