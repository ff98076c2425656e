"""Covariance matrices and their Cholesky factors, shared by the distributions of vectors and matrices."""

import lampas
from lampas.distributions.utils import lazy_property


def batch_mv(matrix, vector):
    """Matrix times vector, over batches. (..., n, m), (..., m) -> (..., n)"""
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def batch_mahalanobis(factor, x):
    """x^T (L L^T)^-1 x for Cholesky factors L. (..., n, n), (..., n) -> (...)"""
    if factor.dim() == 2:  # one factor, all vectors as columns of one system
        columns = x.reshape(-1, x.shape[-1]).T
        solved = lampas.linalg.solve_triangular(factor, columns, upper=False)
        return solved.pow(2).sum(0).reshape(x.shape[:-1])
    solved = lampas.linalg.solve_triangular(factor, x.unsqueeze(-1), upper=False)
    return solved.pow(2).sum((-2, -1))


def half_log_det(factor):
    """Half of the log determinant of L L^T. (..., n, n) -> (...)"""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def precision_to_scale_tril(precision):
    """The Cholesky factor of the inverse of `precision`, without inverting it.

    With rows and columns reversed, P = U U^T has an upper triangular U, and P^-1 = U^-T U^-1.
    """
    upper = lampas.flip(lampas.linalg.cholesky(lampas.flip(precision, (-2, -1))), (-2, -1))
    eye = lampas.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return lampas.linalg.solve_triangular(upper.transpose(-2, -1), eye, upper=False)


class ByCovariance:
    """Mixin: the parameter is a covariance, its inverse or its Cholesky factor; the others are derived.

    The instance has the given one as attribute, expanded to the batch, and the factor as it was
    given, for the smaller batch that costs less, as `_unbroadcasted_scale_tril`.
    """

    ONE = "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."

    @staticmethod
    def _given(**matrices):
        """(name, matrix) of each that is not None."""
        return [(name, matrix) for name, matrix in matrices.items() if matrix is not None]

    def _set_matrix(self, name, matrix, batch_shape):
        setattr(self, name, matrix.expand(batch_shape + (-1, -1)))

    def _set_factor(self, name, matrix):
        """Apart from _set_matrix: factoring comes after the matrix was validated."""
        if name == "covariance_matrix":
            matrix = lampas.linalg.cholesky(matrix)
        elif name == "precision_matrix":
            matrix = precision_to_scale_tril(matrix)
        self._unbroadcasted_scale_tril = matrix

    def _to_batch(self, matrix):
        return matrix.expand(self._batch_shape + matrix.shape[-2:])

    @lazy_property
    def scale_tril(self):
        """The lower Cholesky factor of the covariance. (batch, n, n)"""
        return self._to_batch(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self):
        """Covariance. (batch, n, n)"""
        factor = self._unbroadcasted_scale_tril
        return self._to_batch(factor @ factor.mT)

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance. (batch, n, n)"""
        return self._to_batch(lampas.cholesky_inverse(self._unbroadcasted_scale_tril))
