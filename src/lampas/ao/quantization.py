"""`torch.ao.quantization`: the names of `lampas.quantization`."""

from lampas.quantization import *
