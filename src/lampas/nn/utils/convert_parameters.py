"""Parameters as one vector, and back."""

import lampas


def _check_param_device(param, old_param_device):
    """Check that all parameters are on one device; gives its index, -1 for the CPU."""
    device = param.get_device() if param.is_cuda else -1
    if old_param_device is not None and device != old_param_device:
        raise TypeError(
            "Found two parameters on different devices, this is currently not supported."
        )
    return device


def parameters_to_vector(parameters):
    """All parameters flattened, one after the other.

    Raises:
        TypeError: parameters on different devices.
    """
    device, pieces = None, []
    for param in parameters:
        device = _check_param_device(param, device)
        pieces.append(param.view(-1))
    return lampas.cat(pieces)


def vector_to_parameters(vec, parameters):
    """Make the parameters views of the pieces of a vector.

    Raises:
        TypeError: not a tensor, or parameters on different devices.
    """
    if not isinstance(vec, lampas.Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {lampas.typename(vec)}")
    device, start = None, 0
    for param in parameters:
        device = _check_param_device(param, device)
        end = start + param.numel()
        param.data = vec[start:end].view_as(param).data
        start = end
