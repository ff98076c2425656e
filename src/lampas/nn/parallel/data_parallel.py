"""DataParallel: a batch cut over several GPUs of one process."""

from itertools import chain

import lampas
from lampas._utils import _get_device_index
from lampas.nn.modules.module import Module

__all__ = ["DataParallel", "data_parallel"]


def _devices(device_ids):
    """The device numbers to use: all GPUs by default."""
    if device_ids is None:
        return list(range(lampas.cuda.device_count()))
    return [_get_device_index(device, optional=True) for device in device_ids]


def _check_placement(module, device):
    for t in chain(module.parameters(), module.buffers()):
        if t.device != device:
            raise RuntimeError(
                "module must have its parameters and buffers "
                f"on device {device} (device_ids[0]) but found one of "
                f"them on device: {t.device}"
            )


class DataParallel(Module):
    """Calls its submodule `module` on several GPUs, each with its share of the batch.

    device_ids: None for all GPUs; the module's parameters lie on the first. output_device: where the
    outputs are joined, the first by default. dim: along which inputs are cut and outputs joined.
    Gradients are summed on the first GPU. Without a GPU the module is called as it is.

    Raises:
        RuntimeError: in a call, parameters or buffers that are not on the first GPU.
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        self.module = module
        self.device_ids = _devices(device_ids) if lampas.cuda.is_available() else []
        if not self.device_ids:
            return
        self.dim = dim
        first = self.device_ids[0] if output_device is None else output_device
        self.output_device = _get_device_index(first, optional=True)
        self.src_device_obj = lampas.device("cuda", self.device_ids[0])
        if len(self.device_ids) == 1:
            self.module.to(self.src_device_obj)

    def forward(self, *inputs, **kwargs):
        if not self.device_ids:
            return self.module(*inputs, **kwargs)
        _check_placement(self.module, self.src_device_obj)
        inputs, kwargs = self.scatter(inputs, kwargs, self.device_ids)
        if not inputs and not kwargs:
            inputs, kwargs = ((),), ({},)
        if len(self.device_ids) == 1:
            return self.module(*inputs[0], **kwargs[0])
        replicas = self.replicate(self.module, self.device_ids[: len(inputs)])
        return self.gather(self.parallel_apply(replicas, inputs, kwargs), self.output_device)

    def replicate(self, module, device_ids):
        """See `torch.nn.parallel.replicate`."""
        from lampas.nn.parallel.replicate import replicate

        return replicate(module, device_ids, not lampas.is_grad_enabled())

    def scatter(self, inputs, kwargs, device_ids):
        """(inputs, keywords) for each GPU."""
        from lampas.nn.parallel.scatter_gather import scatter_kwargs

        return scatter_kwargs(inputs, kwargs, device_ids, self.dim)

    def parallel_apply(self, replicas, inputs, kwargs):
        """See `torch.nn.parallel.parallel_apply`."""
        from lampas.nn.parallel.parallel_apply import parallel_apply

        return parallel_apply(replicas, inputs, kwargs, self.device_ids[: len(replicas)])

    def gather(self, outputs, output_device):
        """See `torch.nn.parallel.gather`."""
        from lampas.nn.parallel.scatter_gather import gather

        return gather(outputs, output_device, self.dim)


def data_parallel(module, inputs, device_ids=None, output_device=None, dim=0, module_kwargs=None):
    """`module` on its inputs, over several GPUs, without a wrapper. RuntimeError without a GPU."""
    if not lampas.cuda.is_available():
        raise RuntimeError("device type could not be determined")
    if not isinstance(inputs, tuple):
        inputs = (inputs,) if inputs is not None else ()
    wrapper = DataParallel.__new__(DataParallel)
    Module.__init__(wrapper)
    wrapper.device_ids, wrapper.dim = _devices(device_ids), dim
    first = wrapper.device_ids[0] if output_device is None else output_device
    wrapper.output_device = _get_device_index(first, optional=True, allow_cpu=True)
    wrapper.src_device_obj = lampas.device("cuda", wrapper.device_ids[0])
    wrapper.module = module
    return wrapper.forward(*inputs, **(module_kwargs or {}))
