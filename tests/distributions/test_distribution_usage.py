"""Wrong calls and their texts, unusual shapes and types, distributions that users define."""

import copy
import io
import pickle

import pytest
from agreement import agree
from distribution_cases import CONTINUOUS, DISCRETE, VECTORS, texts, value_of

import lampas

WRONG = """
Normal(0., -1.) | Normal(t([0., 1.]), t([1., -1.])) | Normal('a', 1.) | Normal(t([1., 2.]), t([1., 2., 3.]))
Normal(t(0), t(1)).sample() | Normal(0., 1.).log_prob('x') | Normal(0., 1.).log_prob(1) | Normal(0., 1.).sample(3)
Normal(t([0., 1.]), 1.).log_prob(t([1., 2., 3.])) | Normal(t([0., 1.]), 1.).log_prob(t(float('nan')))
Normal(t([0., 1.]), 1.).expand((3,)) | Exponential(1.).log_prob(t(-1.)) | Exponential(1.).log_prob(t([1., -1.])) | Exponential(t(2)).sample()
Bernoulli() | Bernoulli(t(0.1), t(0.1)) | Bernoulli(1.5) | Bernoulli(t(0.5)).log_prob(t(0.5)) | Binomial(3) | Binomial(3, t(0.1), t(0.3))
Binomial(-1, t(0.1)) | Binomial(t([2., 3.]), t(0.1)).enumerate_support() | Binomial(t([2., 3.]), t(0.1)).entropy()
Binomial(t([3., 4.]), t([0.1, 0.2])).log_prob(t([1., 5.])) | Categorical() | Categorical(t(1.)) | Categorical(logits=t(1.))
Categorical(t([-1., 2.])) | Categorical(t([1., 2.])).log_prob(t(2)) | Categorical(t([0., 0.])) | Categorical(torch.ones(3)).log_prob(t([1.5]))
ContinuousBernoulli() | ContinuousBernoulli(t(1.5), validate_args=True) | ContinuousBernoulli(t(1.5), validate_args=False)
Dirichlet(t(1.)) | Dirichlet(t([1., -1.])) | Dirichlet(t([1., 1.])).log_prob(t([0.5, 0.6])) | GeneralizedPareto(0., 1., 0.5).log_prob(t(-1.))
GeneralizedPareto(0., 1., -0.5).log_prob(t(3.)) | GeneralizedPareto(0., 1., 0.5).cdf(t(-1.)) | Geometric() | Geometric(0.)
Geometric(t([0., 0.1])) | Geometric(t(0.5), t(0.4)) | HalfNormal(-1.) | Independent(Normal(t([0., 1.]), 1.), 2)
Independent(Bernoulli(t([0.1, 0.2])), 1).enumerate_support() | LKJCholesky(1) | LKJCholesky(3).log_prob(torch.eye(4)) | LKJCholesky(3, -1.)
LKJCholesky(3.5) | LowRankMultivariateNormal(t(1.), t(1.), t(1.)) | LowRankMultivariateNormal(t([1.]), t([1.]), t([1.]))
LowRankMultivariateNormal(t([1., 2.]), torch.ones(3, 1), torch.ones(2)) | LowRankMultivariateNormal(t([1., 2.]), torch.ones(2, 1), torch.ones(3))
LowRankMultivariateNormal(torch.zeros(3, 2), torch.ones(4, 2, 1), torch.ones(2))
LowRankMultivariateNormal(torch.zeros(2), torch.ones(2, 1), -torch.ones(2), validate_args=False)
MixtureSameFamily(Normal(0., 1.), Normal(0., 1.)) | MixtureSameFamily(Categorical(torch.ones(2)), 3)
MixtureSameFamily(Categorical(torch.ones(2)), Normal(0., 1.)) | MixtureSameFamily(Categorical(torch.ones(2)), Normal(torch.ones(3), 1.))
MixtureSameFamily(Categorical(torch.ones(3, 2)), Normal(torch.ones(4, 2), 1.)) | Multinomial(2) | Multinomial(t([2]), t([0.1, 0.2]))
MixtureSameFamily(Categorical(torch.ones(2)), Dirichlet(torch.ones(2, 2))).cdf(torch.ones(2) / 2) | Multinomial(2, t(0.1))
Multinomial(2, t([0.1, 0.2])).log_prob(t([1., 2.])) | MultivariateNormal(t(1.)) | MultivariateNormal(t([1., 2.]))
MultivariateNormal(t([1., 2.]), torch.ones(2)) | MultivariateNormal(t([1., 2.]), precision_matrix=torch.ones(2))
MultivariateNormal(t([1., 2.]), scale_tril=torch.ones(2)) | MultivariateNormal(t([1., 2.]), torch.eye(2), torch.eye(2))
MultivariateNormal(t([1., 2.]), t([[1., 2.], [2., 1.]])) | MultivariateNormal(t([1., 2.]), t([[1., 2.], [0., 1.]]))
MultivariateNormal(t([1., 2.]), scale_tril=t([[1., 2.], [0., 1.]])) | MultivariateNormal(torch.zeros(2), torch.ones(2, 3))
MultivariateNormal(t([1., 2.]), torch.eye(2)).log_prob(torch.ones(3)) | MultivariateNormal(torch.zeros(3, 2), torch.eye(2).expand(4, 2, 2))
MultivariateNormal(torch.zeros(2), torch.zeros(2, 2), validate_args=False) | NegativeBinomial(3) | NegativeBinomial(3, t(1.))
NegativeBinomial(-3, t(0.1)) | OneHotCategorical() | OneHotCategorical(t([0.1, 0.9])).log_prob(t([0.1, 0.9])) | Pareto(1., 1.).log_prob(t(0.1))
Poisson(-1.) | Poisson(1.).log_prob(t(0.5)) | RelaxedBernoulli(t(1.)) | LogitRelaxedBernoulli(t(1.)) | RelaxedOneHotCategorical(t(1.))
RelaxedBernoulli(1., t(0.1)).log_prob(t(0.5)) | TransformedDistribution(Normal(0., 1.), 3) | TransformedDistribution(Normal(0., 1.), [3])
TransformedDistribution(Normal(0., 1.), (ExpTransform(),)) | TransformedDistribution(Normal(0., 1.), [StickBreakingTransform()])
TransformedDistribution(Normal(0., 1.), [AbsTransform()]).log_prob(t(1.)) | TransformedDistribution(Normal(0., 1.), [AbsTransform()]).cdf(t(1.))
TransformedDistribution(Normal(0., 1.), ExpTransform()).log_prob(t(-1.)) | TransformedDistribution(Normal(torch.zeros(2), 1.), [CorrCholeskyTransform()])
Uniform(1., 0.) | Uniform(t([1., 0.]), t([0., 1.])) | Uniform(0., 1.).log_prob(t(2.)) | Uniform(t(0), t(1)).sample() | VonMises(t(0.), t(-1.))
Wishart(1., torch.eye(2)) | Wishart(t([0.5, 3.]), torch.eye(2)) | Wishart(3.) | Wishart(3., torch.ones(2)) | Wishart(t(3.), torch.eye(2), torch.eye(2))
Wishart(3., t([[1., 2.], [2., 1.]])) | Wishart(t(5.), torch.eye(2)).log_prob(-torch.eye(2)) | Wishart(torch.ones(3) + 3, torch.eye(2).expand(4, 2, 2))
Distribution.set_default_validate_args(3) | Independent(Normal(t([0., 1.]), 1.), 1).cdf(t([1., 2.])) | Categorical(torch.ones(3)).sample((0,))
"""
UNUSUAL = """
Normal(0, 1).loc.dtype | Normal(t(0., dtype=torch.float64), t(1.)).scale.dtype | Normal(t(0.), t(1., dtype=torch.float64)).log_prob(t(1.)).dtype
Normal(t(0., dtype=torch.bfloat16), t(1., dtype=torch.bfloat16)).log_prob(t(1., dtype=torch.bfloat16))
Normal(torch.zeros(0), 1.).sample((2,)).shape | Normal(torch.zeros(0), 1.).log_prob(torch.zeros(0)).shape | Normal(0., 1.).sample([2]).shape
Normal(0., 1.).sample_n(3).shape | Normal(0., -1., validate_args=False).stddev | Normal(0., 1.)._extended_shape((2,))
Categorical(t([0.5, 0.5], dtype=torch.float64)).sample((2,)).dtype | Categorical(logits=t([[0., float('-inf')]])).entropy()
Categorical(torch.ones(0, 3)).sample().shape | Categorical(torch.ones(3)).log_prob(t([[0], [1]]))
Categorical(t([[0., 1.]])).entropy() | Categorical(torch.ones(3)).log_prob(t([1.])) | Dirichlet(torch.ones(3)).sample((0,)).shape
MultivariateNormal(torch.zeros(2), torch.eye(2)).log_prob(torch.zeros(5, 1, 2)).shape
MultivariateNormal(torch.zeros(3, 2), torch.eye(2).expand(3, 2, 2)).log_prob(torch.zeros(5, 1, 2)).shape
MultivariateNormal(torch.zeros(2), 2 * torch.eye(2)).precision_matrix | MultivariateNormal(torch.zeros(2), precision_matrix=2 * torch.eye(2)).covariance_matrix
MultivariateNormal(torch.zeros(3, 2), 2 * torch.eye(2)).scale_tril | LowRankMultivariateNormal(torch.zeros(2), torch.ones(2, 1), torch.ones(2)).scale_tril
LowRankMultivariateNormal(torch.zeros(3, 2), torch.ones(2, 1), torch.ones(2)).precision_matrix
LowRankMultivariateNormal(torch.zeros(2), torch.ones(2, 1), torch.ones(2)).covariance_matrix | Wishart(t(5.), 2 * torch.eye(2)).precision_matrix
Multinomial(3, torch.ones(3)).log_prob(t([[0., 1, 2], [1, 1, 1]])) | OneHotCategorical(torch.ones(3)).log_prob(t([[0, 1, 0], [1, 0, 0]]))
Uniform(0., 1., validate_args=False).cdf(t([-1., 2.])) | Uniform(0., 1., validate_args=False).log_prob(t(2.)) | Uniform(0., 1.).log_prob(t([0., 1.]))
HalfNormal(1., validate_args=False).log_prob(t([-1., 1.])) | HalfCauchy(1., validate_args=False).log_prob(t([-1., 1.])) | Gamma(1., 1.).log_prob(2.)
Independent(Categorical(torch.ones(2, 3)), 1).has_enumerate_support | Independent(Categorical(torch.ones(2, 3)), 0).enumerate_support()
MixtureSameFamily(Categorical(torch.ones(2)), Normal(torch.arange(6.).reshape(3, 2), 1.)).variance
MixtureSameFamily(Categorical(torch.arange(1., 7).reshape(3, 2)), Normal(torch.arange(6.).reshape(3, 2), 1.)).cdf(t(1.))
MixtureSameFamily(Categorical(torch.ones(3, 2)), Normal(torch.arange(24.).reshape(4, 3, 2), 1.)).mean | Geometric(t(1.)).log_prob(t(0.))
TransformedDistribution(Normal(0., 1.), [AffineTransform(t([1., 2.]), 1.)]).expand((3, 2)).sample((4,)).shape | Poisson(0.).log_prob(t([0., 1.]))
TransformedDistribution(Normal(0., 1.), []).log_prob(t(1.)) | TransformedDistribution(Normal(0., 1.), [AffineTransform(0., -1.)]).cdf(t(1.))
TransformedDistribution(Normal(0., 1.), [AffineTransform(0., t(-1.))]).icdf(t(0.3)) | InverseGamma(1., 2.).cdf(t(0.3)) | Gumbel(1., 2.).icdf(t(0.3))
TransformedDistribution(Normal(0., 1.), [CumulativeDistributionTransform(Normal(0., 1.))]).log_prob(t(0.3)) | NegativeBinomial(0, t(0.5)).log_prob(t([0., 1.]))
LKJCholesky(2).sample().shape | LKJCholesky(3).log_prob(torch.eye(3)) | VonMises(t(4.), t(1.)).sample((100,)).abs().max() <= 3.1416
VonMises(t(0., dtype=torch.float64), t(1e-6, dtype=torch.float64)).sample((3,)) | VonMises(t(0.), t(1.)).log_prob(t([0., 3., 10.]))
RelaxedOneHotCategorical(t([0.5]), logits=t([[0.3, 1.], [1., 2.]])).sample().shape | Chi2(3).expand((2,)).df | StudentT(t([1., 2., 3.])).stddev
RelaxedBernoulli(t(0.5), t(0.3)).temperature | OneHotCategoricalStraightThrough(t([0.3, 0.7])).expand((3,)).__class__.__name__
Wishart(1.5, torch.eye(2)) | Bernoulli(True) | Beta(1, 2.).concentration1 | Beta(t(1.), t([2., 3.])).concentration1 | Distribution.arg_constraints.__class__
GeneralizedPareto(0., 1., t([0., 1e-9, 0.3, 0.5, 0.7, 1., 2., -0.3])).mean | GeneralizedPareto(0., 1., t([0., 1e-9, 1e-7, 0.3, -0.3])).log_survival_function(t(1.5))
GeneralizedPareto(0., 1., t([0., 1e-9, 0.3, 0.5, 0.7, -0.3])).variance | GeneralizedPareto(0., 1., t([0., 0.3])).log_cdf(t(1.5))
"""


@pytest.mark.parametrize("text", texts(WRONG))
def test_wrong_calls(text):
    assert agree(lambda module: value_of(text, module)) is None  # what an error leaves


@pytest.mark.parametrize("text", texts(UNUSUAL))
def test_unusual_calls(text):
    def run(module):
        module.manual_seed(0)
        return [value_of(text, module)]

    assert agree(run)


@pytest.mark.parametrize("text", texts(CONTINUOUS) + texts(VECTORS) + texts(DISCRETE))
def test_copies(text):
    d = value_of(text, lampas)
    value = d.sample()
    for copied in (pickle.loads(pickle.dumps(d)), copy.deepcopy(d), copy.copy(d)):
        assert lampas.equal(copied.log_prob(value), d.log_prob(value))


def test_saved_in_a_file():
    file = io.BytesIO()
    lampas.save(lampas.distributions.Normal(0.0, 2.0), file)
    file.seek(0)
    assert lampas.load(file, weights_only=False).stddev.item() == 2.0


METHODS = """
mean | variance | mode | stddev | sample() | rsample() | log_prob(t(1.)) | cdf(t(1.)) | icdf(t(1.)) | entropy() | perplexity()
enumerate_support() | enumerate_support(False) | support | sample_n(3) | expand((2,)) | has_rsample | has_enumerate_support | batch_shape | event_shape
"""


@pytest.mark.parametrize("method", texts(METHODS))
def test_what_the_base_class_answers(method):
    def run(module):
        class Own(module.distributions.Distribution):
            arg_constraints = {}

        return repr(eval(f"d.{method}", {"d": Own(), "t": module.tensor})).replace("Own", "")

    def neutral_run(module):
        try:
            return run(module)
        except NotImplementedError as error:
            return "NotImplementedError", "does not implement mode" in str(error)

    assert agree(neutral_run)


@pytest.mark.parametrize("a", [1.0, -1.0])
def test_own_distribution_without_support(a):
    def run(module):
        d = module.distributions

        class Own(d.Distribution):
            arg_constraints = {"a": d.constraints.positive}

            def __init__(self, a, validate_args=None):
                self.a = a
                super().__init__(validate_args=validate_args)

            def log_prob(self, value):
                if self._validate_args:
                    self._validate_sample(value)
                return value * self.a

        Own.__module__, Own.__qualname__ = "__main__", "Own"
        own = Own(module.tensor(a))
        return repr(own), own.log_prob(module.tensor(2.0))

    agree(run)


def test_own_distribution_without_constraints():
    def run(module):
        Own = type("Own", (module.distributions.Distribution,), {"__module__": "__main__"})
        made = Own()
        return made.batch_shape, Own(validate_args=False).batch_shape

    assert agree(run)


def test_own_init_needs_its_own_expand():
    def run(module):
        class Own(module.distributions.Normal):
            def __init__(self):
                super().__init__(0.0, 1.0)

        return Own().expand((2,))

    with pytest.raises(NotImplementedError, match="must also define a custom .expand"):
        run(lampas)
    agree(run)


def test_own_expand_through_the_parent():
    def run(module):
        class Own(module.distributions.Normal):
            def __init__(self, loc):
                super().__init__(loc, 1.0)
                self.mark = "kept"

            def expand(self, batch_shape, _instance=None):
                new = self._get_checked_instance(Own, _instance)
                new.mark = self.mark
                return super().expand(batch_shape, _instance=new)

        e = Own(module.tensor([1.0, 2.0])).expand((3, 2))
        return type(e).__name__, e.mark, e.loc, e.batch_shape, e.log_prob(module.tensor(0.0))

    assert agree(run)


def test_validation_can_be_switched_off():
    def run(module):
        d = module.distributions
        d.Distribution.set_default_validate_args(False)
        try:
            return d.Normal(0.0, -1.0).scale, d.Exponential(1.0).log_prob(module.tensor(-1.0))
        finally:
            d.Distribution.set_default_validate_args(True)

    assert agree(run)


def test_lazy_property():
    def run(module):
        lazy_property = module.distributions.utils.lazy_property

        class Holder:
            calls = 0

            @lazy_property
            def value(self):
                """Its text."""
                self.calls += 1
                return module.ones(1, requires_grad=True) * 2

        holder = Holder()
        with module.no_grad():
            first = holder.value
        return first is holder.value, holder.calls, first.requires_grad, list(vars(holder))

    assert agree(run)


def test_modules_are_named_as_pytorchs(python):
    source = """
import torch, pkgutil, importlib
for found in pkgutil.iter_modules(torch.distributions.__path__):
    theirs = importlib.import_module("torch.distributions." + found.name)
    mine = importlib.import_module("lampas.distributions." + found.name)
    for name in theirs.__all__:
        assert hasattr(mine, name), (found.name, name)
    assert sorted(mine.__all__) == sorted(theirs.__all__), found.name
print("same")
"""
    assert python(source).strip() == "same"


def test_light_until_used(python):
    source = "import sys, lampas; print('lampas.distributions' in sys.modules); lampas.distributions.Normal(0., 1.)"
    assert python(source).strip() == "False"
