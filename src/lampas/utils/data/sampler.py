"""Samplers: iterables of indices, and of lists of indices. They draw PyTorch's own orders."""

import itertools
import types

import lampas

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]


class Sampler:
    """An iterable of indices of a dataset. Subclasses define `__iter__`, and mostly `__len__`."""

    __class_getitem__ = classmethod(types.GenericAlias)

    def __iter__(self):
        raise NotImplementedError


class SequentialSampler(Sampler):
    """0, 1, ..., len(data_source) - 1."""

    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(Sampler):
    """Indices in random order, or drawn with replacement.

    `num_samples` defaults to the length of `data_source`; without replacement a larger number
    gives one permutation after another. Without `generator` each pass seeds one of its own from
    the global generator.
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        _check_replacement(self.replacement, TypeError)
        _check_num_samples(self.num_samples)

    @property
    def num_samples(self):
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self):
        generator = self._pass_generator()
        n, total = len(self.data_source), self.num_samples
        if self.replacement:
            # Draws of 32, so that a shared generator is left where PyTorch leaves it.
            for start in range(0, total, 32):
                count = min(32, total - start)
                yield from lampas.randint(
                    high=n, size=(count,), dtype=lampas.int64, generator=generator
                ).tolist()
            return
        for _ in range(total // n):
            yield from lampas.randperm(n, generator=generator).tolist()
        # Drawn even where nothing is left to take: the next pass continues the same stream.
        yield from lampas.randperm(n, generator=generator).tolist()[: total % n]

    def __len__(self):
        return self.num_samples

    def _pass_generator(self):
        if self.generator is not None:
            return self.generator
        seed = int(lampas.empty((), dtype=lampas.int64).random_().item())
        return lampas.Generator().manual_seed(seed)

    def _is_one_permutation(self):
        """Whether `_order` gives what iteration gives, and leaves no other generator behind."""
        one_draw = not self.replacement and self.num_samples <= len(self.data_source)
        return one_draw and self.generator is None

    def _order(self):
        """The indices of one pass as one tensor, where it `_is_one_permutation`."""
        order = lampas.randperm(len(self.data_source), generator=self._pass_generator())
        return order[: self.num_samples]


class SubsetRandomSampler(Sampler):
    """The given indices in random order."""

    def __init__(self, indices, generator=None):
        self.indices = indices
        self.generator = generator

    def __iter__(self):
        for i in lampas.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self):
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Indices 0 ... len(weights) - 1 drawn with probabilities proportional to `weights`."""

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        _check_num_samples(num_samples)
        _check_replacement(replacement)
        weights = lampas.as_tensor(weights, dtype=lampas.double)
        if weights.dim() != 1:
            raise ValueError(
                "weights should be a 1d sequence but given weights have shape "
                f"{tuple(weights.shape)}"
            )
        self.weights = weights
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self):
        indices = lampas.multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )
        return iter(indices.tolist())

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` indices of `sampler`; the last may be shorter, or is dropped."""

    def __init__(self, sampler, batch_size, drop_last):
        if not _is_count(batch_size):
            raise ValueError(
                f"batch_size should be a positive integer value, but got batch_size={batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self):
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self):
        if self.drop_last:
            return len(self.sampler) // self.batch_size
        return (len(self.sampler) + self.batch_size - 1) // self.batch_size


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _check_num_samples(value):
    if not _is_count(value):
        text = f"num_samples should be a positive integer value, but got num_samples={value}"
        raise lampas.hints.hinted(ValueError(text))


def _check_replacement(value, error=ValueError):
    if not isinstance(value, bool):
        raise error(f"replacement should be a boolean value, but got replacement={value}")
