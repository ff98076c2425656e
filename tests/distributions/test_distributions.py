"""Every distribution: samples by seed, densities, moments, entropies, gradients, expand, repr."""

import pytest
import torch
from agreement import agree
from distribution_cases import CONTINUOUS, DISCRETE, VECTORS, gradients, recording, texts, value_of

import lampas

ALL = texts(CONTINUOUS) + texts(VECTORS) + texts(DISCRETE)
MOMENTS = ("mean", "mode", "variance", "stddev")


@pytest.mark.parametrize("text", ALL)
def test_describes(text):
    def run(module):
        d = value_of(text, module)
        attributes = {
            name: value for name, value in sorted(vars(d).items()) if hasattr(value, "tolist")
        }
        classes = [kind.__name__ for kind in type(d).__mro__ if "istribution" in kind.__name__]
        flags = d.has_rsample, d.has_enumerate_support, d.batch_shape, d.event_shape
        return repr(d), repr(d.support), repr(d.arg_constraints), flags, classes, attributes

    assert agree(run)


@pytest.mark.parametrize("shape", [(), (3,), (4, 5)])
@pytest.mark.parametrize("text", ALL)
def test_samples(text, shape):
    def run(module):
        d = value_of(text, module)
        module.manual_seed(3)
        sample = d.sample(shape)
        return sample, sample.requires_grad, module.rand(2)

    assert agree(run)


@pytest.mark.parametrize("text", ALL)
def test_samples_of_double_precision(text):
    def run(module):
        module.set_default_dtype(module.float64)
        try:
            d = value_of(text, module)
            module.manual_seed(3)
            return d.sample((17,)), d.rsample((2,)) if d.has_rsample else None
        finally:
            module.set_default_dtype(module.float32)

    assert agree(run, rtol=1e-9, atol=1e-12)


HAS_RSAMPLE = [text for text in ALL if value_of(text, torch).has_rsample]
# PyTorch approximates how gamma and beta numbers depend on their shapes to about 1e-3; the exact
# derivatives are tested below.
ROUGH = ("Gamma", "Chi2", "Beta", "Dirichlet", "StudentT", "FisherSnedecor", "Wishart")


@pytest.mark.parametrize("text", HAS_RSAMPLE)
def test_reparametrised_gradients(text):
    rough = any(name in text for name in ROUGH)

    def run(module):
        leaves = []
        d = value_of(text, module, t=recording(module, leaves))
        module.manual_seed(3)
        # PyTorch fails at more than one draw of Wishart.
        sample = d.rsample(() if "Wishart" in text else (5,))
        return sample, gradients(module, sample, leaves)

    assert agree(run, rtol=2e-3 if rough else 1e-4, atol=1e-5)


def test_gradients_of_beta_draws_are_exact():
    special, stats = pytest.importorskip("scipy.special"), pytest.importorskip("scipy.stats")
    a = lampas.tensor([0.3, 0.7, 2.0, 9.0, 30.0], dtype=lampas.float64, requires_grad=True)
    x = lampas.distributions.Beta(a, 1.5).rsample()
    (slope,) = lampas.autograd.grad(x.sum(), a)
    a, x, step = a.detach().numpy(), x.detach().numpy(), 1e-6
    change = special.betainc(a + step, 1.5, x) - special.betainc(a - step, 1.5, x)
    assert slope.numpy() == pytest.approx(
        -change / (2 * step) / stats.beta.pdf(x, a, 1.5), rel=1e-6
    )


def test_gradients_of_gamma_draws_are_exact():
    special, stats = pytest.importorskip("scipy.special"), pytest.importorskip("scipy.stats")
    a = lampas.tensor([0.3, 0.7, 2.0, 9.0, 30.0], dtype=lampas.float64, requires_grad=True)
    x = lampas.distributions.Gamma(a, 1.0).rsample()
    (slope,) = lampas.autograd.grad(x.sum(), a)
    a, x, step = a.detach().numpy(), x.detach().numpy(), 1e-6
    change = special.gammainc(a + step, x) - special.gammainc(a - step, x)
    assert slope.numpy() == pytest.approx(-change / (2 * step) / stats.gamma.pdf(x, a), rel=1e-6)


@pytest.mark.parametrize("text", ALL)
def test_log_prob_and_gradients(text):
    def run(module):
        leaves = []
        d = value_of(text, module, t=recording(module, leaves))
        module.manual_seed(5)
        value = d.sample((4,)).detach()
        if value.is_floating_point() and not d.support.is_discrete:
            leaves.append(value.requires_grad_())
        log_prob = d.log_prob(value)
        return log_prob, gradients(module, log_prob, leaves)

    assert agree(run, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [*MOMENTS, "entropy()", "perplexity()", "enumerate_support()", "enumerate_support(False)"],
)
@pytest.mark.parametrize("text", ALL)
def test_moments(text, name):
    def run(module):
        leaves = []
        d = value_of(text, module, t=recording(module, leaves))
        result = eval(f"d.{name}", {"d": d})
        return result, gradients(module, result, leaves)

    agree(run, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", ALL)
def test_cdf_and_icdf(text):
    def run(module):
        leaves = []
        d = value_of(text, module, t=recording(module, leaves))
        module.manual_seed(5)
        value = d.sample((4,)).detach()
        cdf = d.cdf(value)
        return cdf, gradients(module, cdf, leaves)

    def inverse(module):
        leaves = []
        d = value_of(text, module, t=recording(module, leaves))
        value = d.icdf(module.tensor([[0.1], [0.5], [0.95]]))
        return value, gradients(module, value, leaves)

    agree(run, rtol=1e-4, atol=1e-5)
    agree(inverse, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", ALL)
def test_expand(text):
    def run(module):
        d = value_of(text, module)
        d.sample()
        e = d.expand((2, *d.batch_shape))
        module.manual_seed(1)
        sample = e.sample((3,))
        again = e.expand(e.batch_shape)
        attributes = {
            name: value.shape
            for name, value in sorted(vars(e).items())
            if hasattr(value, "tolist") and not name.startswith("_")
        }
        return (
            repr(e),
            e.batch_shape,
            e.event_shape,
            sample,
            e.log_prob(sample),
            repr(again),
            attributes,
        )

    assert agree(run, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        text
        for text in ALL
        if text.startswith(
            (
                "Normal",
                "Gamma",
                "Beta",
                "Dir",
                "Bern",
                "Expo",
                "Poisson",
                "Chi2",
                "ContinuousB",
                "Wishart",
            )
        )
    ],
)
def test_natural_parameters(text):
    def run(module):
        d = value_of(text, module)
        params = d._natural_params
        return params, d._log_normalizer(*params)

    assert agree(run)
