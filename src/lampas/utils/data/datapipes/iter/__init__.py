"""The names of iterable datapipes, see `lampas.utils.data.datapipes`."""

from lampas.utils.data.datapipes import IterDataPipe, family

_NAMES = (
    "Batcher", "Collator", "Concater", "Demultiplexer", "FileLister", "FileOpener", "Filter",
    "Forker", "Grouper", "IterableWrapper", "Mapper", "Multiplexer", "RoutedDecoder", "Sampler",
    "ShardingFilter", "Shuffler", "StreamReader", "UnBatcher", "Zipper",
)  # fmt: skip
__all__ = list(_NAMES)

globals().update(family(IterDataPipe, _NAMES))
