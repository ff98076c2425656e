"""Modules called at the same time, each on a GPU and a thread of its own."""

import threading

import lampas
from lampas._utils import ExceptionWrapper, _get_device_index

__all__ = ["parallel_apply"]


def get_a_var(obj):
    """The first tensor in nested containers; None where there is none."""
    if isinstance(obj, lampas.Tensor):
        return obj
    entries = (
        obj.values() if isinstance(obj, dict) else obj if isinstance(obj, (list, tuple)) else ()
    )
    return next((x for x in map(get_a_var, entries) if x is not None), None)


def parallel_apply(modules, inputs, kwargs_tup=None, devices=None):
    """A list of what each module gives for its inputs.

    devices: one for each module; None: where its inputs lie. Modes of gradients and autocast are the
    caller's. An exception of a module is raised again here.

    Raises:
        AssertionError: not as many modules as inputs.
    """
    if len(modules) != len(inputs):
        raise AssertionError(
            f"The number of modules {len(modules)} is not equal to the number of inputs {len(inputs)}"
        )
    kwargs_tup = kwargs_tup or ({},) * len(modules)
    devices = [None] * len(modules) if devices is None else list(devices)
    results = [None] * len(modules)
    modes = (
        lampas.is_grad_enabled(), lampas.is_autocast_enabled("cuda"), lampas.get_autocast_dtype("cuda"),
    )  # fmt: skip

    def work(i):
        try:
            results[i] = _called(modules[i], inputs[i], kwargs_tup[i], devices[i], modes)
        except Exception:
            results[i] = ExceptionWrapper(where=f"in replica {i} on device {devices[i]}")

    if len(modules) == 1:
        work(0)
    else:
        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(modules))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for result in results:
        if isinstance(result, ExceptionWrapper):
            result.reraise()
    return results


def _called(module, inputs, kwargs, device, modes):
    grad, autocast, dtype = modes
    if not isinstance(inputs, (list, tuple)):
        inputs = (inputs,)
    if device is None:
        found = get_a_var((inputs, kwargs))
        device = found.get_device() if found is not None and found.is_cuda else -1
    index = _get_device_index(device, optional=True, allow_cpu=True)
    with (
        lampas.set_grad_enabled(grad),
        lampas.cuda.device(index),
        lampas.autocast("cuda", dtype, enabled=autocast),
    ):
        return module(*inputs, **kwargs)
