"""Tensors by memory layout: resizing in place, strides by order, copies that keep type and device."""

import math

import lampas
from lampas import _core
from lampas.ops.register import composite

Tensor = _core.Tensor


def _size(size):
    return tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else tuple(size)


def _row_major(size):
    strides, step = [], 1
    for n in reversed(size):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


def _strides_for(size, memory_format):
    if memory_format is None or memory_format is _core.contiguous_format:
        return _row_major(size)
    if memory_format is _core.preserve_format:
        raise RuntimeError("Unsupported memory formatPreserve")
    return lampas.empty(size, device="meta", memory_format=memory_format).stride()


@composite(public=False, method=True)
def resize_(self, *size, memory_format=None):
    """Gives the tensor another size over its memory, which grows when it must; new elements are undefined."""
    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    size = _size(size)
    for n in size:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(size)}")
    if tuple(self.shape) == size and memory_format is None:
        return self
    strides = _strides_for(size, memory_format)
    offset, width = self.storage_offset(), self.element_size()
    storage = self.untyped_storage()
    needed = (offset + math.prod(size)) * width
    if self.is_meta:
        return _core._set_storage(
            self, lampas.empty_strided(size, strides, dtype=self.dtype, device="meta")
        )
    if needed > storage.nbytes():
        storage.resize_(needed)
    shown = _core._tensor_from_storage(storage, self.dtype, offset, size, strides)
    return _core._set_storage(self, shown)


@composite(method=True)
def resize_as_(self, the_template, *, memory_format=None):
    """resize_ to the size of another tensor."""
    return self.resize_(tuple(the_template.shape), memory_format=memory_format)


def _resize(name, in_place):
    def resized(self, *args):
        import warnings

        warnings.warn(f"non-inplace {name} is deprecated", stacklevel=2)
        return getattr(self.detach(), in_place)(*args)

    resized.__name__ = resized.__qualname__ = name
    return resized


Tensor.resize = _resize("resize", "resize_")
Tensor.resize_as = _resize("resize_as", "resize_as_")


@composite
def empty_permuted(
    size,
    physical_layout,
    *,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    pin_memory=False,
):
    """An uninitialised dense tensor whose dimensions lie in memory in the order `physical_layout`."""
    if len(physical_layout) != len(size):
        raise RuntimeError(
            f"Number of dimensions in size does not match the length of the physical_layout; "
            f"i.e. len(size) = {len(size)} is not equal to len(physical_layout) = {len(physical_layout)}"
        )
    strides, step, seen = [0] * len(size), 1, set()
    for d in reversed(physical_layout):
        if not 0 <= d < len(size):
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {len(size) - 1}, but got {d} at "
                f"index {list(physical_layout).index(d)}).  NB: negative dims not currently supported; file an issue "
                "if you want it."
            )
        if d in seen:
            raise RuntimeError("Duplicate dim not allowed")
        seen.add(d)
        strides[d] = step
        step *= max(size[d], 1)
    return lampas.empty_strided(
        size, strides, dtype=dtype, device=device, requires_grad=requires_grad
    )


@composite(public=False, method=True)
def new_empty_strided(
    self, size, stride, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False
):
    """An uninitialised tensor with these strides, by default of this tensor's type and device."""
    return lampas.empty_strided(
        size,
        stride,
        dtype=dtype or self.dtype,
        device=device or self.device,
        requires_grad=requires_grad,
    )


@composite(public=False, method=True)
def new_tensor(
    self, data, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False
):
    """A tensor with a copy of `data`, by default of this tensor's type and device."""
    return lampas.tensor(
        data, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad
    )


@composite(public=False, method=True)
def is_set_to(self, tensor):
    """Whether both show the same memory in the same way."""
    mine = (self.data_ptr(), self.shape, self.stride(), self.storage_offset())
    return mine == (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.storage_offset())


@composite(public=False, method=True)
def dim_order(self, ambiguity_check=False):
    """Dimensions from the largest stride to the smallest."""
    return tuple(sorted(range(self.dim()), key=lambda d: -self.stride(d)))


def _change(self, function, *others):
    """self[i] = function(self[i], others[i]...) for each element."""
    with _core_no_grad():
        rows = zip(
            self.reshape(-1).tolist(), *(x.expand(self.shape).reshape(-1).tolist() for x in others)
        )
        values = [function(*row) for row in rows]
        self.copy_(lampas.tensor(values, dtype=self.dtype).reshape(self.shape))
    return self


def _core_no_grad():
    from lampas.autograd.grad_mode import no_grad

    return no_grad()


@composite(public=False, method=True)
def apply_(self, callable):
    """Replaces each element by `callable(element)`; a slow loop in Python."""
    if self.requires_grad:
        raise RuntimeError(
            "Can't call apply_() on Variable that requires grad. Use var.detach().apply_() instead."
        )
    return _change(self, callable)


@composite(public=False, method=True)
def map_(self, tensor, callable):
    """Replaces each element by `callable(element, element of tensor)`; a slow loop in Python."""
    if self.requires_grad:
        raise RuntimeError(
            "Can't call map_() on Variable that requires grad. Use var.detach().map_() instead."
        )
    return _change(self, callable, tensor)


@composite(public=False, method=True)
def map2_(self, x, y, callable):
    """As map_, with two tensors."""
    if self.requires_grad:
        raise RuntimeError(
            "Can't call map2_() on Variable that requires grad. Use var.detach().map2_() instead."
        )
    return _change(self, callable, x, y)


def _not_offered(name):
    def refuse(self, *args, **kwargs):
        raise NotImplementedError(f"Tensor.{name}: only dense (strided) tensors are offered")

    refuse.__name__ = refuse.__qualname__ = name
    return refuse


for _name in (
    "to_sparse_bsr to_sparse_bsc to_mkldnn to_padded_tensor sspaddmm resize_as_sparse_ dequantize int_repr q_scale "
    "q_zero_point q_per_channel_axis q_per_channel_scales q_per_channel_zero_points qscheme"
).split():
    setattr(Tensor, _name, _not_offered(_name))


@composite(public=False, method=True)
def where(self, condition, other):
    """This tensor's elements where `condition` holds, those of `other` (tensor or number) elsewhere."""
    return lampas.where(condition, self, other)


@composite
def detach(input):
    """A tensor over the same memory that does not require gradients."""
    return input.detach()


@composite
def detach_(input):
    """Cuts the tensor off the graph, in place."""
    return input.detach_()


for _name in ("is_ipu", "is_maia", "is_mtia"):
    if not hasattr(Tensor, _name):
        setattr(
            Tensor,
            _name,
            property(lambda self: False, doc="Whether it lies on such a device: False."),
        )
Tensor.name = None
Tensor.volatile = False
Tensor.__nonzero__ = Tensor.__bool__
Tensor.__long__ = Tensor.__int__
