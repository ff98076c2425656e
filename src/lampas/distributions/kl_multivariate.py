"""Divergences between normal distributions of vectors, with full or low-rank covariances."""

import lampas
from lampas.distributions.covariances import batch_mahalanobis, half_log_det
from lampas.distributions.kl import register_kl
from lampas.distributions.lowrank_multivariate_normal import (
    LowRankMultivariateNormal,
    _lowrank_log_det,
    _lowrank_mahalanobis,
)
from lampas.distributions.multivariate_normal import MultivariateNormal


def _check_events(p, q, kind):
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"KL-divergence between two {kind} with                          "
            "different event shapes cannot be computed"
        )


def _log_det(p):
    if isinstance(p, LowRankMultivariateNormal):
        return _lowrank_log_det(p._unbroadcasted_cov_diag, p._capacitance_tril)
    return 2 * half_log_det(p._unbroadcasted_scale_tril)


def _mahalanobis(q, x):
    """x^T S^-1 x for the covariance S of q."""
    if isinstance(q, LowRankMultivariateNormal):
        factor, diagonal = q._unbroadcasted_cov_factor, q._unbroadcasted_cov_diag
        return _lowrank_mahalanobis(factor, diagonal, x, q._capacitance_tril)
    return batch_mahalanobis(q._unbroadcasted_scale_tril, x)


def _parts(p):
    """Matrices whose products with their transposes sum to the covariance of p."""
    if isinstance(p, LowRankMultivariateNormal):
        return p._unbroadcasted_cov_factor, lampas.diag_embed(p._unbroadcasted_cov_diag.sqrt())
    return (p._unbroadcasted_scale_tril,)


def _trace(q, part):
    """tr(S^-1 A A^T) for the covariance S of q. A: (..., n, m)"""
    if not isinstance(q, LowRankMultivariateNormal):
        return _squares(
            lampas.linalg.solve_triangular(q._unbroadcasted_scale_tril, part, upper=False)
        )
    # Woodbury: S^-1 = D^-1 - D^-1 W C^-1 W^T D^-1
    diagonal = q._unbroadcasted_cov_diag.unsqueeze(-1)
    projected = (q._unbroadcasted_cov_factor / diagonal).mT @ part
    inner = lampas.linalg.solve_triangular(q._capacitance_tril, projected, upper=False)
    return _squares(part * diagonal.rsqrt()) - _squares(inner)


def _squares(matrix):
    return matrix.pow(2).sum((-2, -1))


def _divergence(p, q):
    """(log det S_q / det S_p + tr(S_q^-1 S_p) + d^T S_q^-1 d - n) / 2, d the difference of means."""
    trace = sum(_trace(q, part) for part in _parts(p))
    distance = _mahalanobis(q, q.loc - p.loc)
    return 0.5 * (_log_det(q) - _log_det(p) + trace + distance - p.event_shape[0])


@register_kl(MultivariateNormal, MultivariateNormal)
def _kl_full(p, q):
    _check_events(p, q, "Multivariate Normals")
    return _divergence(p, q)


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _kl_low_rank(p, q):
    _check_events(p, q, "Low Rank Multivariate Normals")
    return _divergence(p, q)


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _kl_mixed(p, q):
    _check_events(p, q, "(Low Rank) Multivariate Normals")
    return _divergence(p, q)
