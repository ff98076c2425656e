"""Sparse tensors: what they keep, and the class that takes every call with one over.

A sparse tensor is an object of `SparseTensor` whose elements lie in a `Coo` or a `Compressed`. The core
knows its shape and type (a body on meta). What an operator does stands in the table RULES, filled by the
other files of this folder; what is not in the table raises NotImplementedError, as PyTorch does.
"""

from lampas import _core

Tensor = _core.Tensor
RULES = {}  # name of an operator, or "<attribute>.get", "<attribute>.set" -> function

# What the core answers from the body.
_BODY = """shape.get dtype.get ndim.get dim size numel nelement is_floating_point is_complex is_signed
    requires_grad.get requires_grad.set requires_grad_ grad.get grad.set grad_fn.get is_leaf.get
    retain_grad retains_grad.get register_hook register_post_accumulate_grad_hook output_nr.get
    _version.get __len__ is_same_size element_size itemsize.get is_inference _is_view is_conj is_neg
    is_cuda.get names.get is_nested.get is_quantized.get is_mkldnn.get _backward_hooks.get
    is_tensor""".split()  # fmt: skip


class Coo:
    """Elements by coordinates.

    indices: (sparse dims, nnz) int64; values: (nnz, dense dims...); size: of all dims, sparse ones first;
    coalesced: each coordinate once, in lexicographic order.
    """

    layout = _core.sparse_coo
    name, backend = "Sparse", "SparseCPU"

    def __init__(self, indices, values, size, coalesced=False):
        self.indices, self.values, self.size = indices, values, tuple(size)
        self.coalesced = coalesced

    @property
    def sparse_dim(self):
        """The number of dims that coordinates name."""
        return self.indices.size(0)

    def with_values(self, values, coalesced=None):
        """The same coordinates with other values."""
        return Coo(
            self.indices, values, self.size, self.coalesced if coalesced is None else coalesced
        )


class Compressed:
    """Elements of a matrix by rows (CSR) or columns (CSC).

    outer: (lines + 1,) where each line begins; inner: (nnz,) the position in the line; values: (nnz,).
    """

    backend_names = {
        _core.sparse_csr: ("SparseCsr", "crow_indices", "col_indices"),
        _core.sparse_csc: ("SparseCsc", "ccol_indices", "row_indices"),
    }
    backend = "SparseCsrCPU"
    coalesced = True
    sparse_dim = 2

    def __init__(self, layout, outer, inner, values, size):
        self.layout, self.outer, self.inner = layout, outer, inner
        self.values, self.size = values, tuple(size)
        self.name, self.outer_name, self.inner_name = self.backend_names[layout]

    @property
    def by_rows(self):
        """Whether the lines are rows."""
        return self.layout is _core.sparse_csr

    def with_values(self, values):
        """The same positions with other values."""
        return Compressed(self.layout, self.outer, self.inner, values, self.size)


def is_sparse(x):
    """Whether x is a sparse tensor of any layout."""
    return isinstance(x, SparseTensor)


def content(x):
    """The Coo or Compressed of a sparse tensor."""
    return _core._opaque_content(x)


def make(content):
    """The sparse tensor with these elements."""
    return _core._make_opaque(content, content.size, content.values.dtype)


def rule(*names):
    """Decorator: the function is what the operators of these names do when a sparse tensor takes part."""

    def add(function):
        for name in names:
            RULES[name] = function
        return function

    return add


def _key(function):
    name = function.__name__
    if name in ("__get__", "__set__"):
        return f"{function.__self__.__name__}.{name.strip('_')}"
    return name


def unsupported(name, args):
    """The error of an operator that sparse tensors do not have."""
    found = next((a for a in _flat(args) if is_sparse(a)), None)
    backend = "SparseCPU" if found is None else content(found).backend
    return NotImplementedError(
        f"Could not run 'aten::{name}' with arguments from the '{backend}' backend."
    )


def _flat(args):
    for a in args:
        if isinstance(a, (tuple, list)):
            yield from _flat(a)
        else:
            yield a


def run(key, function, args, kwargs):
    """What the operator makes of arguments among which are sparse tensors."""
    if key in RULES:
        return RULES[key](*args, **kwargs)
    if key in _BODY:
        return _core._disabled_torch_function_impl(function, (), args, kwargs)
    if key.endswith("_") and not key.startswith("__") and key[:-1] in RULES:
        return in_place(key, args[0], lambda: RULES[key[:-1]](*args, **kwargs))
    name = key.removesuffix(".get").removesuffix(".set").strip("_") or key
    raise unsupported(name, [*args, *kwargs.values()])


def in_place(key, self, compute):
    """The result written over a tensor, which must be of its type."""
    if not isinstance(self, Tensor):
        raise unsupported(key, [self])
    if _core.is_grad_enabled() and self.requires_grad:
        if self.is_leaf:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation."
            )
        raise NotImplementedError(f"{key}: sparse tensors that require grad, in place")
    result = compute()
    if not is_sparse(self):
        return self.copy_(result)
    if result.dtype != self.dtype:
        from lampas.ops.promotion import result_type_error

        raise RuntimeError(result_type_error(result.dtype, self.dtype))
    return _core._write_opaque(self, content(result), tuple(result.shape))


class SparseTensor(Tensor):
    """A tensor of layout sparse_coo, sparse_csr or sparse_csc. Made by `torch.sparse_coo_tensor` and others."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        """Every call with a sparse tensor comes here."""
        return run(_key(function), function, args, kwargs or {})

    def __repr__(self, *, tensor_contents=None):
        from lampas.sparse.printing import to_text

        return to_text(self)

    __str__ = __repr__

    def __format__(self, spec):
        return object.__format__(self, spec)

    def __hash__(self):
        return id(self)

    def __iter__(self):
        return iter(self.unbind(0))

    def __reduce_ex__(self, protocol):
        from lampas._utils import reduce_sparse

        return reduce_sparse(self)

    def __deepcopy__(self, memo):
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment"
            )
        if id(self) not in memo:
            from copy import deepcopy

            copied = self.detach().clone()
            copied.requires_grad_(self.requires_grad)
            if self.grad is not None:
                copied.grad = deepcopy(self.grad, memo)
            memo[id(self)] = copied
        return memo[id(self)]


SparseTensor.__name__ = SparseTensor.__qualname__ = "Tensor"
SparseTensor.__module__ = "torch"
