"""The parts of `torch.distributed` that make sense for several processes only, as names.

They can be imported, asked about with `isinstance` and used in annotations. Here also stand the few
that have a meaning for one process: enumerations, placements, `record`, `nn.functional`.
"""

import enum
import functools

from lampas import unavailable
from lampas.distributed import collectives, placements, world

SEVERAL = "Lampas runs one process"

# module below torch.distributed: functions | classes
_MODULES = """
device_mesh: init_device_mesh | DeviceMesh
tensor: distribute_tensor distribute_module zeros ones empty full rand randn | DTensor
tensor.parallel: parallelize_module loss_parallel |
tensor.placement_types: | _StridedShard
tensor.experimental: context_parallel implicit_replication local_map |
tensor.experimental._attention: set_rotate_method context_parallel |
tensor._utils: compute_local_shape_and_global_offset |
_tensor: distribute_tensor distribute_module | DTensor DeviceMesh
_tensor.experimental: implicit_replication |
fsdp: fully_shard register_fsdp_forward_method | FullyShardedDataParallel MixedPrecision CPUOffload
fsdp: | MixedPrecisionPolicy OffloadPolicy CPUOffloadPolicy FSDPModule StateDictConfig
fsdp: | FullStateDictConfig LocalStateDictConfig ShardedStateDictConfig OptimStateDictConfig
fsdp: | FullOptimStateDictConfig LocalOptimStateDictConfig ShardedOptimStateDictConfig
fsdp.fully_sharded_data_parallel: | FullyShardedDataParallel MixedPrecision CPUOffload
fsdp.fully_sharded_data_parallel: | FullStateDictConfig FullOptimStateDictConfig
fsdp.fully_sharded_data_parallel: | ShardedStateDictConfig ShardedOptimStateDictConfig
fsdp.wrap: transformer_auto_wrap_policy size_based_auto_wrap_policy lambda_auto_wrap_policy |
fsdp.wrap: always_wrap_policy enable_wrap wrap _or_policy | ModuleWrapPolicy CustomPolicy
fsdp.sharded_grad_scaler: | ShardedGradScaler
_composable.fsdp: fully_shard register_fsdp_forward_method | FSDPModule MixedPrecisionPolicy
_composable.fsdp: | CPUOffloadPolicy OffloadPolicy
_composable: replicate checkpoint |
_functional_collectives: all_gather_tensor all_to_all_single all_to_all_single_autograd |
_functional_collectives: permute_tensor wait_tensor all_reduce | AsyncCollectiveTensor
checkpoint: save load async_save load_state_dict save_state_dict | FileSystemReader FileSystemWriter
checkpoint: | DefaultSavePlanner DefaultLoadPlanner Metadata SavePlan LoadPlan StorageReader
checkpoint.state_dict: get_model_state_dict set_model_state_dict get_state_dict set_state_dict |
checkpoint.state_dict: get_optimizer_state_dict set_optimizer_state_dict | StateDictOptions
checkpoint.default_planner: | DefaultSavePlanner DefaultLoadPlanner
checkpoint.format_utils: dcp_to_torch_save torch_save_to_dcp _load_state_dict |
checkpoint.format_utils: | _EmptyStateDictLoadPlanner
checkpoint.state_dict_loader: load _load_state_dict |
checkpoint.optimizer: load_sharded_optimizer_state_dict |
checkpoint.hf_storage: | HuggingFaceStorageReader HuggingFaceStorageWriter
checkpoint.stateful: | Stateful
algorithms._checkpoint.checkpoint_wrapper: checkpoint_wrapper apply_activation_checkpointing |
algorithms._checkpoint.checkpoint_wrapper: offload_wrapper | CheckpointWrapper OffloadWrapper
algorithms.ddp_comm_hooks.default_hooks: allreduce_hook fp16_compress_hook bf16_compress_hook |
algorithms.ddp_comm_hooks.default_hooks: fp16_compress_wrapper bf16_compress_wrapper |
algorithms.ddp_comm_hooks.powerSGD_hook: powerSGD_hook batched_powerSGD_hook | PowerSGDState
algorithms.ddp_comm_hooks.post_localSGD_hook: post_localSGD_hook | PostLocalSGDState
algorithms.model_averaging.averagers: | ModelAverager PeriodicModelAverager
algorithms.join: | Join Joinable JoinHook
optim: | ZeroRedundancyOptimizer DistributedOptimizer PostLocalSGDOptimizer
pipelining: pipeline pipe_split | ScheduleGPipe Schedule1F1B PipelineStage SplitPoint
rpc: init_rpc rpc_sync rpc_async remote shutdown get_worker_info | TensorPipeRpcBackendOptions RRef
rpc.api: _all_gather |
run: main run get_args_parser |
launcher.api: launch_agent | LaunchConfig elastic_launch
"""


class ShardingStrategy(enum.Enum):
    """How FullyShardedDataParallel would shard."""

    FULL_SHARD, SHARD_GRAD_OP, NO_SHARD, HYBRID_SHARD, _HYBRID_SHARD_ZERO2 = range(1, 6)


class BackwardPrefetch(enum.Enum):
    """When FullyShardedDataParallel would fetch parameters in the backward pass."""

    BACKWARD_PRE, BACKWARD_POST = range(1, 3)


class StateDictType(enum.Enum):
    """Which state dict FullyShardedDataParallel would give."""

    FULL_STATE_DICT, LOCAL_STATE_DICT, SHARDED_STATE_DICT = range(1, 4)


class CheckpointImpl(enum.Enum):
    """Which activation checkpointing a wrapper would use."""

    REENTRANT, NO_REENTRANT = range(1, 3)


def record(fn=None, error_handler=None):
    """Decorator of a program's entry: the function itself, since no agent waits for its errors."""
    return fn if fn is not None else lambda function: function


def _for_rpc(function):
    """Decorator of functions that need remote calls: calling them raises NotImplementedError."""
    return unavailable.function(f"{function.__module__}.{function.__qualname__}", SEVERAL)


def _functional():
    """Differentiable collectives of one process: each gives a rank's own tensor back."""

    def all_gather(tensor, group=None):
        world.member(group)
        return (tensor.clone(),)

    def same(name):
        def collective(tensor, *args, **kwargs):
            world.member(kwargs.get("group"))
            return tensor.clone()

        collective.__name__ = collective.__qualname__ = name
        return collective

    return {"all_gather": all_gather, "all_reduce": same("all_reduce")}


def make_modules():
    """Makes the modules; called once, when `lampas.distributed` is imported."""
    found = {}
    for line in _MODULES.strip().splitlines():
        path, _, names = line.partition(":")
        functions, _, types = names.partition("|")
        parts = path.split(".")
        for i in range(1, len(parts) + 1):
            found.setdefault(".".join(parts[:i]), {})
        found[path].update(
            unavailable.names(f"torch.distributed.{path}", functions, types, SEVERAL)
        )
    for path in ("fsdp", "fsdp.fully_sharded_data_parallel"):
        for kind in (ShardingStrategy, BackwardPrefetch, StateDictType):
            found[path][kind.__name__] = kind
    found["algorithms._checkpoint.checkpoint_wrapper"]["CheckpointImpl"] = CheckpointImpl
    for kind in (placements.Placement, placements.Shard, placements.Replicate, placements.Partial):
        for path in ("tensor", "tensor.placement_types", "_tensor"):
            found[path][kind.__name__] = kind
    found["tensor.parallel"].update(placements.STYLES, ParallelStyle=placements.ParallelStyle)
    found["rpc.api"]["_require_initialized"] = _for_rpc
    dtensor = found["tensor"]["DTensor"]
    dtensor.from_local = unavailable.function(
        "torch.distributed.tensor.DTensor.from_local", SEVERAL
    )
    found["_tensor"]["DTensor"] = dtensor
    found["nn"] = found["nn.functional"] = _functional()
    found["distributed_c10d"] = _core_names()
    found["constants"] = {"default_pg_timeout": _timeout()}
    found["elastic"] = found["elastic.multiprocessing"] = {}
    found["elastic.multiprocessing.errors"] = {
        "record": record,
        "ChildFailedError": type("ChildFailedError", (Exception,), {}),
    }
    for path in sorted(found):
        unavailable.module(f"lampas.distributed.{path}", found[path])


def _timeout():
    from datetime import timedelta

    return timedelta(minutes=30)


def _core_names():
    names = {name: getattr(collectives, name) for name in collectives.__all__}
    public = {name: value for name, value in vars(world).items() if not name.startswith("_")}
    keep = functools.partial(world.member, None)
    return {**names, **public, "_get_default_group": keep}
