"""The enumerations of `scaled_mm`; loaded on first use."""

import enum


class ScalingType(enum.IntEnum):
    """How the scales of `scaled_mm` cover their matrix."""

    TensorWise = 0
    RowWise = 1
    BlockWise1x16 = 2
    BlockWise1x32 = 3
    BlockWise1x128 = 4
    BlockWise128x128 = 5


class SwizzleType(enum.IntEnum):
    """The order in which the scales of `scaled_mm` are stored."""

    NO_SWIZZLE = 0
    SWIZZLE_32_4_4 = 1
