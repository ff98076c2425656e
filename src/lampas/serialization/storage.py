"""The bytes of a storage, and a storage of bytes; where a storage goes (`map_location`)."""

import lampas
from lampas.ops.untyped_storage import flat_tensor
from lampas.storage import CLASSES, TypedStorage


def storage_bytes(storage):
    """A storage's content as a flat, writable view of its memory (of a copy, from a device)."""
    return memoryview(storage if storage.device.type == "cpu" else storage.cpu()).cast("B")


def mapped_storage(buffer, offset, count):
    """A storage on top of a part of a writable buffer, which it keeps alive."""
    if not count:
        return lampas.UntypedStorage(0)
    flat = lampas.frombuffer(buffer, dtype=lampas.uint8, offset=offset, count=count)
    return flat.untyped_storage()[:count]


def part(storage, start, count):
    """A storage over some bytes of another one."""
    return storage[start : start + count]


def clean_bools(storage):
    """Make every byte 0 or 1, as the core relies on. A damaged or hostile file may hold others."""
    if not storage.nbytes() or storage.device.type == "meta":
        return
    values = flat_tensor(storage, lampas.uint8)
    if values.max().item() > 1:
        values.copy_(values != 0)


def swap_bytes(buffer, size):
    """Reverse the byte order of every element of `size` bytes, in place."""
    for i in range(size // 2):
        j = size - 1 - i
        buffer[i::size], buffer[j::size] = bytes(buffer[j::size]), bytes(buffer[i::size])


_packages = []  # (priority, tagger, deserializer), lowest priority first


def register_package(priority, tagger, deserializer):
    """Teach `save` and `load` a device: `tagger(storage)` and `deserializer(storage, location)`
    return None for devices that are not theirs. Lower priorities are asked first."""
    _packages.append((priority, tagger, deserializer))
    _packages.sort(key=lambda entry: entry[0])


def location_tag(storage):
    """The location that a file notes for a storage."""
    storage = storage.untyped()
    for _, tagger, _ in _packages:
        location = tagger(storage)
        if location is not None:
            return location
    raise RuntimeError(f"don't know how to determine data location of {_type_name(storage)}")


def default_restore_location(storage, location):
    """The storage on the device of `location`. RuntimeError where no package knows it."""
    storage = storage.untyped()
    for _, _, deserializer in _packages:
        result = deserializer(storage, location)
        if result is not None:
            return result
    if location == "meta":
        return lampas.empty(storage.nbytes(), dtype=lampas.uint8, device="meta").untyped_storage()
    raise RuntimeError(
        f"don't know how to restore data location of {_type_name(storage)} (tagged with {location})"
    )


def restorer(map_location):
    """`map_location` in any of its forms, as a function of storage and location."""
    if map_location is None:
        return default_restore_location
    if isinstance(map_location, dict):
        return lambda storage, location: default_restore_location(
            storage, map_location.get(location, location)
        )
    if isinstance(map_location, (str, bytes)):
        return lambda storage, location: default_restore_location(storage, map_location)
    if isinstance(map_location, lampas.device):
        return lambda storage, location: default_restore_location(storage, str(map_location))

    def chosen(storage, location):
        result = map_location(storage, location)
        return default_restore_location(storage, location) if result is None else result

    return chosen


def restored(restore, storage, location):
    """`restore(storage, location)` as an untyped storage."""
    result = restore(storage, location)
    result = getattr(result, "_untyped_storage", result)
    return TypedStorage._made((), result, lampas.uint8).untyped()  # TypeError for what is none


def _type_name(storage):
    return f"torch.storage.{type(storage).__name__}"


def normalize_storage_type(storage_type):
    """The class of a storage type: files and old code may name one of CUDA."""
    return CLASSES.get(storage_type.__name__, storage_type)


def storage_to_tensor_type(storage):
    """The tensor type for a storage: `FloatTensor` for a `FloatStorage`."""
    return getattr(lampas, storage.pickle_storage_type().replace("Storage", "Tensor"))


def _cpu_tag(storage):
    return "cpu" if storage.device.type == "cpu" else None


def _cpu_deserialize(storage, location):
    return storage if location == "cpu" else None


def _cuda_tag(storage):
    device = storage.device
    return f"cuda:{device.index}" if device.type == "cuda" else None


def validate_cuda_device(location):
    """The device's index. RuntimeError where there is no such CUDA device."""
    if not lampas.cuda.is_available():
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is "
            "False. If you are running on a CPU-only machine, please use torch.load with "
            "map_location=torch.device('cpu') to map your storages to the CPU."
        )
    index = lampas.device(location).index or 0
    count = lampas.cuda.device_count()
    if index >= count:
        raise RuntimeError(
            f"Attempting to deserialize object on CUDA device {index} but "
            f"torch.cuda.device_count() is {count}. Please use torch.load with map_location to "
            "map your storages to an existing device."
        )
    return index


def validate_hpu_device(location):
    """RuntimeError: there are no HPU devices."""
    raise RuntimeError(
        "The HPU device module is not registered. "
        "If you are running on a CPU-only machine, please use torch.load with "
        "map_location=torch.device('cpu') to map your storages to the CPU."
    )


def _cuda_deserialize(storage, location):
    if not str(location).startswith("cuda"):
        return None
    return storage.cuda(validate_cuda_device(location))


def _absent_deserialize(storage, location):
    """PyTorch's errors for devices that it knows and Lampas does not have."""
    if str(location).startswith("mps"):
        raise RuntimeError("torch.UntypedStorage(): Storage device not recognized: mps")
    if str(location).startswith("hpu"):
        validate_hpu_device(location)


register_package(10, _cpu_tag, _cpu_deserialize)
register_package(20, _cuda_tag, _cuda_deserialize)
register_package(21, lambda storage: None, _absent_deserialize)
