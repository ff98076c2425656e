"""`torch.sparse`: sparse tensors of layouts COO, CSR and CSC (of matrices), and functions on them.

`tensor.py` says what a sparse tensor is; the operators stand in files by family. What is not there raises
NotImplementedError. Derivatives are first derivatives.
"""

from lampas import _core, unavailable
from lampas.sparse import arithmetic, conversion, products, reductions, shapes
from lampas.sparse.construction import (
    check_sparse_tensor_invariants,
    sparse_compressed_tensor,
    sparse_coo_tensor,
    sparse_csc_tensor,
    sparse_csr_tensor,
)
from lampas.sparse.products import sparse_addmm as addmm
from lampas.sparse.products import sparse_mm as _sparse_mm
from lampas.sparse.reductions import log_softmax, softmax
from lampas.sparse.tensor import SparseTensor, is_sparse, rule

__all__ = ["addmm", "check_sparse_tensor_invariants", "log_softmax", "mm", "softmax", "sum"]
globals().update(
    unavailable.names(
        "torch.sparse",
        "sampled_addmm spdiags spsolve as_sparse_gradcheck",
        "FloatTensor DoubleTensor HalfTensor LongTensor IntTensor ByteTensor",
    )
)
for _name in dir(_core):  # kernels of optimizers: they do not take sparse gradients
    if _name.startswith("fused_"):
        rule(_name)(lambda *_: False)
_core._set_opaque(SparseTensor, arithmetic.accumulated, arithmetic.clone)


def mm(mat1, mat2, reduce=None):
    """The product of two matrices, sparse or dense; the gradient of a sparse one is sparse."""
    if reduce is not None:
        raise NotImplementedError(unavailable.message("torch.sparse.mm(reduce=...)"))
    if not (is_sparse(mat1) or is_sparse(mat2)):
        return _core.mm(mat1, mat2)
    return _sparse_mm(mat1, mat2)


def sum(input, dim=None, dtype=None):
    """The sum of all elements (dense), or over dims (sparse where sparse dims stay).

    Errors: RuntimeError for dense tensors.
    """
    if not is_sparse(input):
        raise RuntimeError("coalesce expected sparse coordinate tensor layout but got Strided")
    return reductions.sparse_sum(input, dim, dtype)
