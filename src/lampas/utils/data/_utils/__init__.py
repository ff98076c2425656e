"""The parts of a DataLoader: collation, fetching, batches straight from tensors, workers."""

from lampas.utils.data._utils import collate, fetch, pin_memory, worker
