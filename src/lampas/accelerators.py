"""Device modules of kinds that Lampas does not run on: `torch.xpu`, `torch.mps`, `torch.mtia`.

Questions say that there is none, seeds and caches do nothing, real use raises PyTorch's errors. Here
are the names of each module; `torch.cuda` has its own file.
"""

from lampas import unavailable


def _raising(name, error, text):
    def refuse(*args, **kwargs):
        raise error(text)

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = f"Raises {error.__name__}: there is no such device."
    return refuse


def _answers(module, **answers):
    return {
        name: unavailable.answering(f"torch.{module}.{name}", answer)
        for name, answer in answers.items()
    }


def _nothing(names):
    return dict.fromkeys(names.split())


def xpu():
    """The names of `torch.xpu`."""
    members = _answers(
        "xpu", is_available=False, is_initialized=False, is_bf16_supported=False, device_count=0,
        memory_allocated=0, max_memory_allocated=0, memory_reserved=0, max_memory_reserved=0,
        is_current_stream_capturing=False, get_rng_state_all=[], memory_stats={},
        **_nothing("empty_cache manual_seed manual_seed_all seed seed_all"),
    )  # fmt: skip
    for name in (
        "current_device synchronize get_device_name get_device_properties get_device_capability "
        "set_device get_rng_state set_rng_state set_rng_state_all current_stream set_stream stream "
        "mem_get_info reset_peak_memory_stats initial_seed init device device_of Stream Event"
    ).split():
        members[name] = _raising(name, AssertionError, "Torch not compiled with XPU enabled")
    return members


def _without_backend(module, calls):
    """Functions that raise, by name, with the name that PyTorch's text gives them."""
    return {
        name: _raising(
            name, RuntimeError, f"Cannot execute {call}() without {module.upper()} backend."
        )
        for name, call in calls.items()
    }


def mps():
    """The names of `torch.mps`."""
    return {
        **_answers("mps", is_available=False, device_count=0, manual_seed=None),
        **_without_backend(
            "mps",
            {
                "empty_cache": "emptyCache",
                "current_allocated_memory": "getCurrentAllocatedMemory",
                "driver_allocated_memory": "getDriverAllocatedMemory",
                "recommended_max_memory": "getRecommendedMaxMemory",
                "synchronize": "deviceSynchronize",
                "get_rng_state": "getDefaultGenerator",
                "set_rng_state": "getDefaultGenerator",
                "seed": "getDefaultGenerator",
                "set_per_process_memory_fraction": "setMemoryFraction",
            },
        ),
    }


def mtia():
    """The names of `torch.mtia`."""
    return {
        **_answers("mtia", is_available=False, is_initialized=False, device_count=0),
        **_without_backend(
            "mtia",
            {
                "current_device": "getCurrentDevice",
                "synchronize": "getCurrentDevice",
                "set_device": "setCurrentDevice",
                "empty_cache": "emptyCache",
                "memory_stats": "getDeviceStats",
            },
        ),
    }
