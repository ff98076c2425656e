"""The default process group: how it forms, who is in it. It has one member, rank 0."""

import enum
import os
import warnings

_state = {"group": None}


class ReduceOp:
    """How values of several ranks become one."""

    class RedOpType(enum.Enum):
        """The kinds of reduction."""

        SUM = 0
        AVG = 1
        PRODUCT = 2
        MIN = 3
        MAX = 4
        BAND = 5
        BOR = 6
        BXOR = 7
        PREMUL_SUM = 8

        def __str__(self):
            return f"RedOpType.{self.name}"

    def __new__(cls, op):
        return op


ReduceOp.RedOpType.__module__ = "torch.distributed"
for _op in ReduceOp.RedOpType:
    setattr(ReduceOp, _op.name, _op)


class Backend(str):
    """The name of a way to communicate, in lower case."""

    GLOO, NCCL, MPI, UCC, XCCL, FAKE, UNDEFINED = "gloo", "nccl", "mpi", "ucc", "xccl", "fake", "undefined"  # fmt: skip
    backend_list = ["undefined", "gloo", "nccl", "xccl", "ucc", "mpi", "fake"]
    default_device_backend_map = {"cpu": "gloo", "cuda": "nccl", "xpu": "xccl", "mps": "gloo"}

    def __new__(cls, name):
        if not isinstance(name, str):
            raise ValueError(f"Backend constructor parameter must be string-ish, but got {name}")
        return str(name).lower()


class Work:
    """What an operation with `async_op=True` returns; it is done already."""

    def wait(self, timeout=None):
        """True: it is done."""
        return True

    def is_completed(self):
        """True."""
        return True

    is_success = is_completed

    def exception(self):
        """None: it succeeded."""
        return None

    def result(self):
        """The tensors that were written."""
        return self._tensors

    def get_future(self):
        """A finished Future of the tensors that were written."""
        from lampas.futures import Future

        future = Future()
        future.set_result(self._tensors)
        return future

    def __init__(self, tensors=()):
        self._tensors = list(tensors)


class ProcessGroup:
    """A group of one process."""

    def __init__(self, backend="gloo"):
        self._backend = backend

    def rank(self):
        """0."""
        return 0

    def size(self):
        """1."""
        return 1

    def name(self):
        """The backend's name."""
        return self._backend

    @property
    def group_name(self):
        """The group's number, as text."""
        return "0"


class _WorldMeta(type):
    @property
    def WORLD(cls):
        return _state["group"]

    @WORLD.setter
    def WORLD(cls, value):
        _state["group"] = value


class group(metaclass=_WorldMeta):
    """`group.WORLD` is the default group, None before it is formed."""


class GroupMember(metaclass=_WorldMeta):
    """`GroupMember.NON_GROUP_MEMBER` is what a process gets for a group that it is not in."""

    NON_GROUP_MEMBER = -100


def is_initialized():
    """Whether the default group is formed."""
    return _state["group"] is not None


def member(group=None):
    """The group meant by an argument: the default group for None. ValueError before it is formed."""
    if _state["group"] is None:
        raise ValueError(
            "Default process group has not been initialized, please make sure to call "
            "init_process_group."
        )
    return _state["group"] if group is None else group


def init_process_group(
    backend=None, init_method=None, timeout=None, world_size=-1, rank=-1, store=None, group_name="",
    pg_options=None, device_id=None,
):  # fmt: skip
    """Forms the default group, of one process.

    rank, world_size: from the variables RANK and WORLD_SIZE where they are not given and
    `init_method` is None or "env://". Raises ValueError when something is missing or the group is
    formed already, NotImplementedError for a world of more than one process.
    """
    if is_initialized():
        raise ValueError("trying to initialize the default process group twice!")
    if store is not None and init_method is not None:
        raise AssertionError("Cannot specify both init_method and store.")
    method = init_method or "env://"
    if backend == "mpi":
        raise RuntimeError(
            "Distributed package doesn't have MPI built in. MPI is only included if you build "
            "PyTorch from source on a host that has MPI installed."
        )
    if store is None:
        rank, world_size = _rendezvous(method, rank, world_size)
    if world_size != 1:
        raise NotImplementedError(
            f"torch.distributed with several processes (world_size={world_size}) is not available in "
            "Lampas: start one process"
        )
    if rank != 0:
        raise ValueError(f"rank {rank} is out of range for a world of one process")
    _state["group"] = ProcessGroup(_checked_backend(backend))


def _checked_backend(backend):
    names = [part.rpartition(":")[2] for part in (backend or "gloo").lower().split(",")]
    for name in names:
        if name == "nccl":
            raise ValueError("ProcessGroupNCCL is only supported with GPUs, no GPUs found!")
        if name not in ("gloo", "fake"):
            raise ValueError(f"Invalid backend: '{name}'; Lampas knows gloo, for one process")
    return names[0]


def _rendezvous(method, rank, world_size):
    """Rank and size of the world as they are given or found in the environment."""
    scheme = method.partition("://")[0]
    refused = f"Error initializing torch.distributed using {scheme}:// rendezvous: "
    if scheme != "env":
        if rank < 0 or world_size < 0:
            what = "rank" if rank < 0 else "world size"
            raise ValueError(f"{refused}{what} parameter missing")
        return rank, world_size
    found = {"RANK": rank, "WORLD_SIZE": world_size}
    for name, given in found.items():
        if given < 0:
            found[name] = int(_variable(name, refused))
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        _variable(name, refused)
    return found["RANK"], found["WORLD_SIZE"]


def _variable(name, refused):
    value = os.environ.get(name)
    if value is None:
        raise ValueError(f"{refused}environment variable {name} expected, but not set")
    return value


def destroy_process_group(group=None):
    """Dissolves the default group (None), or a group made by `new_group`."""
    if group is None and _state["group"] is None:
        raise AssertionError("Process group cannot be None")
    if group is None or group is _state["group"]:
        _state["group"] = None


def get_rank(group=None):
    """0, or -1 for a group that this process is not in."""
    return -1 if member(group) == GroupMember.NON_GROUP_MEMBER else 0


def get_world_size(group=None):
    """1, or -1 for a group that this process is not in."""
    return -1 if member(group) == GroupMember.NON_GROUP_MEMBER else 1


def get_backend(group=None):
    """The name of the group's backend."""
    return member(group).name()


def get_process_group_ranks(group):
    """The ranks in a group: [0]."""
    member(group)
    return [0]


def get_global_rank(group, group_rank):
    """The rank in the world of a rank in the group."""
    return _only_rank(group, group_rank, "group")


def get_group_rank(group, global_rank):
    """The rank in the group of a rank in the world."""
    return _only_rank(group, global_rank, "global")


def _only_rank(group, rank, kind):
    member(group)
    if rank != 0:
        raise ValueError(f"{kind.capitalize()} rank {rank} is not part of group {group}")
    return 0


def get_node_local_rank(fallback_rank=None):
    """The rank on this machine, from LOCAL_RANK or the fallback."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    if fallback_rank is not None:
        return int(fallback_rank)
    raise RuntimeError(
        "LOCAL_RANK is not in the environment. Consider passing fallback_rank to allow "
        "`get_node_local_rank` to work, assuming you are not running in a multi-device context and "
        "want the code to run locally instead."
    )


def new_group(ranks=None, timeout=None, backend=None, **options):
    """A group of these ranks of the world (all by default): the process itself, or nobody."""
    default = member()
    if ranks is None or list(ranks) == [0]:
        return ProcessGroup(_checked_backend(backend or default.name()))
    if any(rank != 0 for rank in ranks):
        raise ValueError(
            "the new group's rank should be within the world_size set by init_process_group"
        )
    warnings.warn("the new group is empty", stacklevel=2)
    return GroupMember.NON_GROUP_MEMBER
