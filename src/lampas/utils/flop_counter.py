"""`torch.utils.flop_counter`: names only; operators are not counted."""

from lampas import unavailable

globals().update(
    unavailable.names(
        "torch.utils.flop_counter",
        "register_flop_formula",
        "FlopCounterMode",
        "operators are not counted",
    )
)
