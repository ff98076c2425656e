"""`torch.cuda.graphs`: graphs of a device's work, as `lampas.cuda` has them."""


def __getattr__(name):
    import lampas

    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(lampas.cuda, name)
