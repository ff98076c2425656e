"""The multivariate normal distribution with a covariance of low rank plus a diagonal."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.covariances import batch_mahalanobis, batch_mv, half_log_det
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import expands
from lampas.distributions.utils import _standard_normal, lazy_property

__all__ = ["LowRankMultivariateNormal"]


def _capacitance_tril(factor, diagonal):
    """Cholesky factor of I + W^T D^-1 W. (..., n, m), (..., n) -> (..., m, m)"""
    capacitance = (factor.mT / diagonal.unsqueeze(-2)) @ factor
    eye = lampas.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    return lampas.linalg.cholesky(capacitance + eye)


def _lowrank_log_det(diagonal, capacitance_tril):
    """log det(W W^T + D) = log det(capacitance) + log det D: the matrix determinant lemma."""
    return 2 * half_log_det(capacitance_tril) + diagonal.log().sum(-1)


def _lowrank_mahalanobis(factor, diagonal, x, capacitance_tril):
    """x^T (W W^T + D)^-1 x by the Woodbury identity."""
    weighted = factor.mT / diagonal.unsqueeze(-2)
    squares = (x.pow(2) / diagonal).sum(-1)
    return squares - batch_mahalanobis(capacitance_tril, batch_mv(weighted, x))


@expands(
    "loc",
    "cov_diag",
    "cov_factor",
    keeps=["_unbroadcasted_cov_factor", "_unbroadcasted_cov_diag", "_capacitance_tril"],
)
class LowRankMultivariateNormal(Distribution):
    """Normal distribution of vectors with covariance W W^T + D.

    loc: (batch, n); cov_factor W: (batch, n, m); cov_diag: the diagonal D, (batch, n), positive.
    Time and memory grow with n m^2 in place of n^3. Raises ValueError for shapes that do not fit.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc, cov_factor, cov_diag, validate_args=None):
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event_shape = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError(
                "cov_factor must be at least two-dimensional, with optional leading batch dimensions"
            )
        if cov_factor.shape[-2:-1] != event_shape:
            raise ValueError(
                f"cov_factor must be a batch of matrices with shape {event_shape[0]} x m"
            )
        if cov_diag.shape[-1:] != event_shape:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event_shape}")
        batch_shape = self._common_batch(loc, cov_factor, cov_diag)
        self.loc = loc.expand(batch_shape + (-1,))
        self.cov_factor = cov_factor.expand(batch_shape + (-1, -1))
        self.cov_diag = cov_diag.expand(batch_shape + (-1,))
        self._unbroadcasted_cov_factor = cov_factor
        self._unbroadcasted_cov_diag = cov_diag
        self._capacitance_tril = _capacitance_tril(cov_factor, cov_diag)
        super().__init__(batch_shape, event_shape, validate_args=validate_args)

    @staticmethod
    def _common_batch(loc, cov_factor, cov_diag):
        try:
            return lampas.broadcast_shapes(
                loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1]
            )
        except RuntimeError as error:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, "
                f"cov_diag {cov_diag.shape}"
            ) from error

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @lazy_property
    def variance(self):
        squares = self._unbroadcasted_cov_factor.pow(2).sum(-1)
        variance = squares + self._unbroadcasted_cov_diag
        return variance.expand(self._batch_shape + self._event_shape)

    def _matrix(self, matrix):
        return matrix.expand(self._batch_shape + self._event_shape + self._event_shape)

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of the covariance. (batch, n, n)"""
        # sqrt(D) times the factor of I + V V^T, V = D^-1/2 W, whose diagonal is at least 1
        root = self._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)
        scaled = self._unbroadcasted_cov_factor / root
        eye = lampas.eye(self._event_shape[0], dtype=root.dtype, device=root.device)
        return self._matrix(root * lampas.linalg.cholesky(scaled @ scaled.mT + eye))

    @lazy_property
    def covariance_matrix(self):
        """(batch, n, n)"""
        factor = self._unbroadcasted_cov_factor
        diagonal = lampas.diag_embed(self._unbroadcasted_cov_diag)
        return self._matrix(factor @ factor.mT + diagonal)

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance, by the Woodbury identity. (batch, n, n)"""
        diagonal = self._unbroadcasted_cov_diag
        weighted = self._unbroadcasted_cov_factor.mT / diagonal.unsqueeze(-2)
        a = lampas.linalg.solve_triangular(self._capacitance_tril, weighted, upper=False)
        return self._matrix(lampas.diag_embed(diagonal.reciprocal()) - a.mT @ a)

    def rsample(self, sample_shape=lampas.Size()):
        shape = self._extended_shape(sample_shape)
        kind = {"dtype": self.loc.dtype, "device": self.loc.device}
        along = _standard_normal(shape[:-1] + self.cov_factor.shape[-1:], **kind)
        across = _standard_normal(shape, **kind)
        return (
            self.loc
            + batch_mv(self._unbroadcasted_cov_factor, along)
            + self._unbroadcasted_cov_diag.sqrt() * across
        )

    def log_prob(self, value):
        self._check(value)
        squares = _lowrank_mahalanobis(
            self._unbroadcasted_cov_factor,
            self._unbroadcasted_cov_diag,
            value - self.loc,
            self._capacitance_tril,
        )
        log_det = _lowrank_log_det(self._unbroadcasted_cov_diag, self._capacitance_tril)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + log_det + squares)

    def entropy(self):
        log_det = _lowrank_log_det(self._unbroadcasted_cov_diag, self._capacitance_tril)
        entropy = 0.5 * (self._event_shape[0] * (1 + math.log(2 * math.pi)) + log_det)
        return entropy.expand(self._batch_shape)
