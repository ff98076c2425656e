"""Transforms that apply others to the parts of a tensor along a dimension."""

import lampas
from lampas.distributions import constraints
from lampas.distributions.transform import Transform
from lampas.distributions.utils import _sum_rightmost, lazy_property


class _Joined(Transform):
    """Transforms `tseq` of the parts along `dim`."""

    def __init__(self, tseq, dim, cache_size):
        assert all(isinstance(t, Transform) for t in tseq), (
            "All elements of tseq must be Transform instances"
        )
        if cache_size:
            tseq = [t.with_cache(cache_size) for t in tseq]
        super().__init__(cache_size=cache_size)
        self.transforms = list(tseq)
        self.dim = dim

    @property
    def bijective(self):
        return all(t.bijective for t in self.transforms)

    def _check_part(self, name, value, count, told):
        assert -value.dim() <= self.dim < value.dim(), (
            f"dim {self.dim} out of range for tensor with {value.dim()} dimensions"
        )
        assert value.size(self.dim) == count, (
            f"{name}.size({self.dim}) = {value.size(self.dim)} must equal {told} {count}"
        )


class CatTransform(_Joined):
    """Transforms of consecutive slices along `dim`, of the sizes `lengths` (1 each by default)."""

    def __init__(self, tseq, dim=0, lengths=None, cache_size=0):
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        assert len(self.lengths) == len(self.transforms), (
            f"lengths ({len(self.lengths)}) must match transforms ({len(self.transforms)})"
        )

    @lazy_property
    def event_dim(self):
        return max(t.event_dim for t in self.transforms)

    @lazy_property
    def length(self):
        """The size of the whole along `dim`."""
        return sum(self.lengths)

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    def _slices(self, name, value):
        self._check_part(name, value, self.length, "length")
        start = 0
        for length in self.lengths:
            yield value.narrow(self.dim, start, length)
            start += length

    def _call(self, x):
        parts = [t(part) for t, part in zip(self.transforms, self._slices("x", x))]
        return lampas.cat(parts, dim=self.dim)

    def _inverse(self, y):
        parts = [t.inv(part) for t, part in zip(self.transforms, self._slices("y", y))]
        return lampas.cat(parts, dim=self.dim)

    def log_abs_det_jacobian(self, x, y):
        terms = []
        for t, before, after in zip(self.transforms, self._slices("x", x), self._slices("y", y)):
            term = t.log_abs_det_jacobian(before, after)
            if t.event_dim < self.event_dim:
                term = _sum_rightmost(term, self.event_dim - t.event_dim)
            terms.append(term)
        dim = self.dim if self.dim < 0 else self.dim - x.dim()
        dim += self.event_dim
        # Slices along an event dimension make one value, whose determinants multiply.
        return lampas.cat(terms, dim=dim) if dim < 0 else sum(terms)

    @constraints.dependent_property
    def domain(self):
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self):
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


class StackTransform(_Joined):
    """Transforms of the entries along `dim`, one for each."""

    def __init__(self, tseq, dim=0, cache_size=0):
        super().__init__(tseq, dim, cache_size)

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return StackTransform(self.transforms, self.dim, cache_size)

    def _slice(self, z):
        return [z.select(self.dim, i) for i in range(z.size(self.dim))]

    def _entries(self, name, value):
        self._check_part(name, value, len(self.transforms), "len(transforms)")
        return self._slice(value)

    def _call(self, x):
        parts = [t(entry) for t, entry in zip(self.transforms, self._entries("x", x))]
        return lampas.stack(parts, dim=self.dim)

    def _inverse(self, y):
        parts = [t.inv(entry) for t, entry in zip(self.transforms, self._entries("y", y))]
        return lampas.stack(parts, dim=self.dim)

    def log_abs_det_jacobian(self, x, y):
        entries = zip(self.transforms, self._entries("x", x), self._entries("y", y))
        terms = [t.log_abs_det_jacobian(before, after) for t, before, after in entries]
        return lampas.stack(terms, dim=self.dim)

    @constraints.dependent_property
    def domain(self):
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self):
        return constraints.stack([t.codomain for t in self.transforms], self.dim)
