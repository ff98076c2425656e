"""`__torch_function__` for functions that are written in Python outside of Lampas."""

from lampas import _core

# Whether a mode is on or an argument's type takes calls over by `__torch_function__`.
has_torch_function = _core._has_torch_function


def has_torch_function_unary(arg):
    """`has_torch_function` of one argument."""
    return has_torch_function((arg,))


def has_torch_function_variadic(*args):
    """`has_torch_function` of its arguments."""
    return has_torch_function(args)


def handle_torch_function(public_api, relevant_args, *args, **kwargs):
    """What the mode or the arguments' `__torch_function__` make of `public_api(*args, **kwargs)`.

    Raises TypeError when all of them return NotImplemented.
    """
    result = _core._offer(public_api, args, kwargs, tuple(relevant_args))
    if result is NotImplemented:
        raise TypeError(
            f"no implementation found for '{public_api.__module__}.{public_api.__name__}' on types "
            f"that implement __torch_function__: {[type(arg) for arg in relevant_args]}"
        )
    return result
