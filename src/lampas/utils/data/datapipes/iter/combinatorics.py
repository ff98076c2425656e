"""The names of datapipes that reorder, see `lampas.utils.data.datapipes`."""

from lampas.utils.data.datapipes import iter as _iter

SamplerIterDataPipe = _iter.Sampler
ShufflerIterDataPipe = _iter.Shuffler
