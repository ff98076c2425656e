"""The older names of mixed precision on the CPU."""

from lampas.amp.older_names import names

__all__ = ["GradScaler", "autocast"]  # noqa: F822 (made below)
globals().update(names("cpu"))
