"""`torch.distributed` for a world of one process.

Programs written for several processes run as one: the group forms, collectives do what they do when
there is one rank. A larger world, and what makes sense only there (`absent`), raises
NotImplementedError.
"""

import os

from lampas import unavailable
from lampas.distributed import absent, collectives, world
from lampas.distributed.collectives import *
from lampas.distributed.world import (
    Backend,
    GroupMember,
    ProcessGroup,
    ReduceOp,
    Work,
    destroy_process_group,
    get_backend,
    get_global_rank,
    get_group_rank,
    get_node_local_rank,
    get_process_group_ranks,
    get_rank,
    get_world_size,
    group,
    init_process_group,
    is_initialized,
    new_group,
)

is_available = unavailable.answering("torch.distributed.is_available", True)
is_gloo_available = unavailable.answering(
    "torch.distributed.is_gloo_available", True, "True: the name stands for a world of one process."
)
for _kind in ("mpi", "nccl", "ucc", "xccl"):
    globals()[f"is_{_kind}_available"] = unavailable.answering(
        f"torch.distributed.is_{_kind}_available", False
    )
reduce_op = ReduceOp
DistError = type("DistError", (RuntimeError,), {"__module__": "torch.distributed"})
DistBackendError = type("DistBackendError", (DistError,), {"__module__": "torch.distributed"})
DistNetworkError = type("DistNetworkError", (DistError,), {"__module__": "torch.distributed"})
DistStoreError = type("DistStoreError", (DistError,), {"__module__": "torch.distributed"})
globals().update(
    unavailable.names(
        "torch.distributed",
        "batch_isend_irecv init_device_mesh new_subgroups new_subgroups_by_enumeration split_group",
        "P2POp DeviceMesh Store TCPStore FileStore HashStore PrefixStore",
        absent.SEVERAL,
    )
)
absent.make_modules()


def is_backend_available(backend):
    """Whether a world of one process can be started under this name: gloo."""
    return backend.lower() == "gloo"


def is_torchelastic_launched():
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def supports_complex(reduceOp):
    """Whether a reduction takes complex tensors: all but max, min and the bitwise ones."""
    return reduceOp not in (
        ReduceOp.MAX, ReduceOp.MIN, ReduceOp.PRODUCT, ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR,
    )  # fmt: skip
