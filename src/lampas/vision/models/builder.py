"""From a name to a model: the registry, and what all builder functions share.

A builder takes `weights` (a member of its `WeightsEnum`, its name, or None) and passes all else to
the model's class. `pretrained=True`, the old spelling, still works, with a warning.
"""

import fnmatch
import functools
import warnings

_BUILDERS = {}
_WEIGHTS = {}


def builder(weights_enum, loaded=None, renamed=None, defaults=None, **with_weights):
    """Registers a builder function and gives it `weights` and `progress`.

    With weights the class gets `with_weights` too, and `defaults` where the caller says nothing.
    `renamed` adapts the tensors of old files, and `loaded(model, kwargs)` is called with the
    finished model and what the caller asked for.
    """

    def decorate(function):
        @functools.wraps(function)
        def build(*args, weights=None, progress=True, **kwargs):
            weights = _legacy(weights_enum, args, weights, kwargs)
            weights = weights_enum.verify(weights)
            if weights is None:
                return function(**kwargs)
            asked = dict(kwargs)
            if kwargs.get("num_classes", 1000) != 1000:
                raise ValueError(
                    "The parameter 'num_classes' expected value 1000 but got "
                    f"{kwargs['num_classes']} instead."
                )
            kwargs = {**(defaults or {}), **kwargs, **with_weights}
            state = weights.get_state_dict(progress=progress, check_hash=True)
            model = function(**kwargs)
            model.load_state_dict(renamed(state) if renamed else state)
            if loaded:
                loaded(model, asked)
            return model

        del build.__wrapped__  # its signature has no weights
        _BUILDERS[function.__name__] = build
        _WEIGHTS[function.__name__] = weights_enum
        return build

    return decorate


def _legacy(weights_enum, args, weights, kwargs):
    """The weights that `pretrained`, a truth value or a positional argument stands for."""
    if args:
        if len(args) > 1:
            raise TypeError(f"expected at most one positional argument, got {len(args)}")
        warnings.warn(
            "Using 'weights' as positional parameter(s) is deprecated since 0.13 and may be "
            "removed in the future. Please use keyword parameter(s) instead.",
            stacklevel=3,
        )
        weights = args[0]
    if "pretrained" in kwargs:
        warnings.warn(
            "The parameter 'pretrained' is deprecated since 0.13 and may be removed in the future, "
            "please use 'weights' instead.",
            stacklevel=3,
        )
        weights = kwargs.pop("pretrained")
    if not isinstance(weights, bool):
        return weights
    first = next(iter(weights_enum)) if weights else None
    warnings.warn(
        "Arguments other than a weight enum or `None` for 'weights' are deprecated since 0.13 and "
        "may be removed in the future. The current behavior is equivalent to passing "
        f"`weights={first}`." + (_best(weights_enum) if weights else ""),
        stacklevel=3,
    )
    return first


def _best(weights_enum):
    name = weights_enum.__name__
    return f" You can also use `weights={name}.DEFAULT` to get the most up-to-date weights."


def list_models(module=None, include=None, exclude=None):
    """The sorted names of the models, of `module` only, matching shell patterns."""
    names = {n for n, f in _BUILDERS.items() if module is None or f.__module__ == module.__name__}
    if include:
        names &= _matching(names, include)
    if exclude:
        names -= _matching(names, exclude)
    return sorted(names)


def _matching(names, patterns):
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return {name for pattern in patterns for name in fnmatch.filter(names, pattern)}


def get_model_builder(name):
    """The builder function called `name`. ValueError where there is none."""
    if name.lower() not in _BUILDERS:
        raise ValueError(f"Unknown model {name}")
    return _BUILDERS[name.lower()]


def get_model(name, **config):
    """The model called `name`, built with `config`."""
    return get_model_builder(name)(**config)


def get_model_weights(name):
    """The `WeightsEnum` of a model, given by name or builder function."""
    name = name if isinstance(name, str) else name.__name__
    get_model_builder(name)
    return _WEIGHTS[name.lower()]


def get_weight(name):
    """The weights with a full name such as `ResNet50_Weights.IMAGENET1K_V2`."""
    enum_name, dot, member = name.partition(".")
    if not dot:
        raise ValueError(f"Invalid weight name provided: '{name}'.")
    for weights_enum in _WEIGHTS.values():
        if weights_enum.__name__ == enum_name:
            return weights_enum[member]
    raise ValueError(
        f"The weight enum '{enum_name}' for the specific method couldn't be retrieved."
    )
