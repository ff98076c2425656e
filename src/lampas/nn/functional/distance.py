"""Distances and similarities between vectors."""

import lampas
from lampas.ops.one_node import one_node, pulled_back


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """p-norm of x1 - x2 + eps over the last dimension."""
    difference = x1 - x2 + eps
    return lampas.norm(difference, p, max(x1.dim(), x2.dim()) - 1, keepdim)


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """Sum of x1 * x2 along `dim` over the product of their norms, each at least `eps`."""
    dtype = lampas.result_type(x1, x2)
    if not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {scalar_type(dtype)}"
        )
    x1, x2 = lampas.broadcast_tensors(x1.to(dtype), x2.to(dtype))
    scaled = []
    for x in (x1, x2):
        norm = lampas.linalg.vector_norm(x, 2, dim, keepdim=True).clone()
        with lampas.no_grad():  # where the norm is clamped, the gradient still is the norm's
            norm.clamp_min_(eps)
        scaled.append(x / norm)
    return (scaled[0] * scaled[1]).sum(dim)


def scalar_type(dtype):
    """A dtype's name in PyTorch's older messages, as Long for int64."""
    name = str(dtype).partition(".")[2]
    return _SCALAR_TYPES.get(name, name.capitalize())


_SCALAR_TYPES = {
    "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte",
    "float16": "Half", "float32": "Float", "float64": "Double", "bfloat16": "BFloat16",
}  # fmt: skip


def _pair_distances(input, p):
    n = input.size(0)
    rows, columns = lampas.triu_indices(n, n, 1, device=input.device).unbind(0)
    difference = (input.index_select(0, rows) - input.index_select(0, columns)).abs()
    if difference.size(0) == 0 or difference.size(1) == 0:
        return difference.sum(-1)
    return lampas.linalg.vector_norm(difference, p, -1)


def _pdist_gradient(grads, args, outputs):
    """That of the distances as composed; zeros where it is none, for p = 0."""
    (found,) = pulled_back(lambda x: (_pair_distances(x, args[1]),), args[:1], grads)
    return (lampas.zeros_like(args[0]) if found is None else found,)


_pdist = one_node("PdistBackward0", _pair_distances, _pdist_gradient)


def pdist(input, p=2.0):
    """p-norm distances between all pairs of rows i < j of (N, M): -> (N * (N - 1) / 2,)."""
    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if not input.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    return _pdist(input, p)
