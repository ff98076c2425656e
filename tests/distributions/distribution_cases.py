"""Tables of distributions, and how an expression is evaluated with Lampas and with PyTorch.

`t` is `tensor`, `torch` the module; the names of `distributions` and its submodules are known.
"""

import importlib

CONTINUOUS = """
Normal(t([0., 1.]), t([1., 2.])) | Normal(0., 1.) | Normal(t([[0.], [1.]]), t([1., 2., 0.5]))
LogNormal(t([0., 1.]), t([1., 0.5])) | Uniform(t([0., -1.]), t([1., 3.])) | Exponential(t([0.5, 2.]))
Laplace(t([0., 1.]), t([1., 2.])) | Cauchy(t([0., 1.]), t([1., 2.])) | Gumbel(t([0., 1.]), t([1., 2.]))
Gamma(t([0.5, 2., 9.]), t([1., 2., 0.3])) | Chi2(t([1.5, 2.])) | InverseGamma(t([0.5, 3.]), t([1., 2.]))
Beta(t([0.5, 2., 7.]), t([1., 2., 0.6])) | Kumaraswamy(t([1., 2.]), t([3., 4.]))
StudentT(t([1.5, 5.]), t([0., 1.]), t([1., 2.])) | StudentT(3.) | FisherSnedecor(t([3., 5.]), t([5., 7.]))
HalfNormal(t([0.5, 2.])) | HalfCauchy(t([0.5, 2.])) | Weibull(t([1., 2.]), t([3., 0.8]))
Pareto(t([1., 2.]), t([3., 0.7])) | GeneralizedPareto(t([0., 1., 2.]), t([1., 2., 0.5]), t([0.3, 0., -0.3]))
ContinuousBernoulli(t([0.3, 0.5, 0.9])) | ContinuousBernoulli(logits=t([0.3, -2., 20.]))
VonMises(t([0.3, -2.]), t([0.5, 20.])) | RelaxedBernoulli(t(0.7), t([0.3, 0.6]))
RelaxedBernoulli(t([0.7, 2.]), logits=t([0.3, -0.6])) | LogitRelaxedBernoulli(t(0.7), t([0.3, 0.6]))
TransformedDistribution(Normal(t([0., 1.]), 1.), [ExpTransform(), AffineTransform(1., -2.)])
TransformedDistribution(Normal(0., 1.), AffineTransform(t([1., 2.]), 3.))
"""
VECTORS = """
Dirichlet(t([0.5, 2., 1.])) | Dirichlet(t([[0.5, 2., 1.], [3., 4., 0.1]]))
MultivariateNormal(t([1., -1.]), t([[2., 0.5], [0.5, 1.]]))
MultivariateNormal(t([[1., -1.], [0., 2.]]), precision_matrix=t([[2., 0.5], [0.5, 1.]]))
MultivariateNormal(t([1., -1.]), scale_tril=t([[[2., 0.], [0.5, 1.]], [[1., 0.], [-0.5, 3.]]]))
LowRankMultivariateNormal(t([1., -1., 0.]), t([[2.], [0.5], [1.]]), t([1., 2., 0.5]))
LowRankMultivariateNormal(t([[1., -1.], [0., 1.]]), t([[2., 1., 0.], [0.5, 3., 1.]]), t([1., 2.]))
LogisticNormal(t([0.3, -0.2]), t([1., 0.5])) | LogisticNormal(0.3, 2.)
RelaxedOneHotCategorical(t(0.7), t([0.1, 0.2, 0.7])) | ExpRelaxedCategorical(t(1.5), logits=t([[0.1, 0.2], [1., 3.]]))
Independent(Normal(t([[0., 1., 2.], [1., 1., 1.]]), t([1., 2., 3.])), 1)
Independent(Gamma(t([[1., 2.], [3., 4.]]), 1.), 2) | Independent(Laplace(t([0., 1.]), 1.), 0)
TransformedDistribution(Independent(Normal(t([0., 1.]), 1.), 1), [StickBreakingTransform()])
TransformedDistribution(Normal(t([[0., 1.], [1., 0.]]), 1.), [ExpTransform(), ReshapeTransform((2,), (1, 2))])
Wishart(t(5.), t([[2., 0.5], [0.5, 1.]])) | Wishart(t([4., 9.]), precision_matrix=t([[2., 0.5], [0.5, 1.]]))
Wishart(4.5, scale_tril=t([[2., 0., 0.], [0.5, 1., 0.], [0.1, 0.2, 0.3]]).tril()) | LKJCholesky(3, 1.5) | LKJCholesky(4, t([0.5, 2.]))
MixtureSameFamily(Categorical(t([0.2, 0.8])), Normal(t([0., 3.]), t([1., 0.5])))
MixtureSameFamily(Categorical(t([[0.2, 0.8], [0.5, 0.5]])), MultivariateNormal(t([[[0., 1.], [3., 1.]], [[1., 1.], [0., 0.]]]), torch.eye(2)))
"""
DISCRETE = """
Bernoulli(t([0.3, 0.6, 0.5, 0., 1.])) | Bernoulli(logits=t([0.3, -0.6])) | Bernoulli(0.3)
Binomial(5, t([0.3, 0.6])) | Binomial(t([3., 8.]), logits=t([0.3, 0.])) | Binomial(2, t([0., 1.]))
Categorical(t([0.1, 0.2, 0.7])) | Categorical(logits=t([[0.1, 0.2, 0.7], [2., -1., 0.]]))
OneHotCategorical(t([0.1, 0.2, 0.7])) | OneHotCategorical(logits=t([[0.1, 0.2], [1., -1.]]))
OneHotCategoricalStraightThrough(t([[0.1, 0.2], [0.5, 0.5]])) | Multinomial(4, t([0.1, 0.2, 0.7]))
Multinomial(7, logits=t([[0.1, 0.2], [1., -1.]])) | Geometric(t([0.3, 0.6])) | Geometric(logits=t([0.3, -2.]))
NegativeBinomial(3, t([0.3, 0.6])) | NegativeBinomial(t([3., 4.5]), logits=t([0.3, -0.6])) | Poisson(t([0.5, 4., 0.]))
Poisson(30.) | MixtureSameFamily(Categorical(t([0.2, 0.8])), Poisson(t([1., 5.])))
Independent(Bernoulli(t([[0.3, 0.6], [0.1, 0.2]])), 1)
"""


def texts(table):
    """The expressions of a table: lines, cut at '|' with spaces around it."""
    return [text.strip() for line in table.strip().splitlines() for text in line.split(" | ")]


def names_of(module):
    """What an expression may name."""
    base = f"{module.__name__}.distributions"
    parts = ("transforms", "relaxed_bernoulli", "relaxed_categorical", "constraint_registry")
    names = {"torch": module, "t": module.tensor, "D": importlib.import_module(base)}
    for part in (*parts, ""):
        names.update(vars(importlib.import_module(f"{base}.{part}" if part else base)))
    names["C"], names["T"], names["U"] = (
        importlib.import_module(f"{base}.{part}") for part in ("constraints", "transforms", "utils")
    )
    return names


def value_of(text, module, **more):
    """The value of an expression under a module."""
    return eval(text, {**names_of(module), **more})


def recording(module, leaves):
    """`tensor` that makes floating leaves which require gradients, and keeps them in `leaves`."""

    def tensor(data, **options):
        made = module.tensor(data, **options)
        if made.is_floating_point():
            made.requires_grad_()
            leaves.append(made)
        return made

    return tensor


def gradients(module, result, leaves):
    """Gradients of a weighted sum of `result`, zeros (as None) included."""
    if not result.requires_grad:
        return None
    weights = module.arange(result.numel(), dtype=result.dtype).reshape(result.shape) / 7 + 0.5
    return module.autograd.grad((result * weights).sum(), leaves, allow_unused=True)
