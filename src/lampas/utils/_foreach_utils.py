"""Lists of tensors in groups of one device and dtype, as optimizers want them."""


def _group_tensors_by_device_and_dtype(tensorlistlist, with_indices=False):
    """{(device, dtype): (the lists restricted to the group, places in them)} by the first list.

    tensorlistlist: lists of one length; the later ones may have None. Places are given with_indices.
    """
    groups = {}
    for place, first in enumerate(tensorlistlist[0]):
        lists, places = groups.setdefault(
            (first.device, first.dtype), ([[] for _ in tensorlistlist], [])
        )
        for group, tensors in zip(lists, tensorlistlist):
            if tensors:
                group.append(tensors[place])
        if with_indices:
            places.append(place)
    return groups


def _device_has_foreach_support(device):
    """Whether `_foreach_*` serves the device: the CPU and "meta" are served."""
    return device.type in ("cpu", "meta")


def _has_foreach_support(tensors, device):
    """Whether `_foreach_*` serves these tensors, of which some may be None."""
    return _device_has_foreach_support(device)


def _get_foreach_kernels_supported_devices():
    """Kinds of devices on which optimizers prefer lists: none of those that are here."""
    return []


_get_fused_kernels_supported_devices = _get_foreach_kernels_supported_devices
