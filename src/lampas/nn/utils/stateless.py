"""Calling a module with other tensors in the place of its parameters and buffers."""

import contextlib
import warnings

import lampas

__all__ = ["functional_call"]


def _owner(module, name):
    """The submodule that holds a tensor, and the tensor's own name."""
    *path, leaf = name.split(".")
    for part in path:
        if not hasattr(module, part):
            raise AttributeError(f"{type(module).__name__} has no attribute `{part}`")
        module = getattr(module, part)
        if not isinstance(module, lampas.nn.Module):
            raise TypeError(f"`{'.'.join(path)}`: {module} is not an instance of torch.nn.Module")
    if not leaf:
        raise KeyError('tensor name can\'t be empty string ""')
    return module, leaf


_MISSING = object()


def _swap(module, name, tensor):
    """Put a tensor in a place, gives what was there (_MISSING if nothing)."""
    owner, leaf = _owner(module, name)
    for table in (owner._parameters, owner._buffers):
        if leaf in table:
            old, table[leaf] = table[leaf], tensor
            _swap_flat(owner, leaf, tensor)
            return old
    old = getattr(owner, leaf, _MISSING)
    if old is not _MISSING and not isinstance(old, lampas.Tensor):
        raise TypeError(f"attribute `{leaf}`: {old} is not an instance of torch.Tensor")
    if tensor is _MISSING:
        delattr(owner, leaf)
    else:
        setattr(owner, leaf, tensor)
    return old


def _swap_flat(owner, leaf, tensor):
    """Recurrent layers run on a list of their weights, which must follow."""
    names = owner.__dict__.get("_flat_weights_names", ())
    if leaf in names:
        owner._flat_weights[names.index(leaf)] = tensor


def _tied_names(module):
    """For every name of a tensor that has several: all of its names."""
    names = {}
    for members in (module.named_parameters, module.named_buffers):
        for name, tensor in members(remove_duplicate=False):
            names.setdefault(id(tensor), []).append(name)
    return {name: group for group in names.values() if len(group) > 1 for name in group}


def _with_tied(module, tensors):
    """The tensors under all names of the places they are for.

    Raises:
        ValueError: different tensors for one place.
    """
    complete = dict(tensors)
    for name, group in _tied_names(module).items():
        given = [key for key in group if key in tensors]
        if len({id(tensors[key]) for key in given}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(given)}, which are tied. "
                "Consider using tie_weights=False"
            )
        if given:
            complete[name] = tensors[given[0]]
    return complete


def _check_names(module, tensors):
    expected = {
        name
        for members in (module.named_parameters, module.named_buffers)
        for name, _ in members(remove_duplicate=False)
    }
    lines = []
    for kind, names in (
        ("Unexpected", set(tensors.keys()) - expected),
        ("Missing", expected - set(tensors.keys())),
    ):
        if names:
            lines.append(f"\n\t{kind} key(s): {', '.join(map(repr, sorted(names)))}.")
    if lines:
        raise RuntimeError(
            f"Error(s) in reparametrizing for {type(module).__name__}:" + "".join(lines)
        )


@contextlib.contextmanager
def _reparametrize_module(module, parameters_and_buffers, tie_weights=False, strict=False):
    """Inside the block the module has the given tensors; what it writes comes back in the dict."""
    named_parameters = module.named_parameters  # fails early on what is no module
    parameters_and_buffers.keys()
    tensors = parameters_and_buffers
    if tie_weights:
        tensors = _with_tied(module, tensors)
    if strict:
        _check_names(module, tensors)
    del named_parameters
    olds = {}
    try:
        for name, tensor in tensors.items():
            if not isinstance(tensor, lampas.Tensor):
                raise TypeError(f"{tensor} is not an instance of torch.Tensor")
            olds[name] = _swap(module, name, tensor)
        yield
    finally:
        for name, old in olds.items():
            current = _swap(module, name, old)
            if name in parameters_and_buffers:
                parameters_and_buffers[name] = current


def _functional_call(
    module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    kwargs = {} if kwargs is None else kwargs
    with _reparametrize_module(module, parameters_and_buffers, tie_weights, strict):
        return module(*args, **kwargs)


def functional_call(
    module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """The old place of `func.functional_call`."""
    warnings.warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 "
        "and will be removed in a future version of PyTorch. "
        "Please use `torch.func.functional_call` instead which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return _functional_call(
        module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict
    )
