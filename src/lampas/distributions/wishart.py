"""The Wishart distribution of positive definite matrices."""

import math
import warnings

import lampas
from lampas.distributions import constraints
from lampas.distributions.chi2 import Chi2
from lampas.distributions.covariances import ByCovariance, half_log_det
from lampas.distributions.exp_family import ExponentialFamily
from lampas.distributions.parameters import expands
from lampas.distributions.utils import NUMBER

__all__ = ["Wishart"]


def _mvdigamma(x, p):
    """The derivative of the multivariate log gamma function of dimension p."""
    steps = lampas.arange(p, dtype=x.dtype, device=x.device)
    return lampas.digamma(x.unsqueeze(-1) - steps / 2).sum(-1)


def _columns(x):
    """A batch of numbers as factors of a batch of matrices. (batch) -> (batch, 1, 1)"""
    return x.view(x.shape + (1, 1))


@expands(
    "df",
    "covariance_matrix",
    "scale_tril",
    "precision_matrix",
    "_dist_chi2",
    keeps=["_unbroadcasted_scale_tril"],
)
class Wishart(ExponentialFamily, ByCovariance):
    """Distribution of the scatter matrix of `df` normal vectors, (batch, n, n).

    Exactly one of covariance_matrix, its inverse precision_matrix, or its Cholesky factor scale_tril.
    Raises ValueError for df <= n - 1. W. Smith, R. Hocking, Algorithm AS 53, Applied Statistics 21, 1972.
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        df,
        covariance_matrix=None,
        precision_matrix=None,
        scale_tril=None,
        validate_args=None,
    ):
        given = self._given(
            scale_tril=scale_tril,
            covariance_matrix=covariance_matrix,
            precision_matrix=precision_matrix,
        )
        assert len(given) == 1, self.ONE
        ((name, matrix),) = given
        if matrix.dim() < 2:
            raise ValueError(
                "scale_tril must be at least two-dimensional, with optional leading batch dimensions"
            )
        if isinstance(df, NUMBER):
            df = lampas.tensor(df, dtype=matrix.dtype, device=matrix.device)
        batch_shape = lampas.broadcast_shapes(matrix.shape[:-2], df.shape)
        event_shape = matrix.shape[-2:]
        n = event_shape[-1]
        self.df = df.expand(batch_shape)
        if self.df.le(n - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {n - 1}.")
        self._set_matrix(name, matrix, batch_shape)
        super().__init__(batch_shape, event_shape, validate_args=validate_args)
        if self.df.lt(n).any():
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for "
                "ndim - 1 < df < ndim."
            )
        self._set_factor(name, matrix)
        kind = self._unbroadcasted_scale_tril
        freedom = self.df.unsqueeze(-1) - lampas.arange(n, dtype=kind.dtype, device=kind.device)
        self._dist_chi2 = Chi2(df=freedom)

    @property
    def arg_constraints(self):
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self._event_shape[-1] - 1),
        }

    @property
    def _batch_dims(self):
        return [-(dim + 1) for dim in range(len(self._batch_shape))]

    @property
    def mean(self):
        return _columns(self.df) * self.covariance_matrix

    @property
    def mode(self):
        """NaN for df <= n + 1, where the density has no maximum."""
        factor = self.df - self.covariance_matrix.shape[-1] - 1
        return _columns(factor.masked_fill(factor <= 0, math.nan)) * self.covariance_matrix

    @property
    def variance(self):
        covariance = self.covariance_matrix
        diagonal = covariance.diagonal(dim1=-2, dim2=-1)
        outer = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return _columns(self.df) * (covariance.pow(2) + outer)

    def _bartlett_sampling(self, sample_shape=lampas.Size()):
        """L A A^T L^T, A lower triangular: roots of chi-squared numbers over normal ones."""
        n = self._event_shape[-1]
        noise = self._dist_chi2.rsample(sample_shape).sqrt().diag_embed(dim1=-2, dim2=-1)
        rows, columns = lampas.tril_indices(n, n, offset=-1)
        shape = lampas.Size(sample_shape) + self._batch_shape + (n * (n - 1) // 2,)
        noise[..., rows, columns] = lampas.randn(shape, dtype=noise.dtype, device=noise.device)
        factor = self._unbroadcasted_scale_tril @ noise
        return factor @ factor.mT

    def _any_in_batch(self, found):
        """Whether a check holds anywhere in the batch. (sample_shape, batch) -> (sample_shape)"""
        return found.amax(self._batch_dims) if self._batch_dims else found

    def rsample(self, sample_shape=lampas.Size(), max_try_correction=None):
        """Values, differentiable. Draws that are not positive definite are repeated, at most
        `max_try_correction` times (3 for n > 10, 10 for smaller ones by default).

        PyTorch 2.13 takes the first draw for singular where it is positive definite: it warns and
        draws again nearly always. The same is done here, for the same numbers.
        """
        if max_try_correction is None:
            max_try_correction = 3 if self._event_shape[-1] > 10 else 10
        sample = self._bartlett_sampling(lampas.Size(sample_shape))
        repeated = self._any_in_batch(self.support.check(sample))
        if not repeated.any():
            return sample
        warnings.warn("Singular sample detected.")
        for _ in range(max_try_correction):
            again = self._bartlett_sampling(repeated[repeated].shape)
            sample[repeated] = again
            repeated[repeated.clone()] = self._any_in_batch(~self.support.check(again))
            if not repeated.any():
                break
        return sample

    def log_prob(self, value):
        self._check(value)
        nu, n = self.df, self._event_shape[-1]
        half = half_log_det(self._unbroadcasted_scale_tril)
        solved = lampas.cholesky_solve(value, self._unbroadcasted_scale_tril)
        trace = solved.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
        return (
            -nu * (n * math.log(2) / 2 + half)
            - lampas.mvlgamma(nu / 2, p=n)
            + (nu - n - 1) / 2 * lampas.linalg.slogdet(value).logabsdet
            - trace / 2
        )

    def entropy(self):
        nu, n = self.df, self._event_shape[-1]
        half = half_log_det(self._unbroadcasted_scale_tril)
        return (
            (n + 1) * (n * math.log(2) / 2 + half)
            + lampas.mvlgamma(nu / 2, p=n)
            - (nu - n - 1) / 2 * _mvdigamma(nu / 2, p=n)
            + nu * n / 2
        )

    @property
    def _natural_params(self):
        n = self._event_shape[-1]
        return -self.precision_matrix / 2, (self.df - n - 1) / 2

    def _log_normalizer(self, x, y):
        n = self._event_shape[-1]
        shape = y + (n + 1) / 2
        log_det = lampas.linalg.slogdet(-2 * x).logabsdet
        return shape * (-log_det + math.log(2) * n) + lampas.mvlgamma(shape, p=n)
