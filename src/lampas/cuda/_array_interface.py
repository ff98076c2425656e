"""`__cuda_array_interface__`, version 3: memory of a GPU shared with Numba, CuPy and others.

Protocol: https://numba.readthedocs.io/en/stable/cuda/cuda_array_interface.html
"""

import lampas
from lampas import _core

__all__ = ["describe", "take"]
_LEGACY_STREAM = 1
_TYPES = {
    "bool": "|b1", "uint8": "|u1", "int8": "|i1", "int16": "<i2", "int32": "<i4", "int64": "<i8",
    "uint16": "<u2", "uint32": "<u4", "uint64": "<u8", "float16": "<f2", "bfloat16": "<V2",
    "float32": "<f4", "float64": "<f8", "complex64": "<c8", "complex128": "<c16",
}  # fmt: skip


def describe(tensor):
    """The protocol's dictionary for a tensor on a GPU.

    Raises:
        AttributeError: a tensor elsewhere. RuntimeError: one that requires a gradient.
    """
    if not tensor.is_cuda:
        raise AttributeError(
            f"Can't get __cuda_array_interface__ on non-CUDA tensor type: {tensor.type()} "
            "If CUDA data is required use tensor.cuda() to copy tensor to device memory."
        )
    if tensor.requires_grad:
        raise RuntimeError(
            "Can't get __cuda_array_interface__ on Variable that requires grad. "
            "If gradients aren't required, use var.detach() to get Variable that doesn't require grad."
        )
    size = tensor.element_size()
    strides = None if tensor.is_contiguous() else tuple(s * size for s in tensor.stride())
    return {
        "typestr": _TYPES[str(tensor.dtype).rpartition(".")[2]],
        "shape": tuple(tensor.shape),
        "strides": strides,
        "data": (tensor.data_ptr() if tensor.numel() else 0, False),
        "version": 3,
        "stream": lampas.cuda.current_stream(tensor.device).cuda_stream or _LEGACY_STREAM,
    }


def take(array):
    """A tensor over the memory of an object with `__cuda_array_interface__`, which it keeps alive.

    Raises:
        TypeError: an element type that tensors do not have. ValueError: negative strides.
    """
    about = array.__cuda_array_interface__
    names = {code.lstrip("<|="): name for name, code in _TYPES.items()}
    name = names.get(about["typestr"].lstrip("<|="))
    if name is None:
        raise TypeError(f"cannot take elements of type {about['typestr']!r} as a tensor")
    dtype, shape = getattr(_core, name), tuple(about["shape"])
    strides = about.get("strides")
    if strides is None:
        strides = tuple(dtype.itemsize * n for n in lampas.empty(shape, device="meta").stride())
    tensor = _core._from_device_memory(array, about["data"][0], dtype, shape, tuple(strides))
    stream = about.get("stream")
    if stream is not None:
        handle = 0 if stream == _LEGACY_STREAM else stream
        made_on = lampas.cuda.ExternalStream(handle, tensor.device.index)
        current = lampas.cuda.current_stream(tensor.device)
        if made_on != current:
            current.wait_stream(made_on)
    return tensor
