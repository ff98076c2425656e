"""Products of vectors and matrices that have no kernel of their own: cross, vecdot, chains of matrices."""

import lampas
from lampas import _core
from lampas.ops.matrix_checks import check_floating
from lampas.ops.register import composite


@composite(namespace="linalg", out=True)
def cross(input, other, *, dim=-1):
    """The cross product of vectors of three elements along `dim`."""
    if input.dim() != other.dim():
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    if input.size(dim) != 3 or other.size(dim) != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.shape[dim]} and {other.shape[dim]}"
        )
    forth, back = (x.index_select(dim, lampas.tensor(order, device=x.device))
                   for x, order in ((input, (1, 2, 0)), (input, (2, 0, 1))))  # fmt: skip
    other_forth, other_back = (other.index_select(dim, lampas.tensor(order, device=other.device))
                               for order in ((1, 2, 0), (2, 0, 1)))  # fmt: skip
    return forth * other_back - back * other_forth


def _old_cross(input, other, dim=None):
    """As linalg.cross; dim: the first of length 3 by default."""
    if dim is None:
        dim = next((d for d, size in enumerate(input.shape) if size == 3), None)
        if dim is None:
            raise RuntimeError("no dimension of size 3 in input")
    return cross(input, other, dim=dim)


_old_cross.__name__ = "cross"
composite(_old_cross, method=True, out=True)


@composite(namespace="linalg", out=True)
def vecdot(x, y, *, dim=-1):
    """The dot products of vectors along `dim`, the first one conjugated."""
    check_floating(x, "linalg.vecdot", low=True)
    return (x.conj() * y).sum(dim)


@composite(namespace="linalg", out=True)
def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """A view of the diagonals of matrices."""
    return _core.diagonal(A, offset, dim1, dim2)


@composite(namespace="linalg", out=True)
def matmul(input, other):
    """As lampas.matmul."""
    return _core.matmul(input, other)


def _chain_order(sizes):
    """Where to split each product of a chain for the fewest multiplications (Cormen et al., 15.2)."""
    n = len(sizes) - 1
    cost = [[0] * n for _ in range(n)]
    split = [[0] * n for _ in range(n)]
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i][j], split[i][j] = min(
                (cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            )
    return split


@composite(namespace="linalg", out=True)
def multi_dot(tensors):
    """The product of several matrices, in the cheapest order; the first and last may be vectors."""
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    first, last = tensors[0], tensors[-1]
    for name, tensor in (("first", first), ("last", last)):
        if tensor.dim() not in (1, 2):
            raise RuntimeError(
                f"multi_dot(): the {name} tensor must be 1D or 2D but got {tensor.dim()}D"
            )
    for place, tensor in enumerate(tensors[1:-1], 1):
        if tensor.dim() != 2:
            raise RuntimeError(f"multi_dot(): tensor {place} must be 2D but got {tensor.dim()}D")
    if any(tensor.dtype != first.dtype for tensor in tensors):
        raise RuntimeError("multi_dot(): all tensors must have be the same dtype")
    shape = (first.shape[:-1] if first.dim() == 2 else ()) + (
        last.shape[1:] if last.dim() == 2 else ()
    )
    if first.dim() == 1:
        tensors[0] = first.unsqueeze(0)
    if last.dim() == 1:
        tensors[-1] = last.unsqueeze(-1)
    for place, (left, right) in enumerate(zip(tensors, tensors[1:])):
        if left.shape[1] != right.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {place} and {place + 1} with shapes [{left.shape[0]}, {left.shape[1]}] and "
                f"[{right.shape[0]}, {right.shape[1]}] cannot be multiplied"
            )
    split = _chain_order([t.shape[0] for t in tensors] + [tensors[-1].shape[1]])

    def product(i, j):
        if i == j:
            return tensors[i]
        k = split[i][j]
        return product(i, k) @ product(k + 1, j)

    return product(0, len(tensors) - 1).view(shape)


@composite
def chain_matmul(*matrices, out=None):
    """As linalg.multi_dot, of matrices only."""
    if len(matrices) == 1 and isinstance(matrices[0], (list, tuple)):
        matrices = matrices[0]
    for matrix in matrices:
        if matrix.dim() != 2:
            raise RuntimeError(f"Tensor dimension is {matrix.dim()}, expected 2 instead.")
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    if len(matrices) == 1:
        return matrices[0].clone()
    return multi_dot(matrices, out=out) if out is not None else multi_dot(matrices)
