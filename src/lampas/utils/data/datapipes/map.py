"""The names of map datapipes, see `lampas.utils.data.datapipes`."""

from lampas.utils.data.datapipes import MapDataPipe, family

_NAMES = ("Batcher", "Concater", "Mapper", "SequenceWrapper", "Shuffler", "Zipper")
__all__ = list(_NAMES)

globals().update(family(MapDataPipe, _NAMES))
