"""Running an optimizer on other tensors for a while."""

from collections import defaultdict
from contextlib import contextmanager
from itertools import chain


@contextmanager
def swap_in_optimizer_params_and_state(optimizer, swapin_parameters, swapin_optim_state):
    """Inside the block the optimizer has the given parameters and state.

    Args:
        swapin_parameters: a dict of tensors, in the order of the optimizer's parameters.
        swapin_optim_state: as `optimizer.state_dict()` gives it; changes of its tensors in place
            remain, all others are dropped at the end.

    Raises:
        RuntimeError: no state by parameter number, or a number of parameters that differs.
    """
    saved_state = swapin_optim_state.get("state")
    if not isinstance(saved_state, dict):
        raise RuntimeError(
            "swap_in_optimizer_params_and_state requires swapin_optim_state['state'] to be a dict "
            "mapping packed parameter ids to per-param state dicts, got "
            f"{type(saved_state).__name__}."
        )
    params = list(swapin_parameters.values())
    saved_groups = swapin_optim_state["param_groups"]
    numbers = list(chain.from_iterable(group["params"] for group in saved_groups))
    count = sum(len(group["params"]) for group in optimizer.param_groups)
    if not len(params) == len(numbers) == count:
        raise RuntimeError(
            "swap_in_optimizer_params_and_state requires as many parameters as the optimizer has, "
            f"{count}, got {len(params)} parameters and {len(numbers)} packed ids."
        )
    by_number = dict(zip(numbers, params))
    before = optimizer.state, optimizer.param_groups
    optimizer.state = defaultdict(dict)
    for number, entries in saved_state.items():
        optimizer.state[by_number.get(number, number)] = dict(entries)
    optimizer.param_groups = [
        {**group, "params": [by_number[number] for number in group["params"]]}
        for group in saved_groups
    ]
    try:
        yield
    finally:
        optimizer.state, optimizer.param_groups = before
