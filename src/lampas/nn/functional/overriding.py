"""Arguments with `__torch_function__`: whether there are any, and the call to it."""

import lampas


def has_torch_function(relevant_args):
    """Whether an argument's type overrides functions by `__torch_function__`."""
    for arg in relevant_args:
        own = getattr(type(arg), "__torch_function__", None)
        if own is not None and getattr(own, "__func__", own) not in _defaults():
            return True
    return False


def _defaults():
    """The `__torch_function__` of plain tensors and parameters, which override nothing."""
    found = (lampas.Tensor.__torch_function__, lampas.nn.Parameter.__torch_function__)
    return [getattr(function, "__func__", function) for function in found]


def has_torch_function_unary(arg):
    """`has_torch_function` of one argument."""
    return has_torch_function((arg,))


def has_torch_function_variadic(*args):
    """`has_torch_function` of its arguments."""
    return has_torch_function(args)


def handle_torch_function(public_api, relevant_args, *args, **kwargs):
    """Lets the arguments' `__torch_function__` run `public_api`."""
    overriding = [arg for arg in relevant_args if has_torch_function((arg,))]
    types = tuple(dict.fromkeys(type(arg) for arg in overriding))
    for arg in overriding:
        result = arg.__torch_function__(public_api, types, args, kwargs)
        if result is not NotImplemented:
            return result
    raise TypeError(
        f"no implementation found for '{public_api.__module__}.{public_api.__name__}' on types "
        f"that implement __torch_function__: {[type(arg) for arg in overriding]}"
    )
