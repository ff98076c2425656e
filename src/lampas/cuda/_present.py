"""What `lampas.cuda` answers where there is a GPU; `__init__.py` puts these names over its own.

Devices; streams, memory and graphs are in files of their own. Names that are not there keep saying
that they are not available.
"""

from lampas import _core
from lampas._utils import _get_device_index
from lampas.cuda import _graphs, _memory, _streams
from lampas.cuda._streams import index_of as _index

_NO_NVML = "nvidia-ml-py does not seem to be installed or it can't be imported."


class _Properties:
    """What a device is like; sizes in bytes, clocks in kHz."""

    def __init__(self, device):
        self.__dict__.update(_core._cuda_properties(device))

    def __repr__(self):
        return (
            f"_CudaDeviceProperties(name='{self.name}', major={self.major}, minor={self.minor}, "
            f"total_memory={self.total_memory >> 20}MB, "
            f"multi_processor_count={self.multi_processor_count}, pci_bus_id={self.pci_bus_id}, "
            f"pci_device_id={self.pci_device_id}, pci_domain_id={self.pci_domain_id}, "
            f"L2_cache_size={self.L2_cache_size >> 20}MB)"
        )


def is_available():
    """Whether there is a GPU that can be used."""
    return True


def device_count():
    """How many GPUs there are."""
    return _core._cuda_device_count()


def is_initialized():
    """True: devices are opened when they are first used."""
    return True


def init():
    """Nothing to do: devices are opened when they are first used."""


def is_bf16_supported(including_emulation=True):
    """Whether the current device computes in bfloat16 (by itself from compute capability 8.0 on)."""
    return including_emulation or get_device_capability() >= (8, 0)


def is_tf32_supported():
    """Whether the current device has TF32."""
    return get_device_capability() >= (8, 0)


def current_device():
    """The number of this thread's current device."""
    return _core._cuda_current_device()


def set_device(device):
    """Makes a device current on this thread. A negative number does nothing."""
    index = _get_device_index(device, optional=True)
    if index is not None and index >= 0:
        _core._cuda_set_device(index)


def synchronize(device=None):
    """Waits until a device (None: the current one) has done all its work."""
    _core._cuda_synchronize(_index(device))


def get_device_properties(device=None):
    """Name, compute capability, memory and size of a device."""
    return _Properties(_index(device))


def get_device_name(device=None):
    """The name of a device."""
    return get_device_properties(device).name


def get_device_capability(device=None):
    """(major, minor) compute capability of a device."""
    properties = get_device_properties(device)
    return properties.major, properties.minor


def can_device_access_peer(device, peer_device):
    """Whether a device may read another's memory without a detour. AssertionError for no device."""
    for each in (device, peer_device):
        index = _get_device_index(each, optional=True)
        if index is None or not 0 <= index < device_count():
            name = "device" if each is device else "peer device"
            raise AssertionError(f"Invalid {name} id")
    return _core._cuda_can_access_peer(_index(device), _index(peer_device))


def get_arch_list():
    """["sm_90", ...]: kernels are compiled on the spot, for the devices that are there."""
    return sorted({"sm_{}{}".format(*get_device_capability(i)) for i in range(device_count())})


def get_gencode_flags():
    """What nvcc would be told to make code for `get_arch_list()`."""
    numbers = (arch[3:] for arch in get_arch_list())
    return " ".join(f"-gencode compute=compute_{n},code=sm_{n}" for n in numbers)


def ipc_collect():
    """Nothing: no memory of a device is shared with other processes."""


def _needs_nvml(name):
    def ask(device=None):
        raise ModuleNotFoundError(_NO_NVML)

    ask.__name__ = ask.__qualname__ = name
    ask.__doc__ = "Raises ModuleNotFoundError: NVIDIA's management library is not used."
    return ask


utilization, temperature, power_draw, clock_rate, memory_usage, device_memory_used = map(
    _needs_nvml,
    (
        "utilization",
        "temperature",
        "power_draw",
        "clock_rate",
        "memory_usage",
        "device_memory_used",
    ),
)


class device:
    """Context: another current device. None and negative indices do nothing."""

    def __init__(self, device):
        index = -1 if device is None else _get_device_index(device, optional=True)
        self.idx = -1 if index is None else index
        self.prev_idx = -1

    def __enter__(self):
        self.prev_idx = current_device()
        set_device(self.idx)

    def __exit__(self, *_):
        set_device(self.prev_idx)
        return False


class device_of(device):
    """Context: the device of a tensor becomes current; a tensor on the CPU does nothing."""

    def __init__(self, obj):
        super().__init__(obj.get_device() if obj.is_cuda else -1)


def names():
    """What stands in `lampas.cuda` where there is a GPU."""
    own = {k: v for k, v in globals().items() if not k.startswith("_") and k != "names"}
    parts = {k: getattr(part, k) for part in (_streams, _memory, _graphs) for k in part.__all__}
    return {**own, **parts}
