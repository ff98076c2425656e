"""DLPack: memory shared with NumPy, CuPy, JAX, ... without a copy. The capsules are made in the core.

Protocol: https://dmlc.github.io/dlpack/latest/python_spec.html
"""

import enum

import lampas
from lampas import _core

__all__ = ["DLDeviceType", "from_dlpack"]


_LEGACY_STREAM, _PER_THREAD_STREAM = 1, 2  # as the protocol numbers streams of CUDA


class DLDeviceType(enum.IntEnum):
    """Numbers by which DLPack names kinds of devices."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3
    kDLOpenCL = 4
    kDLVulkan = 7
    kDLMetal = 8
    kDLVPI = 9
    kDLROCM = 10
    kDLROCMHost = 11
    kDLExtDev = 12
    kDLCUDAManaged = 13
    kDLOneAPI = 14
    kDLWebGPU = 15
    kDLHexagon = 16
    kDLMAIA = 17


def to_dlpack(tensor):
    """A capsule "dltensor" over the tensor's memory, to be consumed once."""
    return _core._to_dlpack(tensor, False, False)


def from_dlpack(ext_tensor, *, device=None, copy=None):
    """A tensor over the memory of another library's array, or of a capsule.

    copy: True always copies, False raises ValueError where a copy would be needed.
    Writes are seen on both sides unless the memory was copied.
    """
    if not hasattr(ext_tensor, "__dlpack__"):
        return _core._from_dlpack(ext_tensor)
    options = {}
    kind, index = _place(ext_tensor)
    if kind == DLDeviceType.kDLCUDA:  # what it was made of is done before our stream goes on
        options["stream"] = lampas.cuda.current_stream(index).cuda_stream or _LEGACY_STREAM
    if copy is not None:
        options["copy"] = copy
    if device is not None:
        options["dl_device"] = _dlpack_device(_core.device(device))
    try:
        capsule = ext_tensor.__dlpack__(max_version=(1, 0), **options)
    except TypeError:  # a producer from before version 1
        kept = {"stream": options["stream"]} if "stream" in options else {}
        capsule = ext_tensor.__dlpack__(**kept)
    tensor = _core._from_dlpack(capsule)
    return tensor if device is None else tensor.to(device)


def _place(producer):
    """(kind, index) of where an array lies; the CPU for producers that do not say."""
    ask = getattr(producer, "__dlpack_device__", None)
    return (DLDeviceType.kDLCPU, 0) if ask is None else tuple(ask())


def _let_wait(tensor, stream):
    """The consumer's stream waits for what the tensor's device has been given.

    stream: None or 1 the default one, -1 nobody waits, above 2 the driver's handle.
    """
    if stream == -1:
        return
    if stream == _PER_THREAD_STREAM:
        raise BufferError("per-thread default stream is not supported.")
    if stream == 0:
        raise BufferError(f"unsupported stream on CUDA: {stream}.")
    index = tensor.device.index
    handle = 0 if stream in (None, _LEGACY_STREAM) else stream
    consumer, current = lampas.cuda.ExternalStream(handle, index), lampas.cuda.current_stream(index)
    if consumer != current:
        consumer.wait_stream(current)


def _dlpack_device(device):
    if device.type == "cpu":
        return DLDeviceType.kDLCPU, 0
    if device.type == "cuda":
        return DLDeviceType.kDLCUDA, device.index or 0
    raise ValueError(f"Unknown device type {device.type} for Dlpack")


def export(tensor, stream, max_version, dl_device, copy):
    """What `Tensor.__dlpack__` does; arguments as the protocol defines them."""
    if tensor.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if stream not in (None, -1):
        if not isinstance(stream, int):
            raise TypeError("stream must be ``int`` or ``none``")
        if tensor.device.type == "cpu":
            raise AssertionError("stream should be None on cpu.")
    if tensor.is_cuda:
        _let_wait(tensor, stream)
    elsewhere = dl_device is not None and tuple(dl_device) != device_of(tensor)
    if elsewhere and copy is False:
        raise ValueError("cannot move the tensor to another device without a copy")
    if elsewhere and dl_device[0] not in (DLDeviceType.kDLCPU, DLDeviceType.kDLCUDA):
        raise BufferError(f"cannot export a tensor of {tensor.device} to DLPack device {dl_device}")
    if elsewhere:
        on_cpu = dl_device[0] == DLDeviceType.kDLCPU
        tensor = tensor.to("cpu" if on_cpu else _core.device("cuda", int(dl_device[1])))
    elif copy:
        tensor = tensor.clone()
    versioned = max_version is not None and max_version[0] >= 1
    return _core._to_dlpack(tensor, versioned, bool(copy or elsewhere))


def device_of(tensor):
    """(kind, index), what `Tensor.__dlpack_device__` returns."""
    return _dlpack_device(tensor.device)
