"""`torch.mps` (Apple GPUs), of which there are none; see `accelerators`."""

from lampas import accelerators

globals().update(accelerators.mps())
