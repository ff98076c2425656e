"""`torch.utils.benchmark`: measured times of statements, with medians and quartiles.

Tables of several measurements (`Compare`), random inputs (`Fuzzer`) and counts of instructions are not
here.
"""

from lampas import unavailable
from lampas.utils.benchmark.measurement import (
    Measurement,
    TaskSpec,
    ordered_unique,
    select_unit,
    trim_sigfig,
    unit_to_english,
)
from lampas.utils.benchmark.timer import Language, Timer, set_torch_threads, timer

__all__ = [
    "Language", "Measurement", "TaskSpec", "Timer", "ordered_unique", "select_unit", "set_torch_threads", "timer",
    "trim_sigfig", "unit_to_english",
]  # fmt: skip
globals().update(
    unavailable.names(
        "torch.utils.benchmark",
        types="CallgrindStats FunctionCount FunctionCounts CopyIfCallgrind Colorize Compare Fuzzer "
        "FuzzedParameter FuzzedTensor FuzzedSparseTensor ParameterAlias",
        hint="Timer measures; print its measurements",
    )
)
