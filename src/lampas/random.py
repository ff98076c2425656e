"""The random state of the process: seeding, saving and restoring the default generators.

Those of GPUs have functions of their own in `lampas.cuda`.
"""

import contextlib
import copyreg
import warnings

from lampas import _core
from lampas._core import Generator, default_generator

__all__ = [
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
    "thread_safe_generator",
]


def _generator_with(seed, state, device="cpu"):
    """A new generator at the place of `state`, which `seed` began."""
    generator = Generator(device)
    generator.manual_seed(seed)
    generator.set_state(state)
    return generator


# For plain pickle and copy. Checkpoints name PyTorch's class instead (serialization.pickler).
copyreg.pickle(Generator, lambda g: (_generator_with, (g.initial_seed(), g.get_state(), g.device)))


def set_rng_state(new_state):
    """Continues the default generator where `new_state` (a uint8 tensor) was taken.

    Raises RuntimeError for a tensor that is no state.
    """
    default_generator.set_state(new_state)


def get_rng_state():
    """The state of the default generator: a uint8 tensor of 5056 bytes."""
    return default_generator.get_state()


def manual_seed(seed):
    """Seeds the default generators of all devices with an integer of 64 bits; returns that of the CPU.

    Raises ValueError for an integer out of range.
    """
    seed = int(seed)
    _core._cuda_seed_all(seed)
    return default_generator.manual_seed(seed)


def seed():
    """Seeds the default generators of all devices from the system's entropy; returns the seed."""
    seed = default_generator.seed()
    _core._cuda_seed_all(seed)
    return seed


def initial_seed():
    """The seed the default generator was last given."""
    return default_generator.initial_seed()


def _forked_devices(devices, caller, name, device_type):
    """The numbers of the GPUs whose state fork_rng keeps."""
    from lampas import cuda

    if devices is not None:
        return [_core.device(device_type, d).index if isinstance(d, int) else _core.device(d).index
                for d in devices]  # fmt: skip
    count = cuda.device_count()
    if count > 1:
        warnings.warn(
            f"{device_type.upper()} reports that you have {count} available devices, and you have used "
            f"{caller} without explicitly specifying which devices are being used. For safety, we "
            f"initialize *every* {device_type.upper()} device by default, which can be quite slow if you "
            f"have a lot of {device_type.upper()}s. Pass {name} to avoid this warning.",
            stacklevel=4,
        )
    return range(count)


@contextlib.contextmanager
def fork_rng(
    devices=None, enabled=True, _caller="fork_rng", _devices_kw="devices", device_type="cuda"
):
    """Restores the random state on leaving the block: draws inside leave no trace outside.

    devices: GPUs whose state is kept beside the CPU's; None: all, with a warning where there are several.
    """
    if not enabled:
        yield
        return
    from lampas import cuda

    device_type = _core.device(device_type).type if device_type else "cpu"
    forks = device_type == "cuda" and cuda.is_available()
    chosen = _forked_devices(devices, _caller, _devices_kw, device_type) if forks else ()
    state, states = get_rng_state(), [cuda.get_rng_state(d) for d in chosen]
    try:
        yield
    finally:
        set_rng_state(state)
        for device, kept in zip(chosen, states):
            cuda.set_rng_state(kept, device)


def thread_safe_generator():
    """The generator of a data loading worker thread; None elsewhere."""
    return
