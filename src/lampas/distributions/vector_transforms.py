"""Transforms of vectors and matrices: onto the simplex, onto Cholesky factors, and to other shapes."""

import lampas
from lampas.distributions import constraints
from lampas.distributions.transform import Transform
from lampas.distributions.utils import tril_matrix_to_vec, vec_to_tril_matrix
from lampas.nn.functional import pad, softplus


class _OfOneKind(Transform):
    """A transform without parameters: all objects of a type are equal."""

    def __eq__(self, other):
        return isinstance(other, type(self))

    __hash__ = None


def _check_dims(shape, least):
    if len(shape) < least:
        raise ValueError("Too few dimensions on input")


class ReshapeTransform(Transform):
    """Values of shape `in_shape` reshaped to `out_shape`.

    Raises ValueError for shapes with different numbers of elements, or inputs of other shapes.
    """

    bijective = True

    def __init__(self, in_shape, out_shape, cache_size=0):
        self.in_shape = lampas.Size(in_shape)
        self.out_shape = lampas.Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError("in_shape, out_shape have different numbers of elements")
        super().__init__(cache_size=cache_size)

    @constraints.dependent_property
    def domain(self):
        return constraints.independent(constraints.real, len(self.in_shape))

    @constraints.dependent_property
    def codomain(self):
        return constraints.independent(constraints.real, len(self.out_shape))

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return ReshapeTransform(self.in_shape, self.out_shape, cache_size=cache_size)

    def _call(self, x):
        return x.reshape(x.shape[: x.dim() - len(self.in_shape)] + self.out_shape)

    def _inverse(self, y):
        return y.reshape(y.shape[: y.dim() - len(self.out_shape)] + self.in_shape)

    def log_abs_det_jacobian(self, x, y):
        return x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])

    @staticmethod
    def _exchanged(shape, old, new):
        _check_dims(shape, len(old))
        cut = len(shape) - len(old)
        if shape[cut:] != old:
            raise ValueError(f"Shape mismatch: expected {shape[cut:]} but got {old}")
        return shape[:cut] + new

    def forward_shape(self, shape):
        return self._exchanged(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape):
        return self._exchanged(shape, self.out_shape, self.in_shape)


class SoftmaxTransform(_OfOneKind):
    """y = exp(x), normalised to sum 1. Not bijective: use StickBreakingTransform for densities."""

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x):
        weights = (x - x.max(-1, True)[0]).exp()
        return weights / weights.sum(-1, True)

    def _inverse(self, y):
        return y.log()

    def forward_shape(self, shape):
        _check_dims(shape, 1)
        return shape

    inverse_shape = forward_shape


class StickBreakingTransform(_OfOneKind):
    """K numbers to a point of the simplex with K + 1 parts.

    Part k is the fraction sigmoid(x_k - log(K - k)) of what the parts before it left over, so that
    x = 0 gives equal parts. M. Betancourt, "Cruising the simplex", arXiv 1010.3436.
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    @staticmethod
    def _offset(like, count):
        """K, K - 1, ..., 1 as logarithms. (count)"""
        return lampas.arange(count, 0, -1, dtype=like.dtype, device=like.device).log()

    def _call(self, x):
        z = x - self._offset(x, x.shape[-1])
        info = lampas.finfo(x.dtype)
        fraction = lampas.clamp(lampas.sigmoid(z), min=info.tiny, max=1.0 - info.eps)
        left = (1 - fraction).cumprod(-1)
        return pad(fraction, [0, 1], value=1) * pad(left, [1, 0], value=1)

    def _inverse(self, y):
        parts = y[..., :-1]
        # The stick left after each part is positive on the simplex, up to rounding.
        left = lampas.clamp(1 - parts.cumsum(-1), min=lampas.finfo(y.dtype).tiny)
        return parts.log() - left.log() + self._offset(y, parts.shape[-1])

    def log_abs_det_jacobian(self, x, y):
        # Triangular: part k changes with x_k by y_k (1 - fraction_k).
        z = x - self._offset(x, x.shape[-1])
        return (-z + lampas.nn.functional.logsigmoid(z) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape):
        _check_dims(shape, 1)
        return shape[:-1] + (shape[-1] + 1,)

    def inverse_shape(self, shape):
        _check_dims(shape, 1)
        return shape[:-1] + (shape[-1] - 1,)


class LowerCholeskyTransform(_OfOneKind):
    """A square matrix to a Cholesky factor: the part above the diagonal is dropped, the diagonal exp'ed."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x):
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y):
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(_OfOneKind):
    """A square matrix to a positive definite one, L L^T with L of LowerCholeskyTransform."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x):
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y):
        return LowerCholeskyTransform().inv(lampas.linalg.cholesky(y))


class CorrCholeskyTransform(Transform):
    """n (n - 1) / 2 numbers to the Cholesky factor (n, n) of a correlation matrix.

    Entry j of a row is the canonical partial correlation tanh(x) times the length that the entries
    before it left over of 1. D. Lewandowski, D. Kurowicka, H. Joe, 2009.
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True

    def _call(self, x):
        x = lampas.tanh(x)
        eps = lampas.finfo(x.dtype).eps
        r = vec_to_tril_matrix(x.clamp(min=-1 + eps, max=1 - eps), diag=-1)
        left = (1 - r**2).sqrt().cumprod(-1)  # sqrt(1 - squares so far)
        r = r + lampas.eye(r.shape[-1], dtype=r.dtype, device=r.device)
        return r * pad(left[..., :-1], [1, 0], value=1)

    def _inverse(self, y):
        left = 1 - lampas.cumsum(y * y, dim=-1)
        shifted = pad(left[..., :-1], [1, 0], value=1)
        entries = tril_matrix_to_vec(y, diag=-1)
        t = entries / tril_matrix_to_vec(shifted, diag=-1).sqrt()
        return (t.log1p() - t.neg().log1p()) / 2  # atanh

    def log_abs_det_jacobian(self, x, y):
        # Triangular too: d entry / d x = sqrt(left over) (1 - tanh(x)^2); the last left-over of a
        # row is its diagonal entry and belongs to no x.
        left = 1 - (y * y).cumsum(dim=-1)
        lengths = 0.5 * tril_matrix_to_vec(left, diag=-2).log().sum(-1)
        slopes = -2 * (x + softplus(-2 * x) - lampas.log(lampas.tensor(2.0))).sum(dim=-1)
        return lengths + slopes

    def forward_shape(self, shape):
        _check_dims(shape, 1)
        count = shape[-1]
        n = round((0.25 + 2 * count) ** 0.5 + 0.5)
        if n * (n - 1) // 2 != count:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return shape[:-1] + (n, n)

    def inverse_shape(self, shape):
        _check_dims(shape, 2)
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        return shape[:-2] + (shape[-1] * (shape[-1] - 1) // 2,)
