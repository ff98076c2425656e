"""`torch.utils.deterministic`: whether uninitialised memory is filled in deterministic mode (kept, no effect)."""

fill_uninitialized_memory = True
