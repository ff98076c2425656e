"""`torch.quantization` and `torch.ao.quantization`: names only; numbers are not quantised."""

from lampas import unavailable

_HINT = "numbers are not quantised"
globals().update(
    unavailable.names(
        "torch.ao.quantization",
        "convert prepare prepare_qat quantize quantize_qat quantize_dynamic fuse_modules "
        "fuse_modules_qat get_default_qconfig get_default_qat_qconfig default_observer "
        "default_weight_observer default_per_channel_weight_observer propagate_qconfig_ swap_module",
        "QuantStub DeQuantStub QuantWrapper QConfig FakeQuantize ObserverBase MinMaxObserver",
        _HINT,
    )
)
