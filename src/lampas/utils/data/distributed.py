"""The sampler that gives each of several processes its own part of a dataset."""

import itertools
import math

import lampas
from lampas.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler):
    """Every `num_replicas`-th index from `rank` on, after a shuffle that all processes share.

    The shuffle depends on `seed` and the epoch set with `set_epoch`. A length that the number of
    replicas does not divide is filled from the start, or cut with `drop_last`.
    """

    def __init__(
        self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False
    ):
        if num_replicas is None:
            num_replicas = _world("get_world_size")
        if rank is None:
            rank = _world("get_rank")
        if rank >= num_replicas or rank < 0:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        length = len(dataset)
        if drop_last and length % num_replicas:
            self.num_samples = math.ceil((length - num_replicas) / num_replicas)
        else:
            self.num_samples = math.ceil(length / num_replicas)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self):
        n = len(self.dataset)
        if self.shuffle:
            generator = lampas.Generator()
            generator.manual_seed(self.seed + self.epoch)
            indices = lampas.randperm(n, generator=generator).tolist()
        else:
            indices = list(range(n))
        if indices:
            indices = list(itertools.islice(itertools.cycle(indices), self.total_size))
        return iter(indices[self.rank : self.total_size : self.num_replicas])

    def __len__(self):
        return self.num_samples

    def set_epoch(self, epoch):
        """Set before each epoch, so that epochs are shuffled differently."""
        self.epoch = epoch


def _world(question):
    if not lampas.distributed.is_available():
        raise RuntimeError("Requires distributed package to be available")
    return getattr(lampas.distributed, question)()
