"""`torch.mtia` (Meta accelerators), of which there are none; see `accelerators`."""

from lampas import accelerators

globals().update(accelerators.mtia())
