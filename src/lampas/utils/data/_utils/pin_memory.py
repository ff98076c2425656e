"""Page-locked copies of a batch's tensors; without a CUDA device the batch itself."""

import warnings

import lampas


def warn_without_device(device):
    """Tells that `pin_memory=True` does nothing here, and that `pin_memory_device` never does."""
    if device:
        warnings.warn(
            "pin_memory_device is deprecated, the current accelerator will be used as the device,"
            f"ignore pin_memory_device='{device}'.",
            stacklevel=2,
        )
    if not lampas.cuda.is_available():
        warnings.warn(
            "'pin_memory' argument is set as true but no accelerator is found, then device pinned "
            "memory won't be used.",
            stacklevel=2,
        )


def pin_memory(data, device=None):
    """`data` with every tensor in page-locked memory, where a device could use it."""
    if not lampas.cuda.is_available():
        return data
    if isinstance(data, lampas.Tensor):
        return data.pin_memory()
    if hasattr(data, "pin_memory"):
        return data.pin_memory()
    if isinstance(data, dict):
        return type(data)({key: pin_memory(value, device) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(pin_memory(value, device) for value in data))
    if isinstance(data, (list, tuple)):  # a tuple becomes a list, as in PyTorch
        return [pin_memory(value, device) for value in data]
    return data
