"""`torch._tensor` as files name it: tensors of a subclass, or with attributes of their own."""

import lampas


def _rebuild_from_type_v2(func, new_type, args, state):
    """`func(*args)` as a `new_type` with `state` as its attributes."""
    tensor = func(*args)
    if type(tensor) is not new_type:
        tensor = tensor.as_subclass(new_type)
    setstate = getattr(new_type, "__setstate__", None)
    if setstate is not None and setstate is not getattr(lampas.Tensor, "__setstate__", None):
        tensor.__setstate__(state)
        return tensor
    if isinstance(state, tuple):
        state, slots = state
        for name, value in (slots or {}).items():
            setattr(tensor, name, value)
    if state:
        tensor.__dict__.update(state)
    return tensor
