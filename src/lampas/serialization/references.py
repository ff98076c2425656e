"""What a pickle says of a storage that lies beside it: ("storage", class, key, location, count)."""

from pickle import UnpicklingError

import lampas
from lampas.serialization.arguments import shown
from lampas.storage import TypedStorage


def storage_reference(reference):
    """dtype (uint8 where it has none), key, location and element count of a reference in a pickle."""
    well_formed = (
        isinstance(reference, tuple)
        and len(reference) in (5, 6)
        and isinstance(reference[1], type)
        and issubclass(reference[1], (TypedStorage, lampas.UntypedStorage))
        and isinstance(reference[2], str)
        and isinstance(reference[3], str)
        and type(reference[4]) is int
        and reference[4] >= 0
    )
    if isinstance(reference, tuple) and reference and reference[0] != "storage":
        raise UnpicklingError(
            "Unknown typename for persistent_load, expected 'storage' but got "
            f"{shown(reference[0])}"
        )
    if not well_formed:
        raise UnpicklingError(f"malformed reference to a storage: {shown(reference)}")
    cls = reference[1]
    if cls is TypedStorage:
        raise UnpicklingError("a reference to a storage names a class without a dtype")
    dtype = lampas.uint8 if cls is lampas.UntypedStorage else cls.dtype
    return dtype, reference[2], reference[3], reference[4]
