"""Modules as functions of their parameters."""

import lampas

__all__ = ["functional_call", "replace_all_batch_norm_modules_", "stack_module_state"]


def functional_call(
    module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """`module(*args, **kwargs)` with the given tensors in the places of its parameters and buffers.

    parameter_and_buffer_dicts: a dict by name, or several, whose names must differ.
    """
    given = parameter_and_buffer_dicts
    if not isinstance(given, dict):
        merged = {}
        for table in given:
            repeated = merged.keys() & table.keys()
            if repeated:
                raise ValueError(
                    f"{sorted(repeated)[0]} appears in multiple dictionaries; behavior of functional call is ambiguous"
                )
            merged.update(table)
        given = merged
    from lampas.nn.utils import stateless

    return stateless._functional_call(
        module, given, args, kwargs, tie_weights=tie_weights, strict=strict
    )


def stack_module_state(models):
    """(parameters, buffers) of several alike modules, each stacked along a new first dimension."""
    if len(models) == 0:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or all(not m.training for m in models)):
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    kind = type(models[0])
    if not all(type(m) is kind for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = _stacked([dict(m.named_parameters()) for m in models], parameters=True)
    buffers = _stacked([dict(m.named_buffers()) for m in models], parameters=False)
    return parameters, buffers


def _stacked(tables, parameters):
    stacked = {}
    for name in tables[0]:
        column = [table[name] for table in tables]
        wanted = {x.requires_grad for x in column}
        if len(wanted) > 1:
            raise RuntimeError(
                f"Expected {name} to have the same .requires_grad state across models, but got "
                f"{[x.requires_grad for x in column]}."
            )
        whole = lampas.stack(column).detach()
        stacked[name] = whole.requires_grad_(wanted.pop()) if parameters else whole
    return stacked


def replace_all_batch_norm_modules_(root):
    """Takes the running statistics from all batch normalisations of a module, in place: they use the batch's."""
    for module in root.modules():
        if isinstance(module, lampas.nn.modules.batchnorm._BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
