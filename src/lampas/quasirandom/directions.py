"""Sobol's direction numbers by dimension, read from `directions.bin` (see DIRECTIONS.txt).

The file, compressed, has one entry a dimension: the primitive polynomial in three bytes (its bits are
the coefficients, highest first) and, packed in as few bytes as they need, the first numbers m_1 ... m_s
of its degree s. m_i is odd and below 2^i, so i - 1 bits of it are kept, m_1 lowest.
"""

import functools
import zlib
from pathlib import Path

import lampas

BITS = 30  # of a point's coordinate
MOST = 21201  # dimensions


def packed(polynomial, numbers):
    """The bytes of one dimension."""
    bits = sum((m >> 1) << ((i - 1) * (i - 2) // 2) for i, m in enumerate(numbers, 1))
    size = (len(numbers) * (len(numbers) - 1) // 2 + 7) // 8
    return polynomial.to_bytes(3, "little") + bits.to_bytes(size, "little")


@functools.cache
def _content():
    return zlib.decompress((Path(__file__).parent / "directions.bin").read_bytes())


def table(dimension):
    """(dimension, 30) int64: v_j = m_j 2^(30-j), the points' binary fractions times 2^30."""
    content, place, rows = _content(), 0, [[1] * BITS]
    for _ in range(dimension - 1):
        polynomial = int.from_bytes(content[place : place + 3], "little")
        degree = polynomial.bit_length() - 1
        size = (degree * (degree - 1) // 2 + 7) // 8
        bits = int.from_bytes(content[place + 3 : place + 3 + size], "little")
        place += 3 + size
        rows.append(_row(polynomial, degree, bits))
    m = lampas.tensor(rows, dtype=lampas.int64)
    return m << (BITS - 1 - lampas.arange(BITS))


def _row(polynomial, degree, bits):
    """m_1 ... m_30 by the recurrence of the polynomial (Bratley and Fox, 1988)."""
    m = []
    for i in range(1, degree + 1):
        m.append((bits >> ((i - 1) * (i - 2) // 2) & ((1 << (i - 1)) - 1)) << 1 | 1)
    for i in range(degree, BITS):
        value = m[i - degree] ^ (m[i - degree] << degree)
        for k in range(1, degree):
            if polynomial >> (degree - k) & 1:
                value ^= m[i - k] << k
        m.append(value)
    return m
