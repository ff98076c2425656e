"""Arguments given once or per dimension."""


def _ntuple(n, name="parse"):
    def parse(value):
        if hasattr(value, "__iter__"):
            return tuple(value)
        return (value,) * n

    parse.__name__ = name
    return parse


_single = _ntuple(1, "_single")
_pair = _ntuple(2, "_pair")
_triple = _ntuple(3, "_triple")
_quadruple = _ntuple(4, "_quadruple")


def _reverse_repeat_tuple(values, times):
    """(a, b) with times 2 becomes (b, b, a, a): the order in which `pad` counts dimensions."""
    return tuple(value for value in reversed(values) for _ in range(times))


def _list_with_default(sizes, defaults):
    """The sizes with each None replaced by the last entries of `defaults`."""
    if isinstance(sizes, int):
        return sizes
    if len(defaults) <= len(sizes):
        raise ValueError(f"Input dimension should be at least {len(sizes) + 1}")
    tail = defaults[len(defaults) - len(sizes) :]
    return [default if size is None else size for size, default in zip(sizes, tail)]
