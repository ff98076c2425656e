"""`torch.ao`: `torch.ao.quantization` is the module `torch.quantization`."""

import sys

from lampas import quantization

sys.modules["lampas.ao.quantization"] = quantization
