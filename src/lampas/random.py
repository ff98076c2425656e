"""The random state of the process: seeding, saving and restoring the default generator."""

import contextlib
import copyreg

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


def _generator_with(seed, state):
    """A new generator at the place of `state`, which `seed` began."""
    generator = Generator()
    generator.manual_seed(seed)
    generator.set_state(state)
    return generator


# For plain pickle and copy. Checkpoints name PyTorch's class instead (serialization.pickler).
copyreg.pickle(Generator, lambda g: (_generator_with, (g.initial_seed(), g.get_state())))


def set_rng_state(new_state):
    """Continues the default generator where `new_state` (a uint8 tensor) was taken.

    Raises RuntimeError for a tensor that is no state.
    """
    default_generator.set_state(new_state)


def get_rng_state():
    """The state of the default generator: a uint8 tensor of 5056 bytes."""
    return default_generator.get_state()


def manual_seed(seed):
    """Seeds the default generator with an integer of 64 bits; returns the generator.

    Raises ValueError for an integer out of range.
    """
    return default_generator.manual_seed(int(seed))


def seed():
    """Seeds the default generator from the system's entropy; returns the seed."""
    return default_generator.seed()


def initial_seed():
    """The seed the default generator was last given."""
    return default_generator.initial_seed()


@contextlib.contextmanager
def fork_rng(
    devices=None, enabled=True, _caller="fork_rng", _devices_kw="devices", device_type=None
):
    """Restores the random state on leaving the block: draws inside leave no trace outside."""
    if not enabled:
        yield
        return
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)


def thread_safe_generator():
    """The generator of a data loading worker thread; None elsewhere."""
    return
