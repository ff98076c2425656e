"""Batches of datasets that are tensors in memory: one indexing call instead of one per sample."""

import lampas
from lampas.utils.data.dataset import Subset, TensorDataset
from lampas.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler


def row_reader(dataset):
    """A function from an index tensor or a slice to the collated batch; None for other datasets.

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
        return lambda rows: [_rows_of(tensor, rows) for tensor in tensors]
    if isinstance(dataset, Subset):
        if cls.__getitems__ is not Subset.__getitems__:
            return None
        inner = row_reader(dataset.dataset)
        chosen = as_index(dataset.indices) if inner is not None else None
        return None if chosen is None else lambda rows: inner(chosen[rows])
    return None


def _rows_of(tensor, rows):
    """A new tensor with these rows. (A slice of a tensor would be a view.)"""
    if type(rows) is slice:
        return tensor[rows].clone(memory_format=lampas.contiguous_format)
    return tensor[rows].contiguous()  # as a stack of samples is, whatever the strides


def as_index(indices):
    """A list of plain integers as an index tensor (or what is one, or a slice, as it is); None for
    anything else."""
    if type(indices) is slice:
        return indices
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
    """The sampler's batches as index tensors or slices; None where they depend on more."""
    if type(batch_sampler) is not BatchSampler:
        return None
    sampler, size = batch_sampler.sampler, batch_sampler.batch_size
    if type(sampler) not in (SequentialSampler, RandomSampler):
        return None
    if len(sampler.data_source) != len(dataset):
        return None
    count = len(sampler)
    starts = range(0, count - size + 1 if batch_sampler.drop_last else count, size)
    if type(sampler) is SequentialSampler:
        return (slice(start, min(start + size, count)) for start in starts)
    return _permuted(sampler, starts, size) if sampler._is_one_permutation() else None


def _permuted(sampler, starts, size):
    indices = sampler._order()  # drawn with the first batch, as PyTorch draws it
    for start in starts:
        yield indices[start : start + size]
