"""Random numbers under vmap: one draw for all ("same"), one of the whole batch ("different"), or an error."""

import lampas
from lampas.func.batch import RANDOM, SAME, UNBATCHED_WRITE
from lampas.func.levels import mapped, tensors_of

_LIKE = ("rand_like", "randn_like", "randint_like")
_SIZED = ("rand", "randn", "randint", "normal")
_FILLS = "normal_ uniform_ exponential_ cauchy_ log_normal_ geometric_ random_ bernoulli_".split()
_DROPS = ("dropout", "dropout_", "native_dropout")
_ELEMENTWISE = ("bernoulli", "poisson", "binomial", "normal", "_standard_gamma")


def draw(level, function, name, args, kwargs):
    """The result of a function that draws random numbers, as the level's mode says."""
    if name in _DROPS and not _trains(args, kwargs):
        return level.wrapped(function(*mapped(args, level.inner), **kwargs))
    if level.randomness == "error":
        raise RuntimeError(RANDOM)
    batched = any(level.batch(x) is not None for x in tensors_of((args, kwargs)))
    if level.randomness == "same":
        return _same(level, function, name, args, kwargs, batched)
    if name.endswith("_") and level.batch(args[0]) is None:
        raise RuntimeError(UNBATCHED_WRITE)
    if not batched:
        return _fresh(level, function, name, args, kwargs)
    if name in _LIKE or name in _FILLS or name in _DROPS:
        result = function(*mapped(args, level.inner), **mapped(kwargs, level.inner))
        return args[0] if name.endswith("_") else level.wrapped(result)
    if name == "multinomial" and args[0].dim() == 1:
        return level.wrap(function(level.batch(args[0]), *args[1:], **kwargs))
    if name in _ELEMENTWISE and len({x.dim() for x in tensors_of((args, kwargs))}) == 1:
        return level.wrap(function(*mapped(args, level.expanded), **mapped(kwargs, level.expanded)))
    return level.loop(function, name, args, kwargs)


def _trains(args, kwargs):
    return kwargs.get("train", args[2] if len(args) > 2 else True)


def _same(level, function, name, args, kwargs, batched):
    if not batched:
        return function(*args, **kwargs)
    if name in _LIKE:
        return function(level.batch(args[0])[0], *args[1:], **kwargs)
    if name in _FILLS:
        target = level.batch(args[0])
        one = function(lampas.empty_like(target[0]), *args[1:], **kwargs)
        target.copy_(one)
        return args[0]
    if name in ("dropout", "dropout_"):
        x = level.batch(args[0])
        mask = function(lampas.ones_like(x[0]), *args[1:], **kwargs)
        return level.wrap(x * mask) if name == "dropout" else (x.mul_(mask), args[0])[1]
    raise RuntimeError(SAME)


def _fresh(level, function, name, args, kwargs):
    """From numbers alone: one draw of the size (B, *size), or B draws."""
    if name in _SIZED:
        if "size" in kwargs:
            return level.wrap(function(*args, **{**kwargs, "size": (level.size, *kwargs["size"])}))
        if args and isinstance(args[-1], (tuple, list)):
            return level.wrap(function(*args[:-1], (level.size, *args[-1]), **kwargs))
        if name in ("rand", "randn"):
            return level.wrap(function((level.size, *args), **kwargs))
    if name in _LIKE:
        return level.wrap(function(level.expanded(args[0]), *args[1:], **kwargs))
    return level.wrap(lampas.stack([function(*args, **kwargs) for _ in range(level.size)]))
