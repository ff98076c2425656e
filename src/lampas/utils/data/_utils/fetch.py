"""From one entry of the index sampler to one item of the loader."""

from lampas.utils.data._utils import batched
from lampas.utils.data._utils.collate import default_collate


def create_fetcher(kind, dataset, auto_collation, collate_fn, drop_last):
    """The fetcher for a dataset `kind` ("map" or "iterable")."""
    if kind == "iterable":
        return _IterableDatasetFetcher(dataset, auto_collation, collate_fn, drop_last)
    reader = None
    if auto_collation and collate_fn is default_collate:
        reader = batched.row_reader(dataset)
    return _MapDatasetFetcher(dataset, auto_collation, collate_fn, reader)


class _MapDatasetFetcher:
    is_stream = False  # a StopIteration is the dataset's own

    def __init__(self, dataset, auto_collation, collate_fn, reader=None):
        self.dataset = dataset
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.reader = reader  # rows by an index tensor, for datasets of tensors

    def fetch(self, index):
        if not self.auto_collation:
            return self.collate_fn(self.dataset[index])
        if self.reader is not None:
            rows = batched.as_index(index)
            if rows is not None:
                return self.reader(rows)
        if getattr(self.dataset, "__getitems__", None):
            return self.collate_fn(self.dataset.__getitems__(index))
        return self.collate_fn([self.dataset[i] for i in index])


class _IterableDatasetFetcher:
    is_stream = True

    def __init__(self, dataset, auto_collation, collate_fn, drop_last):
        self.stream = iter(dataset)
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.ended = False

    def fetch(self, index):
        """The next item; `index` tells only how many samples a batch has."""
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            return self.collate_fn(next(self.stream))
        samples = []
        for _ in index:
            try:
                samples.append(next(self.stream))
            except StopIteration:
                self.ended = True
                break
        if not samples or (self.drop_last and len(samples) < len(index)):
            raise StopIteration
        return self.collate_fn(samples)
