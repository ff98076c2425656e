"""`torch.amp.autocast_mode`: the contexts under their older path, and the conversion they use."""

from lampas.amp import autocast, custom_bwd, custom_fwd, is_autocast_available

__all__ = ["autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


def _cast(value, device_type, dtype):
    """The floating-point tensors (but no float64) of nested containers, converted to `dtype`."""
    import lampas
    from lampas.utils._pytree import tree_map

    def converted(x):
        wanted = isinstance(x, lampas.Tensor) and x.is_floating_point()
        wanted = wanted and x.device.type == device_type and x.dtype is not lampas.float64
        return x.to(dtype) if wanted else x

    return tree_map(converted, value)
