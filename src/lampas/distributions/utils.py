"""Helpers that PyTorch makes public: broadcasting, probabilities and logits, lazy attributes, triangles."""

import functools

import lampas

__all__ = [
    "broadcast_all",
    "logits_to_probs",
    "clamp_probs",
    "probs_to_logits",
    "lazy_property",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]

# What counts as a number beside a tensor; NumPy's single precision numbers do not.
NUMBER = (int, float, bool)

euler_constant = 0.57721566490153286060  # Euler-Mascheroni


def broadcast_all(*values):
    """The values as tensors of one shape.

    Numbers take the dtype and device of the first tensor, or the default dtype if there is none.
    Raises ValueError for anything that is neither a number nor a tensor.
    """
    tensors = [value for value in values if isinstance(value, lampas.Tensor)]
    if len(tensors) == len(values) > 0:  # the usual case, kept short
        return tuple(lampas.broadcast_tensors(*values))
    others = [value for value in values if not isinstance(value, lampas.Tensor)]
    if not all(isinstance(v, NUMBER) or hasattr(v, "__torch_function__") for v in others):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing "
            "__torch_function__."
        )
    if tensors:
        kind = {"dtype": tensors[0].dtype, "device": tensors[0].device}
    else:
        kind = {"dtype": lampas.get_default_dtype()}
    values = [lampas.tensor(v, **kind) if isinstance(v, NUMBER) else v for v in values]
    return tuple(lampas.broadcast_tensors(*values)) if values else ()


def _standard_normal(shape, dtype, device):
    """Normal numbers of mean 0 and deviation 1, drawn as `normal` of tensors draws them."""
    zeros = lampas.zeros(shape, dtype=dtype, device=device)
    return lampas.normal(zeros, lampas.ones(shape, dtype=dtype, device=device))


def _sum_rightmost(value, dim):
    """The sum over the last `dim` dimensions."""
    return value.flatten(value.dim() - dim).sum(-1) if dim else value


def logits_to_probs(logits, is_binary=False):
    """Probabilities of log odds (is_binary) or of unnormalised log probabilities in the last dimension."""
    return lampas.sigmoid(logits) if is_binary else lampas.softmax(logits, dim=-1)


def clamp_probs(probs):
    """Probabilities kept at least one machine epsilon away from 0 and 1."""
    eps = lampas.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs, is_binary=False):
    """The inverse of logits_to_probs for normalised, clamped probabilities."""
    clamped = clamp_probs(probs)
    logs = lampas.log(clamped)
    return logs - lampas.log1p(-clamped) if is_binary else logs


class lazy_property:
    """A method whose result, computed with gradients on at the first access, replaces it on the instance."""

    def __init__(self, wrapped):
        self.wrapped = wrapped
        functools.update_wrapper(self, wrapped)

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        with lampas.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def _triangle(size, diag, device):
    """Mask of the entries on and below the diagonal `diag`. (size, size)"""
    rows = lampas.arange(size, device=device)
    return rows < rows.view(-1, 1) + (diag + 1)


def tril_matrix_to_vec(mat, diag=0):
    """The entries on and below a diagonal, row by row. (..., n, n) -> (..., number of entries)

    Raises ValueError for a diagonal outside of [-n, n - 1].
    """
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    return mat[..., _triangle(n, diag, mat.device)]


def vec_to_tril_matrix(vec, diag=0):
    """A square matrix with `vec` on and below a diagonal, zero above. Inverse of tril_matrix_to_vec.

    Raises ValueError for a vector whose length no triangle has.
    """
    # m(m + 1) / 2 entries, where m = n + diag is the longest row of the triangle.
    odd = (1 + 8 * vec.shape[-1]) ** 0.5
    n = (odd - 1) / 2 - diag
    if round(n) - n > lampas.finfo(vec.dtype).eps:
        raise ValueError(
            f"The size of last dimension is {vec.shape[-1]} which cannot be expressed as "
            "the lower triangular part of a square D x D matrix."
        )
    n = round(n)
    mat = lampas.zeros(vec.shape[:-1] + (n, n), dtype=vec.dtype, device=vec.device)
    mat[..., _triangle(n, diag, vec.device)] = vec
    return mat
