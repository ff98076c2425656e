"""Between layouts, from the side of dense tensors. What sparse tensors do is in `lampas/sparse/`."""

import importlib

from lampas.ops.register import composite


def _sparse(module):
    return importlib.import_module(f"lampas.sparse.{module}")


@composite(public=False, method=True)
def to_dense(self, dtype=None, *, masked_grad=None):
    """This tensor (it is dense), converted to `dtype` when one is given."""
    return self if dtype is None else self.to(dtype)


@composite(public=False, method=True)
def sparse_dim(self):
    """0: the tensor is dense."""
    return 0


@composite(public=False, method=True)
def dense_dim(self):
    """The number of dimensions."""
    return self.dim()


@composite(public=False, method=True)
def to_sparse(self, sparse_dim=None, *, layout=None, blocksize=None, dense_dim=None):
    """The tensor in a sparse layout, COO by default; sparse_dim: how many dims coordinates name."""
    return _sparse("conversion").to_sparse(
        self, sparse_dim, layout=layout, blocksize=blocksize, dense_dim=dense_dim
    )


@composite(public=False, method=True)
def to_sparse_coo(self):
    """The tensor in layout COO."""
    return _sparse("conversion").to_sparse(self)


@composite(public=False, method=True)
def to_sparse_csr(self, dense_dim=None):
    """The matrix by rows."""
    return _sparse("conversion").to_sparse_csr(self, dense_dim)


@composite(public=False, method=True)
def to_sparse_csc(self, dense_dim=None):
    """The matrix by columns."""
    return _sparse("conversion").to_sparse_csc(self, dense_dim)


@composite(public=False, method=True)
def sparse_mask(self, mask):
    """The elements at the coordinates of the COO tensor `mask`."""
    return _sparse("conversion").sparse_mask(self, mask)


def _expecting(name, layout):
    def refuse(self):
        raise RuntimeError(f"{name} expected {layout} tensor layout but got Strided")

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = f"Raises RuntimeError: the tensor is not of a {layout} layout."
    composite(refuse, public=False, method=True)


_expecting("coalesce", "sparse coordinate")
_expecting("is_coalesced", "sparse coordinate")
_expecting("indices", "sparse coordinate")
_expecting("values", "sparse")
_expecting("crow_indices", "sparse row compressed")
_expecting("col_indices", "sparse row compressed")
_expecting("ccol_indices", "sparse column compressed")
_expecting("row_indices", "sparse column compressed")


def _of_sparse(name):
    def refuse(self, *args, **kwargs):
        raise NotImplementedError(
            f"Could not run 'aten::{name}' with arguments from the 'CPU' backend."
        )

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Raises NotImplementedError: the tensor is dense."
    composite(refuse, public=False, method=True)


for _name in (
    "_nnz", "_indices", "_values", "_dimI", "_dimV", "_coalesced_", "sparse_resize_",
    "sparse_resize_and_clear_",
):  # fmt: skip
    _of_sparse(_name)


def _maker(name):
    def make(*args, **kwargs):
        return getattr(_sparse("construction"), name)(*args, **kwargs)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"See lampas.sparse.construction.{name}."
    composite(make)


for _name in (
    "sparse_coo_tensor", "sparse_csr_tensor", "sparse_csc_tensor", "sparse_compressed_tensor",
):  # fmt: skip
    _maker(_name)


@composite(method=True)
def smm(input, mat):
    """A sparse matrix times a dense one, as a sparse matrix."""
    return _sparse("products").smm(input, mat)


@composite
def hspmm(mat1, mat2):
    """A sparse matrix times a dense one, with the rows that hold anything."""
    return _sparse("products").hspmm(mat1, mat2)
