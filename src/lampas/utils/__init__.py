"""`torch.utils`: sub-packages load on first use, so that `import lampas` stays light."""

import importlib

_SUBMODULES = (
    "_foreach_utils", "_pytree", "benchmark", "checkpoint", "collect_env", "cpp_extension", "data", "deterministic",
    "dlpack", "flop_counter", "hooks",
    "model_zoo", "tensorboard", "weak",
)  # fmt: skip


def set_module(obj, mod):
    """Sets `obj.__module__`, where it is a string."""
    if not isinstance(mod, str):
        raise TypeError("The mod argument should be a string")
    obj.__module__ = mod


def __getattr__(name):
    if name == "swap_tensors":
        from lampas.utils.swapping import swap_tensors

        return swap_tensors
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_SUBMODULES])
