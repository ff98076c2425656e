"""Pooling: kernels of the core with PyTorch's argument forms, and the rarer kinds composed."""

import lampas
from lampas import _core
from lampas.nn._tuples import _list_with_default, _pair, _single, _triple

avg_pool1d = _core.avg_pool1d
avg_pool2d = _core.avg_pool2d
avg_pool3d = _core.avg_pool3d
adaptive_avg_pool1d = _core.adaptive_avg_pool1d


def boolean_dispatch(arg_name, arg_index, default, if_true, if_false, module_name, func_name):
    """A function that calls `if_true` or `if_false`, as one of its arguments says."""

    def dispatch(*args, **kwargs):
        flag = default
        if arg_name in kwargs:
            flag = kwargs[arg_name]
        elif arg_index < len(args):
            flag = args[arg_index]
        return (if_true if flag else if_false)(*args, **kwargs)

    dispatch.__name__ = dispatch.__qualname__ = func_name
    dispatch.__module__ = module_name
    dispatch.__doc__ = if_false.__doc__
    return dispatch


# max pooling


def max_pool1d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """Max pooling of (N, C, L); also the flat positions of the maxima."""
    stride = kernel_size if stride is None else stride
    return _core.max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """Max pooling of (N, C, H, W); also the flat positions of the maxima."""
    stride = kernel_size if stride is None else stride
    return _core.max_pool2d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """Max pooling of (N, C, D, H, W); also the flat positions of the maxima."""
    stride = kernel_size if stride is None else stride
    return _core.max_pool3d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool1d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """Largest value of each window of (N, C, L); with `return_indices` also its position."""
    stride = kernel_size if stride is None else stride
    if return_indices:
        return _core.max_pool1d_with_indices(
            input, kernel_size, stride, padding, dilation, ceil_mode
        )
    return _core.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """Largest value of each window of (N, C, H, W); with `return_indices` also its position."""
    stride = kernel_size if stride is None else stride
    if return_indices:
        return _core.max_pool2d_with_indices(
            input, kernel_size, stride, padding, dilation, ceil_mode
        )
    return _core.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """Largest value of each window of (N, C, D, H, W); with `return_indices` its position."""
    stride = kernel_size if stride is None else stride
    if return_indices:
        return _core.max_pool3d_with_indices(
            input, kernel_size, stride, padding, dilation, ceil_mode
        )
    return _core.max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode)


# unpooling


def _unpool_output_size(input, kernel_size, stride, padding, output_size):
    """The spatial sizes to unpool to, checked if they are given."""
    dims = len(kernel_size)
    spatial = input.shape[-dims:]
    default = [(spatial[d] - 1) * stride[d] + kernel_size[d] - 2 * padding[d] for d in range(dims)]
    if output_size is None:
        return default
    if len(output_size) == dims + 2:
        output_size = output_size[2:]
    if len(output_size) != dims:
        raise ValueError(
            "output_size should be a sequence containing "
            f"{dims} or {dims + 2} elements, but it has a length of '{len(output_size)}'"
        )
    for d in range(dims):
        low, high = default[d] - stride[d], default[d] + stride[d]
        if not low < output_size[d] < high:
            raise ValueError(
                f'invalid output_size "{output_size}" (dim {d} must be between {low} and {high})'
            )
    return output_size


def _max_unpool(input, indices, kernel_size, stride, padding, output_size, many):
    kernel_size = many(kernel_size)
    stride = many(stride) if stride is not None else kernel_size
    padding = many(padding)
    size = _unpool_output_size(input, kernel_size, stride, padding, output_size)
    dims = len(kernel_size)
    name = f"max_unpooling{max(dims, 2)}d"
    if indices.dtype != lampas.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype}")
    if input.dim() not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Input to {name} should be a {dims + 1}d or {dims + 2}d Tensor, but got a tensor "
            f"with {input.dim()} dimensions."
        )
    if input.shape != indices.shape:
        raise RuntimeError(
            "Expected shape of indices to be same as that of the input tensor "
            f"({list(input.shape)}) but got indices tensor with shape: {list(indices.shape)}"
        )
    lead = input.shape[:-dims]
    volume = 1
    for extent in size:
        volume *= extent
    flat = input.new_zeros((*lead, volume))
    source, places = input.flatten(-dims), indices.flatten(-dims)
    if places.numel():
        least, most = int(places.min()), int(places.max())
        if least < 0 or most >= volume:
            wrong = least if least < 0 else most
            shown = "x".join(str(extent) for extent in (*size, 1)[: max(dims, 2)])
            raise RuntimeError(
                f"Found an invalid max index: {wrong} (output volumes are of size {shown})"
            )
    result = flat.scatter(-1, places, source).unflatten(-1, tuple(size))
    last = lampas.channels_last
    if input.dim() == 4 and not input.is_contiguous() and input.is_contiguous(memory_format=last):
        return result.contiguous(memory_format=last)
    return result


def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Values at the positions that `max_pool1d` returned, zeros elsewhere."""
    return _max_unpool(input, indices, kernel_size, stride, padding, output_size, _single)


def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Values at the positions that `max_pool2d` returned, zeros elsewhere."""
    return _max_unpool(input, indices, kernel_size, stride, padding, output_size, _pair)


def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Values at the positions that `max_pool3d` returned, zeros elsewhere."""
    return _max_unpool(input, indices, kernel_size, stride, padding, output_size, _triple)


# adaptive pooling


def adaptive_avg_pool2d(input, output_size):
    """Average pooling of (N, C, H, W) to `output_size`; None keeps a dimension."""
    if type(output_size) is not int:
        output_size = _list_with_default(output_size, input.size())
    return _core.adaptive_avg_pool2d(input, output_size)


def adaptive_avg_pool3d(input, output_size):
    """Average pooling of (N, C, D, H, W) to `output_size`; None keeps a dimension."""
    if type(output_size) is not int:
        output_size = _list_with_default(output_size, input.size())
    return _core.adaptive_avg_pool3d(input, output_size)


def adaptive_max_pool1d_with_indices(input, output_size, return_indices=False):
    """Max pooling of (N, C, L) to a length; also the positions of the maxima."""
    return _core.adaptive_max_pool1d(input, output_size)


def adaptive_max_pool2d_with_indices(input, output_size, return_indices=False):
    """Max pooling of (N, C, H, W) to a size; also the flat positions of the maxima."""
    return _core.adaptive_max_pool2d(input, _list_with_default(output_size, input.size()))


def adaptive_max_pool3d_with_indices(input, output_size, return_indices=False):
    """Max pooling of (N, C, D, H, W) to a size; also the flat positions of the maxima."""
    return _core.adaptive_max_pool3d(input, _list_with_default(output_size, input.size()))


def adaptive_max_pool1d(input, output_size, return_indices=False):
    """Max pooling of (N, C, L) to a length; with `return_indices` also the positions."""
    found = adaptive_max_pool1d_with_indices(input, output_size)
    return found if return_indices else found[0]


def adaptive_max_pool2d(input, output_size, return_indices=False):
    """Max pooling of (N, C, H, W) to a size; with `return_indices` also the positions."""
    found = adaptive_max_pool2d_with_indices(input, output_size)
    return found if return_indices else found[0]


def adaptive_max_pool3d(input, output_size, return_indices=False):
    """Max pooling of (N, C, D, H, W) to a size; with `return_indices` also the positions."""
    found = adaptive_max_pool3d_with_indices(input, output_size)
    return found if return_indices else found[0]


# power-average pooling


def _lp(input, norm_type, kernel_size, stride, ceil_mode, pool, many):
    volume = 1
    for extent in many(kernel_size):
        volume *= extent
    stride = kernel_size if stride is None else stride
    mean = pool(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    # The sum is |mean| * volume; an odd power of negative values gives a root of 0.
    return (mean.sign() * mean.abs().relu()).mul(volume).pow(1.0 / norm_type)


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """p-norm of each window of (N, C, L)."""
    return _lp(input, norm_type, kernel_size, stride, ceil_mode, avg_pool1d, _single)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """p-norm of each window of (N, C, H, W)."""
    return _lp(input, norm_type, kernel_size, stride, ceil_mode, avg_pool2d, _pair)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """p-norm of each window of (N, C, D, H, W)."""
    return _lp(input, norm_type, kernel_size, stride, ceil_mode, avg_pool3d, _triple)
