"""Building modules without spending time on initial values."""

import lampas


def skip_init(module_cls, *args, **kwargs):
    """A module with uninitialised parameters, on `device` (the CPU by default).

    Raises:
        RuntimeError: the class is no Module or takes no `device`.
    """
    import inspect

    if not issubclass(module_cls, lampas.nn.Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    device = kwargs.pop("device", "cpu")
    return module_cls(*args, device="meta", **kwargs).to_empty(device=device)
