"""Page-locked copies of a batch's tensors; without a CUDA device the batch itself."""

import lampas


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
    if isinstance(data, (list, tuple)):
        return type(data)(pin_memory(value, device) for value in data)
    return data
