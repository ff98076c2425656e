"""Making sparse tensors from their parts: sparse_coo_tensor, sparse_csr_tensor, sparse_csc_tensor."""

import lampas
from lampas import _core
from lampas.sparse import coordinates as at
from lampas.sparse.nodes import node
from lampas.sparse.tensor import Compressed, Coo, content, make


class check_sparse_tensor_invariants:
    """Context and switch: whether sparse tensors are checked when made. Off by default."""

    _enabled = False

    def __init__(self, enable=True):
        self.state, self._saved = enable, []

    @staticmethod
    def is_enabled():
        """What was set."""
        return check_sparse_tensor_invariants._enabled

    @staticmethod
    def enable():
        """Sets it."""
        check_sparse_tensor_invariants._enabled = True

    @staticmethod
    def disable():
        """Unsets it."""
        check_sparse_tensor_invariants._enabled = False

    def __enter__(self):
        self._saved.append(self._enabled)
        check_sparse_tensor_invariants._enabled = self.state

    def __exit__(self, *_):
        check_sparse_tensor_invariants._enabled = self._saved.pop()

    def __call__(self, function):
        import functools

        @functools.wraps(function)
        def checked(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return checked


def _tensor(data, dtype=None, device=None):
    if isinstance(data, lampas.Tensor):
        return data if dtype is None else data.to(dtype)
    return lampas.tensor(data, dtype=dtype, device=device)


def _only_cpu(device):
    if device is not None and lampas.device(device).type != "cpu":
        raise NotImplementedError(f"sparse tensors on {device}")


_coo = node(
    "SparseCooTensorWithDimsAndTensorsBackward0",
    lambda values, indices, size, known: make(Coo(indices, values, size, known)),
    lambda g, args, _: [at.values_at(g, Coo(args[1], args[0], args[2])), None],
)


def _check_sizes(indices, values, size):
    sparse, inner = indices.size(0), tuple(values.shape[1:])
    if len(size) != sparse + len(inner):
        raise RuntimeError(
            "'len(size) == sparse_dim + dense_dim' is not satisfied: "
            f"len(size) = {len(size)}, sparse_dim = {sparse}, dense_dim = {len(inner)}"
        )
    if size[sparse:] != inner:
        wanted = [indices.size(1), *size[sparse:]]
        raise RuntimeError(
            f"values has incorrect size, expected {wanted}, got {list(values.shape)}"
        )


def _check_bounds(indices, size):
    for d in range(indices.size(0) if indices.numel() else 0):
        low, high = int(indices[d].min()), int(indices[d].max())
        if low < 0:
            raise RuntimeError(f"found negative index {low} for dim {d}")
        if high >= size[d]:
            raise RuntimeError(
                f"size is inconsistent with indices: for dim {d}, size is {size[d]} but found index {high}"
            )


def sparse_coo_tensor(
    indices=None, values=None, size=None, *, dtype=None, layout=None, device=None,
    pin_memory=False, requires_grad=False, check_invariants=None, is_coalesced=None,
):  # fmt: skip
    """A sparse tensor of `values` (nnz, dense dims...) at `indices` (sparse dims, nnz).

    size: by default just large enough. Values at one coordinate add up. Without indices and values: all
    zeros. is_coalesced: promises that coordinates are unique and in order. Errors: RuntimeError for
    shapes that do not fit together and, with check_invariants, for indices out of bounds.
    """
    _only_cpu(device)
    if size is None and values is None and indices is not None:
        indices, size = None, indices
    if indices is None:
        size = tuple(size)
        empty = lampas.zeros(0, dtype=dtype or lampas.get_default_dtype())
        made = make(Coo(lampas.zeros(len(size), 0, dtype=lampas.int64), empty, size, len(size) > 0))
        return made.requires_grad_(requires_grad)
    indices, values = _tensor(indices, lampas.int64), _tensor(values, dtype)
    if indices.dim() != 2:
        if indices.dim() != 1:
            raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(indices.shape)}")
        indices = indices.reshape(-1, 1)
        if values.dim() == 0:
            values = values.reshape(1)
    if values.dim() == 0:
        values = values.reshape(1)
    known = bool(is_coalesced)
    if size is None:
        found = (indices.max(1).values + 1).tolist() if indices.numel() else [0] * len(indices)
        size = (*found, *values.shape[1:])
    size = tuple(size)
    _check_sizes(indices, values, size)
    if indices.size(1) != values.size(0):
        raise RuntimeError(
            "indices and values must have same nnz, but got nnz from indices: "
            f"{indices.size(1)}, nnz from values: {values.size(0)}"
        )
    checked = (
        check_sparse_tensor_invariants._enabled if check_invariants is None else check_invariants
    )
    if checked:
        _check_bounds(indices, size)
        keys = at.keys(indices, size[: len(indices)]) if known else None
        if known and not bool((keys.diff() > 0).all()):
            raise RuntimeError(
                "cannot set is_coalesced to true if indices correspond to uncoalesced COO tensor"
            )
    known = known or indices.size(1) < 2
    if values.requires_grad and not requires_grad:
        return _coo(values, indices, size, known)
    return make(Coo(indices, values.detach(), size, known)).requires_grad_(requires_grad)


_compressed = node(
    "SparseCompressedTensorBackward0",
    lambda values, outer, inner, size, layout: make(Compressed(layout, outer, inner, values, size)),
    lambda g, args, _: [_line_values(g, args), None, None],
)


def _line_values(g, args):
    from lampas.sparse.conversion import _in_lines

    values, outer, inner, size, layout = args
    return at.values_at(g, _in_lines(Compressed(layout, outer, inner, values, size)))


def _check_lines(outer, inner, values, size, by_rows):
    lines, width = size if by_rows else size[::-1]
    names = ("crow_indices", "col_indices") if by_rows else ("ccol_indices", "row_indices")
    lines_name = "nrows" if by_rows else "ncols"
    if outer.size(0) != lines + 1:
        raise RuntimeError(
            f"{names[0]}.shape[-1] must be equal to {lines_name} + 1 ({lines + 1}), but got {outer.size(0)}"
        )
    if inner.size(0) != values.size(0):
        raise RuntimeError(
            f"number of values must be equal to nnz ({inner.size(0)}), but got {values.size(0)}"
        )
    steps = outer.diff()
    bad = int(outer[0]) != 0 or int(outer[-1]) != inner.size(0) or bool((steps < 0).any())
    if bad or (inner.numel() and (int(inner.min()) < 0 or int(inner.max()) >= width)):
        raise RuntimeError(
            f"{names[0]} and {names[1]} do not describe a matrix of size {tuple(size)}"
        )


def _lines(
    outer, inner, values, size, dtype, device, requires_grad, layout
):  # the parts of a matrix, checked: a wrong one would be read out of bounds
    _only_cpu(device)
    outer, inner = _tensor(outer), _tensor(inner)
    values = _tensor(values, dtype)
    if outer.dim() != 1 or inner.dim() != 1 or values.dim() != 1:
        raise NotImplementedError("compressed sparse tensors with batches or dense dims")
    by_rows = layout is _core.sparse_csr
    if size is None:
        width = int(inner.max()) + 1 if inner.numel() else 0
        size = (len(outer) - 1, width) if by_rows else (width, len(outer) - 1)
    _check_lines(outer, inner, values, tuple(size), by_rows)
    if values.requires_grad and not requires_grad:
        return _compressed(values, outer, inner, tuple(size), layout)
    made = make(Compressed(layout, outer, inner, values.detach(), size))
    return made.requires_grad_(requires_grad)


def sparse_csr_tensor(
    crow_indices, col_indices, values, size=None, *, dtype=None, layout=None, device=None,
    pin_memory=False, requires_grad=False, check_invariants=None,
):  # fmt: skip
    """A sparse matrix by rows: crow_indices (rows + 1,), col_indices and values (nnz,).

    Errors: RuntimeError for parts that do not describe a matrix (always checked).
    """
    return _lines(
        crow_indices, col_indices, values, size, dtype, device, requires_grad, _core.sparse_csr
    )


def sparse_csc_tensor(
    ccol_indices, row_indices, values, size=None, *, dtype=None, layout=None, device=None,
    pin_memory=False, requires_grad=False, check_invariants=None,
):  # fmt: skip
    """A sparse matrix by columns: ccol_indices (columns + 1,), row_indices and values (nnz,)."""
    return _lines(
        ccol_indices, row_indices, values, size, dtype, device, requires_grad, _core.sparse_csc
    )


def sparse_compressed_tensor(
    compressed_indices, plain_indices, values, size=None, *, layout=None, **options
):
    """A sparse matrix of layout sparse_csr or sparse_csc from its parts."""
    if layout is _core.sparse_csr:
        return sparse_csr_tensor(compressed_indices, plain_indices, values, size, **options)
    if layout is _core.sparse_csc:
        return sparse_csc_tensor(compressed_indices, plain_indices, values, size, **options)
    raise NotImplementedError(f"torch.sparse_compressed_tensor with layout={layout}")


def zeros(size, dtype=None, layout=None):
    """A sparse tensor of zeros."""
    if layout is None or layout is _core.sparse_coo:
        return sparse_coo_tensor(size=size, dtype=dtype)
    lines = size[0] if layout is _core.sparse_csr else size[1]
    outer, inner = lampas.zeros(lines + 1, dtype=lampas.int64), lampas.zeros(0, dtype=lampas.int64)
    values = lampas.zeros(0, dtype=dtype or lampas.get_default_dtype())
    return make(Compressed(layout, outer, inner, values, size))


def like(x, dtype=None):
    """Zeros of the size and layout of a sparse tensor."""
    return zeros(tuple(x.shape), dtype or x.dtype, content(x).layout)
