"""`torch.utils.flop_counter`: a counter that can be made and read; operators are not counted, so it cannot run."""

from lampas import unavailable

_HINT = "operators are not counted"
register_flop_formula = unavailable.function(
    "torch.utils.flop_counter.register_flop_formula", _HINT
)


class FlopCounterMode:
    """Counts of floating-point operations. Entering it raises NotImplementedError; until then all are 0."""

    def __init__(self, mods=None, depth=2, display=True, custom_mapping=None):
        self.depth, self.display = depth, display
        self.flop_counts = {}

    def __enter__(self):
        raise NotImplementedError(
            unavailable.message("torch.utils.flop_counter.FlopCounterMode", _HINT)
        )

    def __exit__(self, *_):
        return False

    def get_total_flops(self):
        """0: nothing was counted."""
        return 0

    def get_flop_counts(self):
        """Counts by module and operator: none."""
        return {}
