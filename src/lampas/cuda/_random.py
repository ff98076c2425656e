"""Seeds and states of the GPUs' default generators, where there is a GPU; `_present.py` hands them on."""

from lampas import _core


def _index(device):
    if device is None:
        return _core._cuda_current_device()
    device = _core.device("cuda", device) if isinstance(device, int) else _core.device(device)
    return _core._cuda_current_device() if device.index is None else device.index


def _generator(device=None):
    return _core._cuda_default_generator(_index(device))


def get_rng_state(device="cuda"):
    """The state of a GPU's generator: a uint8 tensor of 16 bytes, seed and offset."""
    return _generator(device).get_state()


def get_rng_state_all():
    """The states of all GPUs' generators, a list."""
    return [get_rng_state(i) for i in range(_core._cuda_device_count())]


def set_rng_state(new_state, device="cuda"):
    """Continues a GPU's generator where `new_state` was taken."""
    _generator(device).set_state(new_state)


def set_rng_state_all(new_states):
    """Continues the generators of GPUs 0, 1, ... where these states were taken."""
    for i, state in enumerate(new_states):
        set_rng_state(state, i)


def manual_seed(seed):
    """Seeds the generator of the current GPU."""
    _generator().manual_seed(int(seed))


def manual_seed_all(seed):
    """Seeds the generators of all GPUs."""
    _core._cuda_seed_all(int(seed))


def seed():
    """Seeds the generator of the current GPU from the system's entropy."""
    _generator().seed()


def seed_all():
    """Seeds the generators of all GPUs with one seed from the system's entropy."""
    _core._cuda_seed_all(_core.Generator().seed())


def initial_seed():
    """The seed that the current GPU's generator was last given."""
    return _generator().initial_seed()


def names():
    """What stands in `lampas.cuda`."""
    made = {name: value for name, value in globals().items() if not name.startswith("_")}
    generators = (_core._cuda_default_generator(i) for i in range(_core._cuda_device_count()))
    return {
        **{k: v for k, v in made.items() if k != "names"},
        "default_generators": tuple(generators),
    }
