"""The `reduction` argument of losses: its integer code, and the older boolean spelling."""

import warnings

CODES = {"none": 0, "mean": 1, "sum": 2}


def get_enum(reduction):
    """0, 1 or 2 for "none", "mean" or "sum"."""
    try:
        return CODES[reduction]
    except (KeyError, TypeError):
        pass
    if reduction == "elementwise_mean":
        warnings.warn(
            "reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.",
            stacklevel=3,
        )
        return 1
    raise ValueError(f"{reduction} is not a valid value for reduction")


def legacy_get_string(size_average, reduce, emit_warning=True):
    """The reduction that the older `size_average` and `reduce` arguments mean."""
    if reduce is False:
        found = "none"
    else:
        found = "sum" if size_average is False else "mean"
    if emit_warning:
        warnings.warn(
            "size_average and reduce args will be deprecated, please use "
            f"reduction='{found}' instead.",
            stacklevel=4,
        )
    return found


def legacy_get_enum(size_average, reduce, emit_warning=True):
    """The integer code of what `size_average` and `reduce` mean."""
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))


def code(reduction, size_average=None, reduce=None):
    """The integer code, whichever of the two spellings is given."""
    if size_average is not None or reduce is not None:
        return legacy_get_enum(size_average, reduce)
    return get_enum(reduction)


def name(reduction, size_average, reduce):
    """The reduction's name, whichever of the two spellings is given."""
    if size_average is not None or reduce is not None:
        return legacy_get_string(size_average, reduce)
    return reduction
