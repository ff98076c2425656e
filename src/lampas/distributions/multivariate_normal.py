"""The multivariate normal distribution with a full covariance matrix."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.covariances import ByCovariance, batch_mahalanobis, batch_mv, half_log_det
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import expands
from lampas.distributions.utils import _standard_normal

__all__ = ["MultivariateNormal"]


def _check_given(name, matrix):
    if matrix.dim() < 2:
        raise ValueError(
            f"{name} must be at least two-dimensional, with optional leading batch dimensions"
        )


@expands(
    "loc",
    "covariance_matrix",
    "scale_tril",
    "precision_matrix",
    keeps=["_unbroadcasted_scale_tril"],
)
class MultivariateNormal(Distribution, ByCovariance):
    """Normal distribution of vectors: mean `loc` (batch, n) and one of three matrices (batch, n, n).

    covariance_matrix, its inverse precision_matrix, or its lower Cholesky factor scale_tril, which
    is the fastest. Raises ValueError unless exactly one is given.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc,
        covariance_matrix=None,
        precision_matrix=None,
        scale_tril=None,
        validate_args=None,
    ):
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = self._given(
            scale_tril=scale_tril,
            covariance_matrix=covariance_matrix,
            precision_matrix=precision_matrix,
        )
        if len(given) != 1:
            raise ValueError(self.ONE)
        ((name, matrix),) = given
        _check_given("scale_tril matrix" if name == "scale_tril" else name, matrix)
        batch_shape = lampas.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        self._set_matrix(name, matrix, batch_shape)
        self.loc = loc.expand(batch_shape + (-1,))
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args=validate_args)
        self._set_factor(name, matrix)

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        squares = self._unbroadcasted_scale_tril.pow(2).sum(-1)
        return squares.expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        noise = _standard_normal(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + batch_mv(self._unbroadcasted_scale_tril, noise)

    def log_prob(self, value):
        self._check(value)
        factor = self._unbroadcasted_scale_tril
        squares = batch_mahalanobis(factor, value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + squares) - half_log_det(
            factor
        )

    def entropy(self):
        entropy = 0.5 * self._event_shape[0] * (1 + math.log(2 * math.pi))
        entropy = entropy + half_log_det(self._unbroadcasted_scale_tril)
        return entropy.expand(self._batch_shape)
