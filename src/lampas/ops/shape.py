"""Joining, splitting, repeating and turning tensors: what needs no kernel of its own.

The views, cat, stack, repeat, roll, flip, tril and pad are primitives (core/ops/views.cc, joining.cc).
"""

import builtins

import lampas
from lampas import _core
from lampas.ops.register import composite

Tensor = _core.Tensor


def _given(tensors):
    """The tensors of `f(a, b)` or `f([a, b])`."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        return tuple(tensors[0])
    return tensors


def _listed(tensors, name):
    if isinstance(tensors, Tensor):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"
        )
    return tuple(tensors)


# --- at least n dimensions ---


def _atleast_1d(x):
    return x.reshape(1) if x.dim() == 0 else x


def _atleast_2d(x):
    return x.reshape(1, 1) if x.dim() == 0 else x.unsqueeze(0) if x.dim() == 1 else x


def _atleast_3d(x):
    if x.dim() == 0:
        return x.reshape(1, 1, 1)
    if x.dim() == 1:
        return x.unsqueeze(0).unsqueeze(-1)
    return x.unsqueeze(-1) if x.dim() == 2 else x


def _each(tensors, one):
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return one(tensors[0])
    return tuple(one(x) for x in _given(tensors))


@composite
def atleast_1d(*tensors):
    """Each tensor with at least one dimension: a 0-d tensor becomes (1,)."""
    return _each(tensors, _atleast_1d)


@composite
def atleast_2d(*tensors):
    """Each tensor with at least two dimensions: (N,) becomes (1, N)."""
    return _each(tensors, _atleast_2d)


@composite
def atleast_3d(*tensors):
    """Each tensor with at least three dimensions: (N,) becomes (1, N, 1), (M, N) becomes (M, N, 1)."""
    return _each(tensors, _atleast_3d)


# --- joining ---


def _nonempty(tensors, name):
    tensors = _listed(tensors, name)
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return tensors


@composite(out=True)
def hstack(tensors):
    """Joined along the first dimension of vectors, along the second of all else."""
    tensors = [_atleast_1d(x) for x in _nonempty(tensors, "hstack")]
    return lampas.cat(tensors, 0 if tensors[0].dim() == 1 else 1)


@composite(out=True)
def vstack(tensors):
    """Joined along the first dimension; vectors are rows."""
    return lampas.cat([_atleast_2d(x) for x in _nonempty(tensors, "vstack")], 0)


@composite(out=True)
def row_stack(tensors):
    """The same as vstack."""
    return vstack(tensors)


@composite(out=True)
def dstack(tensors):
    """Joined along the third dimension."""
    return lampas.cat([_atleast_3d(x) for x in _nonempty(tensors, "dstack")], 2)


@composite(out=True)
def column_stack(tensors):
    """Joined along the second dimension; numbers and vectors are columns."""
    tensors = _nonempty(tensors, "column_stack")
    return lampas.cat([x.reshape(x.numel(), 1) if x.dim() <= 1 else x for x in tensors], 1)


@composite
def block_diag(*tensors):
    """A matrix with the given matrices along its diagonal and zeros elsewhere; vectors are rows."""
    tensors = _given(tensors)
    for i, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise TypeError(
                f"block_diag(): expected Tensor as element {i}, but got {type(x).__name__}"
            )
        if x.dim() > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. "
                f"Input {i} has {x.dim()} dimensions"
            )
    if not tensors:
        return lampas.empty(1, 0)
    blocks = [_atleast_2d(x) for x in tensors]
    width = builtins.sum(x.shape[1] for x in blocks)
    rows, left = [], 0
    for x in blocks:
        right = width - left - x.shape[1]
        rows.append(lampas.constant_pad_nd(x, (left, right), 0))
        left += x.shape[1]
    return lampas.cat(rows, 0)


# --- splitting ---


def _split_along(name, x, sections, least, dim):
    if x.dim() < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, "
            f"but got a tensor with {x.dim()} dimensions!"
        )
    if isinstance(sections, int):
        if sections == 0 or x.shape[dim] % sections:
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension "
                f"{x.shape[dim]} is not divisible by the split_size {sections}!"
            )
    return x.tensor_split(sections, dim)


@composite(method=True)
def hsplit(input, indices_or_sections):
    """Parts along the second dimension (the first of a vector): so many equal ones, or cut at indices."""
    return _split_along("hsplit", input, indices_or_sections, 1, 0 if input.dim() == 1 else 1)


@composite(method=True)
def vsplit(input, indices_or_sections):
    """Parts along the first dimension: so many equal ones, or cut at indices."""
    return _split_along("vsplit", input, indices_or_sections, 2, 0)


@composite(method=True)
def dsplit(input, indices_or_sections):
    """Parts along the third dimension: so many equal ones, or cut at indices."""
    return _split_along("dsplit", input, indices_or_sections, 3, 2)


def _cut(x, sizes, dim):
    """Parts that, unlike those of split, may be written in place."""
    parts, start = [], 0
    for size in sizes:
        parts.append(x.narrow(dim, start, size))
        start += size
    return tuple(parts)


@composite(method=True)
def unsafe_chunk(input, chunks, dim=0):
    """As chunk, with parts that may be written in place."""
    return _cut(input, [x.shape[dim] for x in input.chunk(chunks, dim)], dim)


@composite(method=True)
def unsafe_split(tensor, split_size, dim=0):
    """As split, with parts that may be written in place."""
    return _cut(tensor, [x.shape[dim] for x in tensor.split(split_size, dim)], dim)


@composite(method=True)
def unsafe_split_with_sizes(input, split_sizes, dim=0):
    """As split_with_sizes, with parts that may be written in place."""
    return _cut(input, [x.shape[dim] for x in input.split_with_sizes(split_sizes, dim)], dim)


# --- broadcasting and grids ---


@composite
def broadcast_shapes(*shapes):
    """The shape to which all the given shapes (tuples or ints) broadcast; RuntimeError when there is none."""
    shapes = [(s,) if isinstance(s, int) else s for s in shapes]
    result = [1] * max((len(s) for s in shapes), default=0)
    for position, shape in enumerate(shapes):
        for i in range(-1, -1 - len(shape), -1):
            if shape[i] < 0:
                raise RuntimeError(
                    f"Trying to create tensor with negative dimension ({shape[i]}): ({shape[i]})"
                )
            if shape[i] == 1 or shape[i] == result[i]:
                continue
            if result[i] != 1:
                wanted = ", ".join(map(str, result))
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {shape[i]} at {i}! Mismatching argument "
                    f"at index {position} had {shape}; but expected shape should be broadcastable to [{wanted}]"
                )
            result[i] = shape[i]
    return lampas.Size(result)


@composite
def broadcast_tensors(*tensors):
    """The tensors expanded to their common shape, as views."""
    tensors = _given(tensors)
    shape = []
    for x in tensors:
        if list(x.shape) != shape:
            shape = _common_shape(shape, list(x.shape))
    return tuple(x.expand(shape) for x in tensors)


def _common_shape(a, b):
    rank = max(len(a), len(b))
    a, b = [1] * (rank - len(a)) + a, [1] * (rank - len(b)) + b
    for d in range(rank):
        if a[d] != b[d] and 1 not in (a[d], b[d]):
            raise RuntimeError(
                f"The size of tensor a ({a[d]}) must match the size of tensor b ({b[d]}) "
                f"at non-singleton dimension {d}"
            )
    return [n if m == 1 else m for m, n in zip(a, b)]


@composite
def meshgrid(*tensors, indexing=None):
    """Coordinates over the grid that vectors (or numbers) span, as views.

    indexing: 'ij' (the default): the first vector runs along the first dimension; 'xy': along the second.
    """
    tensors = _given(tensors)
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing is None:
        import warnings

        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.",
            stacklevel=2,
        )
        indexing = "ij"
    for x in tensors:
        if x.dim() > 1:
            shape = ", ".join(map(str, x.shape))
            raise RuntimeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: [{shape}]"
                if x.dtype == tensors[0].dtype
                else "meshgrid expects all tensors to have the same dtype"
            )
        if x.dtype != tensors[0].dtype:
            raise RuntimeError("meshgrid expects all tensors to have the same dtype")
        if x.device != tensors[0].device:
            raise RuntimeError("meshgrid expects all tensors to have the same device")
    if indexing not in ("ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    swap = indexing == "xy" and len(tensors) >= 2
    if swap:
        tensors = (tensors[1], tensors[0], *tensors[2:])
    shape = [x.numel() for x in tensors]
    grids = []
    for i, x in enumerate(tensors):
        grids.append(x.view([1] * i + [-1] + [1] * (len(tensors) - 1 - i)).expand(shape))
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def _check_vectors(tensors):
    for x in tensors:
        if x.dim() != 1:
            shape = ", ".join(map(str, x.shape))
            raise RuntimeError(f"Expect a 1D vector, but got shape [{shape}]")


@composite
def cartesian_prod(*tensors):
    """All tuples with one element of each vector, as rows; a single vector is returned as it is."""
    tensors = _given(tensors)
    _check_vectors(tensors)
    if len(tensors) == 1:
        return tensors[0]
    return lampas.stack([g.flatten() for g in meshgrid(*tensors, indexing="ij")], 1)


@composite
def combinations(input, r=2, with_replacement=False):
    """All ways to take `r` elements of a vector, in order, as rows."""
    _check_vectors([input])
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return lampas.empty(0, dtype=input.dtype, device=input.device)
    places = lampas.arange(input.numel(), device=input.device)
    grids = meshgrid(*[places] * r, indexing="ij")
    chosen = lampas.ones([input.numel()] * r, dtype=lampas.bool, device=input.device)
    for a, b in zip(grids, grids[1:]):
        chosen = chosen & ((a <= b) if with_replacement else (a < b))
    columns = meshgrid(*[input] * r, indexing="ij")
    return lampas.stack([x.masked_select(chosen) for x in columns], 1)


# --- repeating and turning ---


@composite(method=True)
def tile(input, *dims):
    """`input` repeated dims[i] times along dimension i; missing dims count from the left as 1."""
    dims = tuple(dims[0]) if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    return input.repeat((1,) * (input.dim() - len(dims)) + tuple(dims))


@composite(method=True)
def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Each element (or slice along `dim`) repeated in place; `dim` None flattens first.

    repeats: int, or integer tensor of one count for all or one per slice. With `repeats` alone: the
    indices i, each repeats[i] times. output_size: the total, which then need not be computed.
    """
    if repeats is None:
        return _core.repeat_interleave_index(input, output_size)
    if isinstance(repeats, int) and not isinstance(repeats, bool):
        return _repeat_each(input, repeats, dim, output_size)
    x = input.flatten() if dim is None else input
    dim = 0 if dim is None else dim
    if repeats.dim() > 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    size = x.shape[dim] if x.dim() else 1
    if repeats.dim() == 0 or repeats.shape[0] == 1:
        repeats = repeats.reshape(1).expand(size)
    elif repeats.shape[0] != size:
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got "
            f"repeats.size(0) = {repeats.shape[0]} and input.size({dim}) = {size}"
        )
    return x.index_select(dim, _core.repeat_interleave_index(repeats.contiguous(), output_size))


def _repeat_each(x, repeats, dim, output_size):
    if dim is None:
        x, dim = x.flatten(), 0
    if repeats < 0:
        raise RuntimeError("Repeats must be non-negative")
    if x.dim() == 0:
        x = x.unsqueeze(0)
    if not -x.dim() <= dim < x.dim():
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-x.dim()}, {x.dim() - 1}], but got {dim})"
        )
    dim %= x.dim()
    if output_size is not None and output_size != x.shape[dim] * repeats:
        raise RuntimeError(
            "repeat_interleave: Invalid output_size, allocated size does not match required size"
        )
    shape = list(x.shape)
    wide = x.unsqueeze(dim + 1).expand(shape[: dim + 1] + [repeats] + shape[dim + 1 :])
    shape[dim] *= repeats
    return wide.clone(memory_format=lampas.contiguous_format).view(shape)


@composite(method=True)
def fliplr(input):
    """The second dimension backwards."""
    if input.dim() < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return input.flip(1)


@composite(method=True)
def flipud(input):
    """The first dimension backwards."""
    if input.dim() < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return input.flip(0)


@composite(method=True)
def rot90(input, k=1, dims=(0, 1)):
    """A quarter turn `k` times in the plane of two dimensions, from the first towards the second."""
    rank = input.dim()
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if rank < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {rank}")
    a, b = dims
    if a == b or abs(a - b) == rank:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {a} and dim1 = {b}"
        )
    for i, d in enumerate(dims):
        if not -rank <= d < rank:
            raise RuntimeError(f"Rotation dim{i} out of range, dim{i} = {d}")
    k %= 4
    if k == 1:
        return input.flip(b).transpose(a, b)
    if k == 2:
        return input.flip(dims)
    if k == 3:
        return input.flip(a).transpose(a, b)
    return input.clone(memory_format=lampas.contiguous_format)


# --- diagonals and triangles ---


@composite(method=True, out=True)
def diag(input, diagonal=0):
    """The diagonal of a matrix as a vector, or the matrix with this vector on its diagonal."""
    if input.dim() == 1:
        return lampas.diag_embed(input, diagonal)
    if input.dim() == 2:
        return input.diagonal(diagonal).clone(memory_format=lampas.contiguous_format)
    raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.dim()}D")


@composite(method=True)
def diagflat(input, offset=0):
    """A matrix with all elements of `input`, in row-major order, on its diagonal."""
    return lampas.diag_embed(input.flatten(), offset)


def _triangle_indices(name, row, col, offset, dtype, device, keep):
    for label, size in (("row", row), ("col", col)):
        if size < 0:
            raise RuntimeError(f"{label} must be non-negative, got{size}")
    if dtype is not None and dtype not in (lampas.int64, lampas.int32, lampas.int16):
        label = lampas.empty(0, dtype=dtype).type()[6:-6]
        raise NotImplementedError(f"\"{name}\" not implemented for '{label}'")
    ones = lampas.ones(row, col, dtype=lampas.uint8)
    places = _core.nonzero(keep(ones, offset)).t()
    return places.to(device=device or places.device, dtype=dtype or places.dtype)


@composite
def tril_indices(row, col, offset=0, *, dtype=None, layout=None, device=None, pin_memory=False):
    """Coordinates, shape (2, n), of the lower triangle of a (row, col) matrix; dtype: int64."""
    return _triangle_indices("tril_indices", row, col, offset, dtype, device, lampas.tril)


@composite
def triu_indices(row, col, offset=0, *, dtype=None, layout=None, device=None, pin_memory=False):
    """Coordinates, shape (2, n), of the upper triangle of a (row, col) matrix; dtype: int64."""
    return _triangle_indices("triu_indices", row, col, offset, dtype, device, lampas.triu)


@composite(public=False, method=True)
def fill_diagonal_(self, fill_value, wrap=False):
    """Writes the main diagonal; of more than two equal dimensions the one where all indices agree.

    wrap: in a tall matrix the diagonal begins anew after each `columns` rows.
    """
    rank = self.dim()
    if rank < 2:
        raise RuntimeError("dimensions must larger than 1")
    if rank > 2 and len(set(self.shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    least, step = min(self.shape), builtins.sum(self.stride())
    if self.numel():
        self.as_strided((least,), (step,)).fill_(fill_value)
    if wrap and rank == 2 and self.shape[0] > self.shape[1] + 1:
        start = self.stride(0) * (self.shape[1] + 1)
        count = (self.shape[0] * self.shape[1] - 1 - self.shape[1] * (self.shape[1] + 1)) // (
            self.shape[1] + 1
        ) + 1
        self.as_strided((count,), (step,), self.storage_offset() + start).fill_(fill_value)
    return self


@composite(out=True)
def channel_shuffle(input, groups):
    """Channels (dimension 1) of `groups` groups taken in turn from each group."""
    if input.dim() <= 2:
        shape = ", ".join(map(str, input.shape))
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes [{shape}]"
        )
    channels = input.shape[1]
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    if channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and {groups} groups."
        )
    shape = tuple(input.shape)
    parts = input.reshape(shape[0], groups, channels // groups, *shape[2:])
    return parts.transpose(1, 2).clone(memory_format=lampas.contiguous_format).view(shape)


# --- transposes by attribute ---

Tensor.T = property(_core.numpy_T, doc="All dimensions in reverse order.")
Tensor.mT = property(_core.mT, doc="The last two dimensions exchanged.")
Tensor.H = property(_core.matrix_H, doc="The conjugate transpose of a matrix.")
Tensor.mH = property(_core.mH, doc="The last two dimensions exchanged, conjugated.")


# --- copies of views ---


def _copying(name, view):
    def copied(input, *args, **kwargs):
        result = view(input, *args, **kwargs)
        if isinstance(result, Tensor):
            return result.clone(memory_format=lampas.contiguous_format)
        return tuple(x.clone(memory_format=lampas.contiguous_format) for x in result)

    copied.__name__ = copied.__qualname__ = name
    copied.__doc__ = f"As {name.removesuffix('_copy')}, with the result in fresh memory."
    composite(copied, out=True, method=name == "narrow_copy")


for _name in (
    "alias as_strided diagonal expand permute select slice split split_with_sizes squeeze t transpose "
    "unbind unfold unsqueeze view narrow detach view_as_complex view_as_real"
).split():
    if _name == "slice":
        _copying(
            "slice_copy",
            lambda x, dim=0, start=None, end=None, step=1: x[_at(x, dim, start, end, step)],
        )
    elif _name == "view":  # a copy needs no strides that fit
        _copying(
            "view_copy",
            lambda x, size: x.view(size) if isinstance(size, lampas.dtype) else x.reshape(size),
        )
    elif _name == "alias":
        _copying("alias_copy", lambda x: x[...])
    elif _name.startswith("view_as"):
        _copying(_name + "_copy", lambda x, name=_name: getattr(lampas, name)(x))
    elif _name == "narrow":
        _copying("narrow_copy", lambda x, dim, start, length: _narrowed(x, dim, start, length))
    else:
        _copying(_name + "_copy", getattr(Tensor, _name))


def _narrowed(x, dim, start, length):
    if dim >= x.dim() > 0:
        raise RuntimeError(
            "Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false.  (Could "
            "this error message be improved?  If so, please report an enhancement request to PyTorch.)"
        )
    if length < 0 and x.dim():
        size = x.size(dim)
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return x.narrow(dim, start, length)


def _at(x, dim, start, end, step):
    return (builtins.slice(None),) * (dim % x.dim()) + (builtins.slice(start, end, step),)
