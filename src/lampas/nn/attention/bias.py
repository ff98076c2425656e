"""Causal masks that know how they are aligned."""

import lampas
from lampas.nn.functional import scaled_dot_product_attention


def causal_upper_left(*size):
    """True where query i may see key j: j <= i, for (L, S)."""
    length, source = size
    return lampas.ones(length, source, dtype=lampas.bool).tril()


def causal_lower_right(*size):
    """True where query i may see key j, the last query seeing all keys: j - i <= S - L."""
    length, source = size
    return lampas.ones(length, source, dtype=lampas.bool).tril(source - length)


__all__ = ["causal_lower_right", "causal_upper_left", "scaled_dot_product_attention"]
