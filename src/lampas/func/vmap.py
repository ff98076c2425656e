"""vmap: a function of tensors, run once for a whole batch of them. How operators do that is in `batch`."""

import functools

import lampas
from lampas.func import levels
from lampas.func.batch import Batch
from lampas.utils._pytree import tree_flatten, tree_unflatten

__all__ = ["vmap"]


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """`func` applied to every slice of its arguments along `in_dims`, results stacked along `out_dims`.

    in_dims: an int or None (not mapped) for all arguments, or a tuple of them, nested as the arguments.
    randomness: "error" forbids random numbers inside, "different" draws anew per slice, "same" repeats.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}"
        )
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        flat, spec = tree_flatten(args)
        dims = _dims_of(args, in_dims, func)
        if not flat:
            raise ValueError(
                f"vmap({_name(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying "
                "to vmap over a function with no inputs. The latter is unsupported."
            )
        size = _size(flat, dims, func, in_dims)
        run = functools.partial(_run, func, spec, kwargs, randomness, out_dims)
        if chunk_size is None or size <= chunk_size:
            return run(flat, dims, size)
        return _chunked(run, flat, dims, size, chunk_size, func, out_dims)

    return wrapper


def _name(func):
    return getattr(func, "__name__", repr(func))


def _dims_of(args, in_dims, func):
    """in_dims for every leaf of the arguments."""
    if not isinstance(in_dims, (int, tuple, list, dict)):
        raise ValueError(
            f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): expected `in_dims` to be int or a (potentially "
            f"nested) tuple matching the structure of inputs, got: {type(in_dims)}."
        )
    dims = _spread(in_dims if not isinstance(in_dims, list) else tuple(in_dims), args)
    if dims is None:
        raise ValueError(
            f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): in_dims is not compatible with the structure of "
            f"`inputs`. in_dims has structure {tree_flatten(in_dims)[1]} but inputs has structure {tree_flatten(args)[1]}."
        )
    return dims


def _spread(dims, tree):
    if dims is None or isinstance(dims, int):
        flat, _ = tree_flatten(tree)
        return [
            dims if isinstance(x, lampas.Tensor) or dims is None or isinstance(dims, int) else None
            for x in flat
        ]
    if isinstance(tree, dict):
        if not isinstance(dims, dict) or dims.keys() != tree.keys():
            return None
        parts = [_spread(dims[key], tree[key]) for key in tree]
    elif (
        isinstance(tree, (tuple, list))
        and isinstance(dims, (tuple, list))
        and len(dims) == len(tree)
    ):
        parts = [_spread(d, t) for d, t in zip(dims, tree)]
    elif isinstance(tree, lampas.Tensor) and not isinstance(dims, (tuple, list, dict)):
        return [dims]
    else:
        return None
    return None if any(p is None for p in parts) else [d for p in parts for d in p]


def _size(flat, dims, func, in_dims):
    sizes = []
    for x, d in zip(flat, dims):
        if d is None:
            continue
        where = f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): "
        if not isinstance(d, int):
            raise ValueError(
                f"{where}Got in_dim={d} for an input but in_dim must be either an integer dimension or None."
            )
        if not isinstance(x, lampas.Tensor):
            raise ValueError(
                f"{where}Got in_dim={d} for an input but the input is of type {type(x)}. We cannot vmap over "
                "non-Tensor arguments, please use None as the respective in_dim"
            )
        if not -x.dim() <= d < x.dim():
            raise ValueError(
                f"{where}Got in_dim={d} for some input, but that input is a Tensor of dimensionality {x.dim()} so "
                f"expected in_dim to satisfy -{x.dim()} <= in_dim < {x.dim()}."
            )
        sizes.append(x.shape[d])
    if not sizes:
        raise ValueError("vmap: at least one argument must be mapped")
    if len(set(sizes)) > 1:
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the mapped dimension"
        )
    return sizes[0]


def _run(func, spec, kwargs, randomness, out_dims, flat, dims, size):
    with Batch(size, randomness) as level:
        with levels.outside(level):
            batches = [x if d is None else level.wrap(x.movedim(d, 0)) for x, d in zip(flat, dims)]
        result = func(*tree_unflatten(batches, spec), **kwargs)
        outputs, spec_out = tree_flatten(result)
        places = _places(outputs, spec_out, result, out_dims, func)
        with levels.outside(level):
            found = [_output(level, y, d, func) for y, d in zip(outputs, places)]
    return tree_unflatten(found, spec_out)


def _places(outputs, spec, result, out_dims, func):
    """out_dims for every output."""
    if isinstance(out_dims, int) or out_dims is None:
        return [out_dims] * len(outputs)
    if not isinstance(out_dims, (tuple, list, dict)):
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of "
            "ints representing where in the outputs the vmapped dimension should appear."
        )
    alone = isinstance(result, lampas.Tensor) and len(out_dims) == 1
    found = _spread(tuple(out_dims) if isinstance(out_dims, list) else out_dims,
                    (result,) if alone else result)  # fmt: skip
    if found is None:
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of "
            f"`outputs`. out_dims has structure {tree_flatten(out_dims)[1]} but outputs has structure {spec}."
        )
    return found


def _output(level, y, d, func):
    """An output as the caller sees it: the batch dimension at d."""
    if not isinstance(y, lampas.Tensor):
        if d is None:
            return y
        raise ValueError(
            f"vmap({_name(func)}, ...): `{_name(func)}` must only return Tensors, got type {type(y)}. Did you mean to "
            "set out_dims= to None for output?"
        )
    batch = level.batch(y)
    if d is None:
        if batch is not None:
            raise ValueError(
                f"vmap({_name(func)}, ...): `{_name(func)}` can not return a BatchedTensor when out_dim is None"
            )
        return y
    return level.expanded(y).movedim(0, d)


def _chunked(run, flat, dims, size, chunk_size, func, out_dims):
    """Parts of the batch one after the other, results joined."""
    parts = []
    for start in range(0, size, chunk_size):
        n = min(chunk_size, size - start)
        part = [x if d is None else x.narrow(d, start, n) for x, d in zip(flat, dims)]
        parts.append(tree_flatten(run(part, dims, n)))
    spec = parts[0][1]
    places = _places(parts[0][0], spec, tree_unflatten(parts[0][0], spec), out_dims, func)
    columns = zip(*(leaves for leaves, _ in parts))
    joined = [c[0] if d is None else lampas.cat(c, d) for c, d in zip(columns, places)]
    return tree_unflatten(joined, spec)
