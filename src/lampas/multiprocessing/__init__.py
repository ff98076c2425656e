"""Python's `multiprocessing` with tensors: shared memory, queues, `spawn`.

Everything of `multiprocessing` is here under its own name. Importing this package teaches its
pickler about tensors: those in shared memory (`Tensor.share_memory_`) pass through queues, pipes and
process arguments without a copy, and both sides see each other's writes. Others arrive as copies;
PyTorch would move them into shared memory when they are sent.
"""

import multiprocessing
from multiprocessing import *

from lampas.multiprocessing import memory, reductions
from lampas.multiprocessing.memory import (
    get_all_sharing_strategies,
    get_sharing_strategy,
    set_sharing_strategy,
)
from lampas.multiprocessing.reductions import init_reductions
from lampas.multiprocessing.spawn import (
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)

__all__ = [
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "set_sharing_strategy",
    *multiprocessing.__all__,
]

init_reductions()
