"""Copies of a module on several GPUs, whose gradients come back to the one it was copied from."""

from lampas.cuda import comm

__all__ = ["replicate"]


def replicate(network, devices, detach=False):
    """A list of copies of a module, one for each device.

    A copy's parameters are plain tensors, copied from the module's in a way that gradients flow back
    to them (not with `detach`); `parameters()` of a copy is empty. Buffers are copied as they are.

    Raises:
        AssertionError: parameters on the CPU.
    """
    held = [*network.parameters(), *network.buffers()]
    if any(x.device.type == "cpu" for x in held):
        raise AssertionError("Broadcast function not implemented for CPU tensors")
    return [_copy(network, comm.on(device), detach, {}, {}) for device in devices]


def _copy(module, device, detach, modules, tensors):
    """The copy on one device; modules and tensors that stand in several places are copied once."""
    if module in modules:
        return modules[module]
    made = modules[module] = module._replicate_for_data_parallel()
    for name, p in module._parameters.items():
        value = None if p is None else _moved(p, device, detach, tensors)
        made._former_parameters[name] = value
        setattr(made, name, value)  # recurrent layers keep a list of theirs
    for name, b in module._buffers.items():
        made._buffers[name] = None if b is None else _moved(b, device, True, tensors)
    made._modules = {
        name: None if child is None else _copy(child, device, detach, modules, tensors)
        for name, child in module._modules.items()
    }
    return made


def _moved(x, device, detach, tensors):
    if id(x) not in tensors:
        source = x.detach() if detach else x
        there = source.to(device, non_blocking=True)
        tensors[id(x)] = there.view_as(there) if there is x else there  # no parameter
    return tensors[id(x)]
