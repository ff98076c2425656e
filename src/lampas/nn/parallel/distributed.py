"""DistributedDataParallel in a world of one process: gradients are their own average."""

import contextlib

from lampas import unavailable
from lampas.distributed import world
from lampas.nn.modules.module import Module


class DistributedDataParallel(Module):
    """Wraps a module as its submodule `module`; keys of its state dict begin with `module.`.

    The default process group must be initialised (`torch.distributed.init_process_group`).

    Raises RuntimeError for a module without a parameter that requires a gradient, ValueError for
    `device_ids` with parameters on the CPU.
    """

    def __init__(
        self, module, device_ids=None, output_device=None, dim=0, broadcast_buffers=True,
        init_sync=True, process_group=None, bucket_cap_mb=None, find_unused_parameters=False,
        check_reduction=False, gradient_as_bucket_view=False, static_graph=False, **options,
    ):  # fmt: skip
        super().__init__()
        self.process_group = world.member(process_group)
        wanted = [p for p in module.parameters() if p.requires_grad]
        if not wanted:
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameter "
                "that requires a gradient."
            )
        if device_ids is not None and len(device_ids) > 1:
            raise ValueError("device_ids can only be None or contain a single element.")
        devices = {p.device for p in wanted}
        if (device_ids or output_device is not None) and devices == {_cpu()}:
            raise ValueError(
                "DistributedDataParallel device_ids and output_device arguments only work with "
                "single-device/multiple-device GPU modules or CPU modules, but got device_ids "
                f"{device_ids}, output_device {output_device}, and module parameters {devices}."
            )
        self.module = module
        self.device_ids = self.output_device = None
        self.device = wanted[0].device
        self.device_type = self.device.type
        self.is_multi_device_module = len(devices) > 1
        self.dim, self.broadcast_buffers = dim, broadcast_buffers
        self.find_unused_parameters, self.static_graph = find_unused_parameters, static_graph
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.require_backward_grad_sync = True
        self.bucket_bytes_cap = int((25 if bucket_cap_mb is None else bucket_cap_mb) * 1024**2)

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)

    @contextlib.contextmanager
    def no_sync(self):
        """Context: gradients are not averaged, only accumulated."""
        kept, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = kept

    @contextlib.contextmanager
    def join(
        self, divide_by_initial_world_size=True, enable=True, throw_on_early_termination=False
    ):
        """Context: ranks may have different numbers of batches; there is one rank."""
        yield

    def register_comm_hook(self, state, hook):
        """Raises NotImplementedError: gradients are not communicated."""
        name = "torch.nn.parallel.DistributedDataParallel.register_comm_hook"
        raise NotImplementedError(unavailable.message(name, "Lampas runs one process"))

    def _set_static_graph(self):
        self.static_graph = True


def _cpu():
    from lampas import device

    return device("cpu")
