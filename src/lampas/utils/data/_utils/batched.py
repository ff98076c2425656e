"""Batches of datasets that are tensors in memory: one indexing call instead of one per sample."""

import lampas
from lampas.utils.data.dataset import Subset, TensorDataset
from lampas.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler


def row_reader(dataset):
    """A function from an index tensor to the collated batch, or None for other datasets.

    Only where the result is what collating the samples one by one gives: a subclass that changes
    the access, or a tensor that records gradients, takes the general path.
    """
    cls = type(dataset)
    if isinstance(dataset, TensorDataset):
        if cls.__getitem__ is not TensorDataset.__getitem__ or hasattr(dataset, "__getitems__"):
            return None
        tensors = dataset.tensors
        if not all(type(t) is lampas.Tensor and not t.requires_grad for t in tensors):
            return None
        return lambda rows: [tensor[rows] for tensor in tensors]
    if isinstance(dataset, Subset):
        if cls.__getitems__ is not Subset.__getitems__:
            return None
        inner = row_reader(dataset.dataset)
        chosen = as_index(dataset.indices) if inner is not None else None
        return None if chosen is None else lambda rows: inner(chosen[rows])
    return None


def as_index(indices):
    """A list of plain integers (or an int64 tensor) as an index tensor; None for anything else."""
    if type(indices) is lampas.Tensor:
        return indices if indices.dtype is lampas.int64 and indices.dim() == 1 else None
    if type(indices) is range:
        return lampas.arange(indices.start, indices.stop, indices.step) if indices else None
    if type(indices) is not list or not indices or type(indices[0]) is not int:
        return None
    if any(type(i) is not int for i in indices):
        return None
    return lampas.tensor(indices)


def index_batches(batch_sampler, dataset):
    """The sampler's batches as index tensors; None where it cannot be asked for a whole order."""
    if type(batch_sampler) is not BatchSampler:
        return None
    sampler = batch_sampler.sampler
    if type(sampler) not in (SequentialSampler, RandomSampler):
        return None
    if len(sampler.data_source) != len(dataset):
        return None
    if type(sampler) is RandomSampler and not sampler.is_one_permutation():
        return None
    return _cut(sampler.order, len(sampler), batch_sampler.batch_size, batch_sampler.drop_last)


def _cut(order, count, size, drop_last):
    indices = order()  # drawn with the first batch, as PyTorch draws it
    for start in range(0, count - size + 1 if drop_last else count, size):
        yield indices[start : start + size]
