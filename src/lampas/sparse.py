"""`torch.sparse`: products that also take dense tensors. Sparse tensors themselves are not available."""

import lampas
from lampas import unavailable

_HINT = "only dense (strided) tensors are offered"
globals().update(
    unavailable.names(
        "torch.sparse",
        "addmm sampled_addmm spdiags spsolve as_sparse_gradcheck",
        "FloatTensor DoubleTensor HalfTensor LongTensor IntTensor ByteTensor",
        _HINT,
    )
)


def mm(mat1, mat2, reduce=None):
    """The matrix product; both matrices are dense here."""
    if reduce is not None:
        raise NotImplementedError(unavailable.message("torch.sparse.mm(reduce=...)", _HINT))
    return lampas.mm(mat1, mat2)


def sum(input, dim=None, dtype=None):
    """Raises RuntimeError: it is for sparse tensors only, and there are none."""
    raise RuntimeError("coalesce expected sparse coordinate tensor layout but got Strided")


def softmax(input, dim, *, dtype=None):
    """Raises NotImplementedError: it is for sparse tensors only."""
    raise NotImplementedError(unavailable.message("torch.sparse.softmax", _HINT))


def log_softmax(input, dim, *, dtype=None):
    """Raises NotImplementedError: it is for sparse tensors only."""
    raise NotImplementedError(unavailable.message("torch.sparse.log_softmax", _HINT))


class check_sparse_tensor_invariants:
    """Context and switch: whether sparse tensors are checked when made. There are none."""

    _enabled = False

    def __init__(self, enable=True):
        self.state = enable

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
        self._saved = self._enabled
        check_sparse_tensor_invariants._enabled = self.state

    def __exit__(self, *_):
        check_sparse_tensor_invariants._enabled = self._saved
