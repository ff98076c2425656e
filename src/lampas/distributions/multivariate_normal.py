"""The multivariate normal distribution with a full covariance matrix."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import expands
from lampas.distributions.utils import _standard_normal, lazy_property

__all__ = ["MultivariateNormal"]


def _batch_mv(matrix, vector):
    """Matrix times vector, over batches. (..., n, m), (..., m) -> (..., n)"""
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def _batch_mahalanobis(factor, x):
    """x^T (L L^T)^-1 x for Cholesky factors L. (..., n, n), (..., n) -> (...)"""
    if factor.dim() == 2:  # one factor, all vectors as columns of one system
        columns = x.reshape(-1, x.shape[-1]).T
        solved = lampas.linalg.solve_triangular(factor, columns, upper=False)
        return solved.pow(2).sum(0).reshape(x.shape[:-1])
    solved = lampas.linalg.solve_triangular(factor, x.unsqueeze(-1), upper=False)
    return solved.pow(2).sum((-2, -1))


def _precision_to_scale_tril(precision):
    """The Cholesky factor of the inverse of `precision`, without inverting it.

    With rows and columns reversed, P = U U^T has an upper triangular U, and P^-1 = U^-T U^-1.
    """
    upper = lampas.flip(lampas.linalg.cholesky(lampas.flip(precision, (-2, -1))), (-2, -1))
    eye = lampas.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return lampas.linalg.solve_triangular(upper.transpose(-2, -1), eye, upper=False)


def _half_log_det(factor):
    """Half of the log determinant of L L^T."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


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
class MultivariateNormal(Distribution):
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
        matrices = {
            "scale_tril": scale_tril,
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
        }
        given = {name: matrix for name, matrix in matrices.items() if matrix is not None}
        if len(given) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."
            )
        ((name, matrix),) = given.items()
        _check_given("scale_tril matrix" if name == "scale_tril" else name, matrix)
        batch_shape = lampas.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand(batch_shape + (-1, -1)))
        self.loc = loc.expand(batch_shape + (-1,))
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args=validate_args)
        # Of the smaller batch that was given: the factor is what costs time.
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = lampas.linalg.cholesky(matrix)
        else:
            self._unbroadcasted_scale_tril = _precision_to_scale_tril(matrix)

    def _matrix(self, matrix):
        return matrix.expand(self._batch_shape + self._event_shape + self._event_shape)

    @lazy_property
    def scale_tril(self):
        """The lower Cholesky factor of the covariance. (batch, n, n)"""
        return self._matrix(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self):
        """(batch, n, n)"""
        factor = self._unbroadcasted_scale_tril
        return self._matrix(factor @ factor.mT)

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance. (batch, n, n)"""
        return self._matrix(lampas.cholesky_inverse(self._unbroadcasted_scale_tril))

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
        return self.loc + _batch_mv(self._unbroadcasted_scale_tril, noise)

    def log_prob(self, value):
        self._check(value)
        factor = self._unbroadcasted_scale_tril
        squares = _batch_mahalanobis(factor, value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + squares) - _half_log_det(
            factor
        )

    def entropy(self):
        entropy = 0.5 * self._event_shape[0] * (1 + math.log(2 * math.pi))
        entropy = entropy + _half_log_det(self._unbroadcasted_scale_tril)
        return entropy.expand(self._batch_shape)
