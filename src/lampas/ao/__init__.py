"""`torch.ao`: quantisation, by name only."""

from lampas.ao import quantization
