"""DataParallel: runs the wrapped module on one device; several are not supported."""

import lampas
from lampas.nn.modules.module import Module


def _devices(device_ids):
    """The device indices to use: all GPUs by default, none without a GPU."""
    if not lampas.cuda.is_available():
        return []
    if device_ids is None:
        return [0]
    found = [lampas.device(d).index if not isinstance(d, int) else d for d in device_ids]
    if len(found) > 1:
        raise NotImplementedError("DataParallel over several devices")
    return found


class DataParallel(Module):
    """Wraps a module as its submodule `module` and calls it on one device."""

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        self.module = module
        self.device_ids = _devices(device_ids)
        if not self.device_ids:
            return
        self.dim = dim
        self.output_device = self.device_ids[0] if output_device is None else output_device
        self.module.to(f"cuda:{self.device_ids[0]}")

    def forward(self, *inputs, **kwargs):
        if self.device_ids:
            device = f"cuda:{self.device_ids[0]}"
            inputs, kwargs = _moved(inputs, device), _moved(kwargs, device)
        return self.module(*inputs, **kwargs)


def _moved(value, device):
    """All tensors in nested containers on the device."""
    if isinstance(value, lampas.Tensor):
        return value.to(device)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_moved(entry, device) for entry in value))
    if isinstance(value, (list, tuple)):
        return type(value)(_moved(entry, device) for entry in value)
    if isinstance(value, dict):
        return type(value)((key, _moved(entry, device)) for key, entry in value.items())
    return value


def data_parallel(module, inputs, device_ids=None, output_device=None, dim=0, module_kwargs=None):
    """Calls `module` on its inputs, on one device."""
    if not isinstance(inputs, tuple):
        inputs = (inputs,) if inputs is not None else ()
    return DataParallel(module, device_ids, output_device, dim)(*inputs, **(module_kwargs or {}))
