"""`torch._prims_common`: the few questions about tensors that packages ask there."""


def is_contiguous_or_false(a):
    """Whether the tensor lies in memory in row-major order."""
    return a.is_contiguous()


def alert_not_deterministic(caller):
    """Nothing: every operator here is deterministic."""
