"""Transforms: forward, inverse, log determinants, their gradients, shapes, caches, equality, errors."""

import pickle

import pytest
from agreement import agree
from distribution_cases import texts, value_of

import lampas

POINTWISE = """
ExpTransform() | SigmoidTransform() | SoftplusTransform() | TanhTransform() | AbsTransform() | ExpTransform().inv
SigmoidTransform().inv | TanhTransform().inv | SoftplusTransform().inv | PowerTransform(t(2.)) | PowerTransform(-0.5)
PowerTransform(t([2., 3., 0.5])) | AffineTransform(1., 2.) | AffineTransform(t([0., 1., 2.]), -3.)
AffineTransform(0, t([2., -1., 0.5])) | AffineTransform(1., 2., event_dim=1) | AffineTransform(0., t([2., 1., 3.]), event_dim=1)
AffineTransform(0., t(2.), event_dim=1) | CumulativeDistributionTransform(Normal(0., 1.))
CumulativeDistributionTransform(Gumbel(0., 1.)) | CumulativeDistributionTransform(Exponential(2.)).inv
ComposeTransform([]) | ComposeTransform([ExpTransform(), AffineTransform(1., -2.)])
ComposeTransform([AffineTransform(0., 0.1), TanhTransform(), SigmoidTransform()]).inv.inv
IndependentTransform(ExpTransform(), 1) | IndependentTransform(ExpTransform(), 2) | identity_transform
StackTransform([ExpTransform(), AffineTransform(0., 2.), SigmoidTransform()], -1) | StackTransform([ExpTransform(), TanhTransform()])
CatTransform([ExpTransform(), AffineTransform(0., 2.)], -1, [1, 2]) | CatTransform([ExpTransform(), AffineTransform(0., 2., 1)], 0, [1, 1])
CatTransform([ExpTransform(), AffineTransform(0., 2., 1)], -1, [1, 2]) | CatTransform([ExpTransform(), TanhTransform()])
"""
VECTOR = """
SoftmaxTransform() | StickBreakingTransform() | CorrCholeskyTransform() | LowerCholeskyTransform() | PositiveDefiniteTransform()
ReshapeTransform((3,), (3, 1)) | ReshapeTransform((2, 3), (6,)) | ReshapeTransform((), (1, 1)) | IndependentTransform(StickBreakingTransform(), 1)
ComposeTransform([StickBreakingTransform(), ExpTransform()]) | ComposeTransform([ExpTransform(), CorrCholeskyTransform()])
ComposeTransform([AffineTransform(0., 2.), StickBreakingTransform(), ReshapeTransform((4,), (2, 2))])
ComposeTransform([CorrCholeskyTransform(), CorrCholeskyTransform().inv, ExpTransform()])
CatTransform([ReshapeTransform((3,), (3,)), SoftmaxTransform()], 0, [1, 1]) | CatTransform([SoftmaxTransform(), SoftmaxTransform()], -1, [1, 2])
StackTransform([StickBreakingTransform(), StickBreakingTransform()], 0)
"""
ALL = texts(POINTWISE) + texts(VECTOR)
EXPRESSIONS = """
T.Transform(cache_size=3) | T.Transform()(t(1.)) | T.Transform().inv(t(1.)) | T.Transform().sign | T.Transform().event_dim
T.Transform().log_abs_det_jacobian(1, 2) | T.Transform() == T.Transform() | AbsTransform().log_abs_det_jacobian(1, 2)
hash(ExpTransform()) | ExpTransform() == ExpTransform() | ExpTransform() == SigmoidTransform() | ExpTransform() != ExpTransform()
ExpTransform().inv == ExpTransform().inv | ExpTransform().inv == ExpTransform() | CorrCholeskyTransform() == CorrCholeskyTransform()
StickBreakingTransform() == StickBreakingTransform() | AffineTransform(0., 1.) == AffineTransform(t(0.), 1)
AffineTransform(0., 1.) == AffineTransform(0., 2.) | PowerTransform(t(2.)) == PowerTransform(2) | PowerTransform(2.) == PowerTransform(3.)
ComposeTransform([ExpTransform()]) == ComposeTransform([ExpTransform()]) | ReshapeTransform((2,), (2,)) == ReshapeTransform((2,), (2,))
IndependentTransform(ExpTransform(), 1) == IndependentTransform(ExpTransform(), 1) | T.Transform().with_cache()._cache_size
AffineTransform(0., -2.).sign | AffineTransform(0., 0).sign | AffineTransform(0., t([-2., 2.])).sign | PowerTransform(t([-2., 2.])).sign
ComposeTransform([ExpTransform(), AffineTransform(0., -1.)]).sign | ComposeTransform([AbsTransform()]).sign
ComposeTransform([AbsTransform(), ExpTransform()]).bijective | ComposeTransform([3]) | StickBreakingTransform().event_dim
CorrCholeskyTransform().event_dim | ReshapeTransform((2, 3), (7,)) | ReshapeTransform((2, 3), (6,))(torch.ones(2))
ReshapeTransform((2, 3), (6,)).forward_shape((2,)) | ReshapeTransform((2, 3), (6,)).forward_shape((2, 2))
ReshapeTransform((2, 3), (6,)).inverse_shape(()) | ReshapeTransform((2, 3), (6,)).inverse_shape((3,))
IndependentTransform(ExpTransform(), 1)(t(1.)) | IndependentTransform(ExpTransform(), 1).inv(t(1.))
StickBreakingTransform().forward_shape(()) | StickBreakingTransform().inverse_shape(()) | SoftmaxTransform().forward_shape(())
CorrCholeskyTransform().forward_shape(()) | CorrCholeskyTransform().forward_shape((4,)) | CorrCholeskyTransform().inverse_shape((3,))
CorrCholeskyTransform().inverse_shape((3, 4)) | CorrCholeskyTransform()(torch.ones(4)) | LowerCholeskyTransform()(torch.ones(2))
CatTransform([ExpTransform(), 3]) | CatTransform([ExpTransform(), ExpTransform()], 0, [1]) | StackTransform([ExpTransform(), 3])
CatTransform([ExpTransform(), ExpTransform()], 0, [1, 2])(torch.ones(2)) | CatTransform([ExpTransform(), ExpTransform()], 3, [1, 2])(torch.ones(2))
CatTransform([ExpTransform(), ExpTransform()], 0, [1, 2]).inv(torch.ones(4)) | CatTransform([ExpTransform()]).log_abs_det_jacobian(torch.ones(1), torch.ones(2))
StackTransform([ExpTransform(), ExpTransform()])(torch.ones(3)) | StackTransform([ExpTransform(), ExpTransform()], 2).inv(torch.ones(3))
ExpTransform(1)._cache_size | ExpTransform().with_cache(1)._cache_size | ExpTransform().inv.with_cache(1)._cache_size
ComposeTransform([ExpTransform(), AffineTransform(0., 2.)], cache_size=1).parts[1]._cache_size
ComposeTransform([ExpTransform(), AffineTransform(0., 2.)]).with_cache(1).parts[0]._cache_size
CatTransform([ExpTransform(), PowerTransform(2.)], 0, [1, 2]).with_cache().transforms[1]._cache_size
StackTransform([ExpTransform(), ReshapeTransform((1,), (1,))]).with_cache().transforms[1]._cache_size
IndependentTransform(CumulativeDistributionTransform(Normal(0., 1.)), 1).with_cache().base_transform._cache_size
AffineTransform(t(1.), 2., event_dim=1).with_cache().event_dim | CatTransform([ExpTransform(), TanhTransform()], 0, [1, 2]).length
U.broadcast_all(1., 2) | U.broadcast_all('a', t(1.)) | U.broadcast_all() | U.broadcast_all(1, t([1, 2])) | U.broadcast_all(True, 2)
U.probs_to_logits(t([0.1, 0.9])) | U.probs_to_logits(t([0., 1.]), True) | U.logits_to_probs(t([0.1, 0.9])) | U.clamp_probs(t([0., 1.]))
U.logits_to_probs(t([0.1, 0.9]), True) | U.tril_matrix_to_vec(torch.arange(9.).reshape(3, 3)) | U.vec_to_tril_matrix(torch.arange(6.).reshape(2, 3), -1)
U.tril_matrix_to_vec(torch.arange(9.).reshape(3, 3), -1) | U.tril_matrix_to_vec(torch.arange(9.).reshape(3, 3), 1)
U.tril_matrix_to_vec(torch.arange(9.).reshape(3, 3), 5) | U.tril_matrix_to_vec(torch.arange(6.).reshape(3, 2)) | U.vec_to_tril_matrix(torch.arange(6.))
U.vec_to_tril_matrix(torch.arange(5.)) | U.vec_to_tril_matrix(torch.arange(4.), -1) | U.__all__ | T.__all__ | sorted(D.__all__)
"""


def input_of(module, text, transform):
    """Values in the transform's domain, (2, 3) or square."""
    data = [[0.3, -1.0, 0.7], [2.0, 0.1, -0.2]]
    if "Cholesky" in text and "Corr" not in text or "PositiveDefinite" in text:
        data = [[0.3, -1.0], [2.0, 0.1]]
    x = module.tensor(data, dtype=module.float64)
    if (
        text.startswith("PowerTransform")
        or "inv" in text
        and "inv.inv" not in text
        and "Corr" not in text
    ):
        x = module.sigmoid(x)
    return x.detach().requires_grad_()


@pytest.mark.parametrize("text", ALL)
def test_values(text):
    def run(module):
        module.set_default_dtype(module.float64)
        try:
            transform = value_of(text, module)
            x = input_of(module, text, transform)
            y = transform(x)
            weights = module.arange(y.numel(), dtype=y.dtype).reshape(y.shape) / 7 + 0.5
            (slope,) = module.autograd.grad((y * weights).sum(), x)
            shapes = transform.forward_shape(x.shape), transform.inverse_shape(y.shape)
            facts = repr(transform), transform.domain, transform.codomain, transform.bijective
            return y, slope, transform.inv(y), repr(transform.inv), shapes, facts
        finally:
            module.set_default_dtype(module.float32)

    assert agree(run, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("text", ALL)
def test_log_determinants(text):
    def run(module):
        module.set_default_dtype(module.float64)
        try:
            transform = value_of(text, module)
            x = input_of(module, text, transform)
            y = transform(x)
            log_det = transform.log_abs_det_jacobian(x, y)
            back = transform.inv.log_abs_det_jacobian(y, x)
            slope = None
            if log_det.requires_grad:
                (slope,) = module.autograd.grad(log_det.sum(), x, allow_unused=True)
            return log_det, back, slope
        finally:
            module.set_default_dtype(module.float32)

    agree(run, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("text", ["StickBreakingTransform()", "CorrCholeskyTransform()"])
def test_log_determinant_is_that_of_the_jacobian(text):
    transform = value_of(text, lampas)
    x = lampas.tensor([0.3, -1.0, 0.7], dtype=lampas.float64)
    jacobian = lampas.autograd.functional.jacobian(transform, x)
    if jacobian.dim() == 3:  # the entries below the diagonal are the coordinates
        jacobian = jacobian[[1, 2, 2], [0, 0, 1]]
    else:
        jacobian = jacobian[:-1]
    expected = lampas.linalg.slogdet(jacobian).logabsdet
    assert transform.log_abs_det_jacobian(x, transform(x)).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("text", texts(EXPRESSIONS))
def test_expressions(text):
    agree(lambda module: value_of(text, module))


def test_a_cache_saves_the_inversion():
    def run(module):
        d = module.distributions
        calls = []

        class Counting(d.Transform):
            domain, codomain, bijective, sign = d.constraints.real, d.constraints.positive, True, 1

            def _call(self, x):
                calls.append("forward")
                return x.exp()

            def _inverse(self, y):
                calls.append("inverse")
                return y.log()

        f = Counting(cache_size=1)
        x = module.tensor([1.0, 2.0])
        y = f(x)
        same = f.inv(y) is x, f(x) is y, f.inv is f.inv, f.inv.inv is f
        f.inv(y + 0)
        return same, calls, Counting().with_cache(1)._cache_size

    assert agree(run)[0] == (True, True, True, True)


@pytest.mark.parametrize("text", ALL)
def test_pickles(text):
    transform = value_of(text, lampas)
    copied = pickle.loads(pickle.dumps(transform))
    x = input_of(lampas, text, transform).float()
    assert lampas.equal(copied(x), transform(x))
