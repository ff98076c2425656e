"""`torch.nn.parallel.scatter_gather`: inputs spread over devices, of which there is one."""

from lampas import unavailable
from lampas.nn.parallel.data_parallel import _moved


def scatter(inputs, target_gpus, dim=0):
    """A list of the inputs on one device. NotImplementedError for several devices."""
    if len(target_gpus) != 1:
        raise NotImplementedError(
            unavailable.message("torch.nn.parallel.scatter over several devices")
        )
    return [_moved(inputs, target_gpus[0])]


def gather(outputs, target_device, dim=0):
    """The outputs of one device, on the target device."""
    if len(outputs) != 1:
        raise NotImplementedError(
            unavailable.message("torch.nn.parallel.gather from several devices")
        )
    return _moved(outputs[0], target_device)
