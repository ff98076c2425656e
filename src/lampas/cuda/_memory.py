"""Memory of devices and page-locked memory of the host, for `lampas.cuda` where there is a GPU."""

import collections
import contextlib

from lampas import _core
from lampas.cuda._streams import index_of

__all__ = [
    "MemPool", "caching_allocator_disabled", "caching_allocator_enable", "empty_cache", "empty_host_cache", "get_allocator_backend",
    "get_per_process_memory_fraction", "host_memory_stats", "host_memory_stats_as_nested_dict",
    "max_memory_allocated", "max_memory_cached", "max_memory_reserved", "mem_get_info",
    "memory_allocated", "memory_cached", "memory_reserved", "memory_snapshot", "memory_stats",
    "memory_stats_as_nested_dict", "memory_summary", "reset_accumulated_host_memory_stats",
    "reset_accumulated_memory_stats", "reset_max_memory_allocated", "reset_max_memory_cached",
    "reset_peak_host_memory_stats", "reset_peak_memory_stats", "set_per_process_memory_fraction",
    "use_mem_pool",
]  # fmt: skip
_PARTS = ("current", "peak", "allocated", "freed")
_POOLS = ("all", "large_pool", "small_pool")


def empty_cache():
    """Gives memory that no tensor uses back to the driver, that of the host's cache too."""
    _core._cuda_empty_cache()
    _core._cuda_empty_host_cache()


def empty_host_cache():
    """Gives page-locked memory that no tensor uses back to the driver."""
    _core._cuda_empty_host_cache()


def memory_stats_as_nested_dict(device=None):
    """Statistics of the allocator: {kind: {pool: {"current", "peak", "allocated", "freed"}}}."""
    kinds, counts = _core._cuda_statistics(index_of(device))
    nested = dict(counts)
    for kind, numbers in kinds.items():
        if isinstance(numbers[0], tuple):
            nested[kind] = {pool: dict(zip(_PARTS, each)) for pool, each in zip(_POOLS, numbers)}
        else:
            nested[kind] = dict(zip(_PARTS, numbers))
    return nested


def _flat(nested, prefix=""):
    for key, value in nested.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def memory_stats(device=None):
    """The statistics under names such as "allocated_bytes.all.peak", in the names' order."""
    return collections.OrderedDict(sorted(_flat(memory_stats_as_nested_dict(device))))


def _statistic(name):
    def read(device=None):
        return memory_stats(device)[name]

    read.__doc__ = f"`memory_stats()[{name!r}]`, in bytes."
    return read


memory_allocated = _statistic("allocated_bytes.all.current")
max_memory_allocated = _statistic("allocated_bytes.all.peak")
memory_reserved = memory_cached = _statistic("reserved_bytes.all.current")
max_memory_reserved = max_memory_cached = _statistic("reserved_bytes.all.peak")


def reset_peak_memory_stats(device=None):
    """Peaks start again from what is in use now."""
    _core._cuda_reset_statistics(index_of(device), True)


reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats


def reset_accumulated_memory_stats(device=None):
    """Totals of what was allocated and freed start again from 0."""
    _core._cuda_reset_statistics(index_of(device), False)


def mem_get_info(device=None):
    """(free, total) bytes of a device, as the driver sees it."""
    return _core._cuda_memory_info(index_of(device))


def set_per_process_memory_fraction(fraction, device=None):
    """Refuses to reserve more than this fraction of a device's memory. ValueError outside 0 to 1."""
    if not isinstance(fraction, float):
        raise TypeError("Invalid type for fraction argument, must be `float`")
    if not 0 <= fraction <= 1:
        raise ValueError(f"Invalid fraction value: {fraction}. Allowed range: 0~1")
    _core._cuda_set_fraction(fraction, index_of(device))


def get_per_process_memory_fraction(device=None):
    """What `set_per_process_memory_fraction` was given; 1 before."""
    return _core._cuda_get_fraction(index_of(device))


def get_allocator_backend():
    """The name of the allocator."""
    return "native"


def caching_allocator_enable(value=True):
    """Nothing for True; NotImplementedError for False: memory is always cached."""
    if not value:
        raise NotImplementedError(
            "torch.cuda.caching_allocator_enable(False) is not available in Lampas"
        )


@contextlib.contextmanager
def caching_allocator_disabled():
    """Raises NotImplementedError: memory is always cached."""
    caching_allocator_enable(False)
    yield


# --- texts and snapshots ---

_ROWS = (
    ("Allocated memory", "allocated_bytes", True),
    ("Active memory", "active_bytes", True),
    ("Requested memory", "requested_bytes", True),
    ("GPU reserved memory", "reserved_bytes", True),
    ("Non-releasable memory", "inactive_split_bytes", True),
    ("Allocations", "allocation", False),
    ("Active allocs", "active", False),
    ("GPU reserved segments", "segment", False),
    ("Non-releasable allocs", "inactive_split", False),
)
_SINGLE_ROWS = (
    ("Oversize allocations", "oversize_allocations"),
    ("Oversize GPU segments", "oversize_segments"),
)
_WIDTH = 75


def _scaled(size, leader, units, step):
    """`size` in the first unit in which `leader` has six digits at most, and that unit."""
    unit = units[0]
    for larger in units[1:]:
        if leader < 0.75 * step * step:
            break
        unit, size, leader = larger, size // step, leader / step
    return size, unit


def _amount(size, leader):
    units = ("B  ", "KiB", "MiB", "GiB", "TiB", "PiB")
    return " {:6d} {} ".format(*_scaled(size, leader, units, 1024))


def _count(number, leader):
    return " {:7d} {}  ".format(*_scaled(number, leader, (" ", "K", "M"), 1000))


def _row(label, numbers, leaders, shown):
    """The leaders, of the row for all pools, say in which units the numbers are shown."""
    return f"| {label:<22}|" + "|".join(map(shown, numbers, leaders)) + "|"


def memory_summary(device=None, abbreviated=False):
    """A table of the statistics as a text; `abbreviated` leaves out the rows of the two pools."""
    index = index_of(device)
    stats = memory_stats(index)
    thick, thin = "|" + "=" * _WIDTH + "|", "|" + "-" * _WIDTH + "|"
    failures = f"CUDA OOMs: {stats['num_ooms']:<12d}"
    retries = f"cudaMalloc retries: {stats['num_alloc_retries']:<8d}"
    lines = [
        thick,
        f"|{'PyTorch CUDA memory summary, device ID ':>57}{index:<18}|",
        thin,
        f"|{'':12}{failures} |{'':8}{retries}  |",
        thick,
        "|        Metric         | Cur Usage  | Peak Usage | Tot Alloc  | Tot Freed  |",
    ]
    pools = [("all", None)]
    if not abbreviated:
        pools += [("large_pool", "      from large pool"), ("small_pool", "      from small pool")]
    for label, kind, in_bytes in _ROWS:
        lines.append(thin)
        leaders = [stats[f"{kind}.all.{part}"] for part in _PARTS]
        for pool, inner in pools:
            numbers = [stats[f"{kind}.{pool}.{part}"] for part in _PARTS]
            lines.append(_row(inner or label, numbers, leaders, _amount if in_bytes else _count))
    for label, kind in _SINGLE_ROWS:
        lines.append(thin)
        numbers = [stats[f"{kind}.{part}"] for part in _PARTS]
        lines.append(_row(label, numbers, numbers, _count))
    return "\n".join([*lines, thick, ""])


def memory_snapshot(mempool_id=None, include_traces=True):
    """What every segment of every device holds, as a list of dicts.

    Each has "device", "address", "total_size", "allocated_size", "active_size", "stream",
    "segment_type", "segment_pool_id" and "blocks". mempool_id: those of one pool only. No traces are
    kept: "frames" is empty.
    """
    segments = []
    for device in range(_core._cuda_device_count()):
        for address, size, stream, small, pool, blocks in _core._cuda_snapshot(device):
            if mempool_id is not None and tuple(mempool_id) != pool:
                continue
            shown = [
                {"address": at, "size": n, "requested_size": asked, "state": state, "frames": []}
                for at, n, asked, state in blocks
            ]
            segments.append(
                {
                    "device": device,
                    "address": address,
                    "total_size": size,
                    "allocated_size": _sum(shown, "size", ("active_allocated",)),
                    "active_size": _sum(
                        shown, "size", ("active_allocated", "active_awaiting_free")
                    ),
                    "requested_size": _sum(shown, "requested_size", ("active_allocated",)),
                    "stream": stream,
                    "segment_type": "small" if small else "large",
                    "segment_pool_id": pool,
                    "is_expandable": False,
                    "frames": [],
                    "blocks": shown,
                }
            )
    return segments


def _sum(blocks, key, states):
    return sum(block[key] for block in blocks if block["state"] in states)


# --- page-locked memory of the host ---


def host_memory_stats_as_nested_dict():
    """Statistics of the cache of page-locked memory."""
    s = _core._cuda_host_statistics()
    return {
        "allocations": {"current": s["blocks"], "allocated": s["from_driver"], "freed": s["to_driver"]},
        "active_requests": {"current": s["blocks_in_use"], "allocated": s["taken"], "freed": s["returned"]},
        "allocated_bytes": {"current": s["bytes"], "peak": s["peak_bytes"]},
        "active_bytes": {"current": s["bytes_in_use"], "peak": s["peak_bytes_in_use"]},
        "num_host_alloc": s["from_driver"],
        "num_host_free": s["to_driver"],
    }  # fmt: skip


def host_memory_stats():
    """The statistics under names such as "allocated_bytes.peak", in the names' order."""
    return collections.OrderedDict(sorted(_flat(host_memory_stats_as_nested_dict())))


def reset_peak_host_memory_stats():
    """Peaks of page-locked memory start again from what is in use now."""
    _core._cuda_reset_host_peaks()


reset_accumulated_host_memory_stats = reset_peak_host_memory_stats


# --- pools ---


class MemPool:
    """Memory that only `use_mem_pool` and graphs which are given its `id` take tensors from.

    Raises:
        NotImplementedError: an allocator of the program's own, or `use_on_oom`.
    """

    def __init__(self, allocator=None, use_on_oom=False):
        if allocator is not None or use_on_oom:
            raise NotImplementedError(
                "torch.cuda.MemPool with an allocator or use_on_oom is not available in Lampas"
            )
        self.id = _core._cuda_new_pool(True)
        self.allocator = None
        self._devices = []

    def snapshot(self, include_traces=True):
        """`memory_snapshot` of this pool."""
        return memory_snapshot(self.id)

    def __del__(self):
        for device in self._devices:
            _core._cuda_use_pool(device, *self.id, "leave")


@contextlib.contextmanager
def use_mem_pool(pool, device=None):
    """Context: what this thread allocates on a device comes from the pool."""
    index = index_of(device)
    _core._cuda_use_pool(index, *pool.id, "begin")
    pool._devices.append(index)
    try:
        yield
    finally:
        _core._cuda_use_pool(index, *pool.id, "end")
