"""`torch.xpu` (Intel GPUs), of which there are none; see `accelerators`."""

from lampas import accelerators

globals().update(accelerators.xpu())
