"""`torch.accelerator`: whichever accelerator there is. There is none."""

from lampas import unavailable

is_available = unavailable.answering("torch.accelerator.is_available", False)
device_count = unavailable.answering("torch.accelerator.device_count", 0)


def current_accelerator(check_available=False):
    """None: there is no accelerator."""


def _refusing(name):
    def refuse(*args, **kwargs):
        raise RuntimeError("Cannot access accelerator device when none is available.")

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Raises RuntimeError: there is no accelerator."
    return refuse


for _name in (
    "current_device_index current_device_idx set_device_index set_device_idx current_stream "
    "set_stream synchronize empty_cache memory_allocated max_memory_allocated memory_reserved "
    "max_memory_reserved memory_stats reset_peak_memory_stats reset_accumulated_memory_stats "
    "get_memory_info get_device_capability"
).split():
    globals()[_name] = _refusing(_name)


class device_index:
    """Context: another current device. None does nothing."""

    def __init__(self, device):
        self.idx = device

    def __enter__(self):
        if self.idx is not None:
            set_device_index(self.idx)  # noqa: F821

    def __exit__(self, *_):
        return False
