"""Quasi-random points: Sobol sequences, with PyTorch's numbers.

Sources: Joe and Kuo, "Constructing Sobol sequences with better two-dimensional projections", 2008 (the
directions, in `directions`); Matousek, "On the L2-discrepancy for anchored boxes", 1998 (scrambling).
"""

import lampas
from lampas.quasirandom import directions

__all__ = ["SobolEngine"]


class SobolEngine:
    """Points of a Sobol sequence in the unit cube, one draw going on where the last ended.

    dimension: from 1 to 21201, else ValueError. scramble: a random lower triangular matrix of bits for
    each dimension and a shift, by `seed` or from the global random stream.
    """

    MAXBIT = directions.BITS
    MAXDIM = directions.MOST

    def __init__(self, dimension, scramble=False, seed=None):
        if dimension > self.MAXDIM or dimension < 1:
            raise ValueError(
                f"Supported range of dimensionality for SobolEngine is [1, {self.MAXDIM}]"
            )
        self.dimension, self.scramble, self.seed = dimension, scramble, seed
        self.num_generated = 0
        self.sobolstate = directions.table(dimension)
        self.shift = lampas.zeros(dimension, dtype=lampas.int64)
        if scramble:
            self._scramble()
        self.quasi = self.shift.clone()
        self._first_point = (self.quasi / 2**self.MAXBIT).reshape(1, -1)

    def _scramble(self):
        generator = None if self.seed is None else lampas.Generator().manual_seed(self.seed)
        bits, size = self.MAXBIT, self.dimension
        place = lampas.arange(bits)
        flips = lampas.randint(2, (size, bits), generator=generator)
        self.shift = (flips << place).sum(1)
        matrix = lampas.randint(2, (size, bits, bits), generator=generator).tril()
        matrix.diagonal(dim1=-2, dim2=-1).fill_(1)
        down = bits - 1 - place  # the highest bit first
        rows = (matrix << down).sum(-1)  # (D, p): row p of the matrix as one number
        scrambled = lampas.zeros_like(self.sobolstate)
        for p in range(bits):
            scrambled |= _parity(rows[:, p, None] & self.sobolstate) << int(down[p])
        self.sobolstate = scrambled

    def draw(self, n=1, out=None, dtype=None):
        """The next `n` points, (n, dimension), in `dtype` (float32 or float64), or written into `out`."""
        if n < 0 or (n == 0 and self.num_generated == 0):
            size = [n - (self.num_generated == 0), self.dimension]
            raise RuntimeError(f"Trying to create tensor with negative dimension {size[0]}: {size}")
        dtype = lampas.get_default_dtype() if dtype is None else dtype
        if dtype not in (lampas.float32, lampas.float64):
            kind = lampas.empty(0, dtype=dtype).type().rpartition(".")[2].removesuffix("Tensor")
            raise NotImplementedError(f"\"_sobol_engine_draw\" not implemented for '{kind}'")
        points = self._points(self.num_generated, n)
        self._move(n)
        result = points.to(dtype) * 2.0**-self.MAXBIT
        if out is None:
            return result
        return out.resize_as_(result).copy_(result)

    def _points(self, first, count):
        """(count, dimension) int64: point k is the shift and the directions of the bits of k's Gray code."""
        k = lampas.arange(first, first + count)
        gray = (k ^ (k >> 1))[:, None]
        points = self.shift.expand(count, -1).clone()
        for bit in range((first + count).bit_length()):
            if bit == self.MAXBIT:
                raise ValueError(f"SobolEngine: there are 2**{bit} points, not {first + count}")
            points ^= (gray >> bit & 1) * self.sobolstate[:, bit]
        return points

    def _move(self, n):
        self.num_generated += n
        if self.num_generated:
            self.quasi = self._points(self.num_generated - 1, 1)[0]

    def draw_base2(self, m, out=None, dtype=None):
        """The next 2**m points. ValueError where all points so far would not be a power of two."""
        n = 2**m
        total = self.num_generated + n
        if total & (total - 1):
            raise ValueError(
                "The balance properties of Sobol' points require n to be a power of 2. "
                f"{self.num_generated} points have been previously generated, then: "
                f"n={self.num_generated}+2**{m}={total}. If you still want to do this, please use "
                "'SobolEngine.draw()' instead."
            )
        return self.draw(n=n, out=out, dtype=dtype)

    def reset(self):
        """Back to the first point, with the same scrambling; returns itself."""
        self.quasi, self.num_generated = self.shift.clone(), 0
        return self

    def fast_forward(self, n):
        """Leaves out the next `n` points; returns itself."""
        self._move(n)
        return self

    def __repr__(self):
        text = f"dimension={self.dimension}"
        text += ", scramble=True" if self.scramble else ""
        text += f", seed={self.seed}" if self.seed is not None else ""
        return f"{type(self).__name__}({text})"


def _parity(x):
    """Whether the number of ones among the low 32 bits is odd, as 0 or 1."""
    for step in (16, 8, 4, 2, 1):
        x = x ^ (x >> step)
    return x & 1
