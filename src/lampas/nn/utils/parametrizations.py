"""Ready-made parametrisations: orthogonal, weight-normalised and spectrally normalised weights."""

import lampas
import lampas.nn.functional as F
from lampas.nn.modules.module import Module
from lampas.nn.utils import parametrize
from lampas.nn.utils.spectral_norm import output_dim
from lampas.nn.utils.weight_norm import norm_except_dim

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

_ORTHOGONAL_MAPS = ("matrix_exp", "cayley", "householder")


def _is_orthogonal(Q, eps=None):
    """Whether the columns of a tall matrix are orthonormal, up to rounding."""
    n, k = Q.size(-2), Q.size(-1)
    identity = lampas.eye(k, dtype=Q.dtype, device=Q.device)
    eps = 10.0 * n * lampas.finfo(Q.dtype).eps if eps is None else eps
    return lampas.allclose(Q.mH @ Q, identity, atol=eps)


def _make_orthogonal(A):
    """The Q of A = QR with a positive diagonal of R, which makes it unique."""
    X, tau = lampas.geqrf(A)
    Q = lampas.linalg.householder_product(X, tau)
    return Q * X.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


class _Orthogonal(Module):
    """Maps a tall (or wide) matrix to one with orthonormal columns (or rows).

    With `use_trivialization` (Lezcano-Casado 2019) the result is base @ Q, so that any
    orthogonal matrix can be assigned.
    """

    def __init__(self, weight, orthogonal_map, *, use_trivialization=True):
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X):
        """(..., n, k) -> (..., n, k)."""
        if X.size(-2) < X.size(-1):
            return self._tall(X.mT).mT
        return self._tall(X)

    def _tall(self, X):
        if self.orthogonal_map == "householder":
            Q = self._householder(X)
        else:
            Q = self._exponential(X)
        return self.base @ Q if hasattr(self, "base") else Q

    def _exponential(self, X):
        """The exponential, or its Cayley approximation, of a skew-symmetric matrix."""
        n, k = X.size(-2), X.size(-1)
        X = X.tril()
        if n != k:
            filling = X.new_zeros(n, n - k).expand(*X.shape[:-2], -1, -1)
            X = lampas.cat([X, filling], dim=-1)
        A = X - X.mH
        if self.orthogonal_map == "matrix_exp":
            Q = lampas.matrix_exp(A)
        else:
            identity = lampas.eye(n, dtype=A.dtype, device=A.device)
            Q = lampas.linalg.solve(
                lampas.add(identity, A, alpha=-0.5), lampas.add(identity, A, alpha=0.5)
            )
        return Q[..., :k] if n != k else Q

    def _householder(self, X):
        """A product of reflections; the diagonal of X holds signs."""
        A = X.tril(diagonal=-1)
        tau = 2.0 / (1.0 + (A * A).sum(dim=-2))
        Q = lampas.linalg.householder_product(A, tau)
        return Q * X.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)

    def right_inverse(self, Q):
        """The X that maps to Q, after Q was made orthogonal."""
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. "
                f"Got a tensor of shape {Q.shape}."
            )
        wide = Q.size(-2) < Q.size(-1)
        tall = Q.mT if wide else Q
        if not hasattr(self, "base"):
            X = self._signed_reflections(tall)
            return X.mT if wide else X
        self.base = self._square_basis(tall)
        start = lampas.zeros_like(Q)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start

    def _signed_reflections(self, Q):
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley "
                "parametrizations when use_trivialization=False."
            )
        X, tau = lampas.geqrf(Q)
        signs = X.diagonal(dim1=-2, dim2=-1).sign()
        signs = lampas.where(tau == 0.0, -signs, signs)
        X.diagonal(dim1=-2, dim2=-1).copy_(signs)
        return X

    def _square_basis(self, Q):
        """A square orthogonal matrix that begins with the columns of Q."""
        n, k = Q.size(-2), Q.size(-1)
        if n != k:
            more = lampas.randn(*Q.shape[:-2], n, n - k, dtype=Q.dtype, device=Q.device)
            return _make_orthogonal(lampas.cat([Q, more], dim=-1))
        return Q.clone() if _is_orthogonal(Q) else _make_orthogonal(Q)


def _tensor_named(module, name):
    tensor = getattr(module, name, None)
    if not isinstance(tensor, lampas.Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return tensor


def orthogonal(module, name="weight", orthogonal_map=None, *, use_trivialization=True):
    """Keep a matrix, or a batch of them, orthogonal (unitary if complex) during training.

    `orthogonal_map` is "matrix_exp", "cayley" or "householder"; by default the first for square
    and complex matrices and the last for others.

    Raises:
        ValueError: no such tensor, not a matrix, an unknown map.
    """
    weight = _tensor_named(module, name)
    if weight.ndim < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in _ORTHOGONAL_MAPS:
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
            f"Got: {orthogonal_map}"
        )
    function = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    parametrize.register_parametrization(module, name, function, unsafe=True)
    return module


class _WeightNorm(Module):
    def __init__(self, dim=0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g, weight_v):
        """g * v / |v|."""
        return weight_v * (weight_g / norm_except_dim(weight_v, self.dim))

    def right_inverse(self, weight):
        """Length and direction."""
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module, name="weight", dim=0):
    """Train length and direction of a weight apart (Salimans and Kingma 2016).

    The lengths are taken per index of `dim`, or over the whole tensor for None. State dicts of
    the older `nn.utils.weight_norm` load.

    Raises:
        ValueError: no such tensor.
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename_older(state_dict, prefix, *_):
        for number, suffix in enumerate(("_g", "_v")):
            old = f"{prefix}{name}{suffix}"
            if old in state_dict:
                new = f"{prefix}parametrizations.{name}.original{number}"
                state_dict[new] = state_dict.pop(old)

    module._register_load_state_dict_pre_hook(rename_older)
    return module


class _SpectralNorm(Module):
    def __init__(self, weight, n_power_iterations=1, dim=0, eps=1e-12):
        super().__init__()
        ndim = weight.ndim
        if dim >= ndim or dim < -ndim:
            raise IndexError(
                "Dimension out of range (expected to be in range of "
                f"[-{ndim}, {ndim - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but "
                f"got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._reshape_weight_to_matrix(weight)
            for name, size in zip(("_u", "_v"), matrix.size()):
                start = matrix.new_empty(size).normal_(0, 1)
                self.register_buffer(name, F.normalize(start, dim=0, eps=eps))
            # Enough for a good start; later steps follow the slowly changing weight.
            self._power_method(matrix, 15)

    def _reshape_weight_to_matrix(self, weight):
        return weight.movedim(self.dim, 0).flatten(1)

    def _power_method(self, weight_mat, n_power_iterations):
        with lampas.no_grad():
            for _ in range(n_power_iterations):
                u = lampas.mv(weight_mat, self._v)
                self._u.copy_(F.normalize(u, dim=0, eps=self.eps))
                v = lampas.mv(weight_mat.H, self._u)
                self._v.copy_(F.normalize(v, dim=0, eps=self.eps))

    def forward(self, weight):
        """The weight divided by its largest singular value."""
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._reshape_weight_to_matrix(weight)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        # The next forward changes the buffers while this one's graph may still be needed.
        u, v = (x.clone(memory_format=lampas.contiguous_format) for x in (self._u, self._v))
        return weight / lampas.vdot(u, lampas.mv(matrix, v))

    def right_inverse(self, value):
        """A value is taken to be normalised already."""
        return value


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide a weight by its largest singular value (Miyato et al. 2018).

    `dim` counts the outputs: by default 0, and 1 for transposed convolutions.

    Raises:
        ValueError: no such tensor, or no iterations.
    """
    weight = _tensor_named(module, name)
    dim = output_dim(module) if dim is None else dim
    function = _SpectralNorm(weight, n_power_iterations, dim, eps)
    parametrize.register_parametrization(module, name, function)
    return module
