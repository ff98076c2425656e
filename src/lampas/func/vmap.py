"""vmap as a loop: the function runs once per entry of the mapped dimension, results are stacked.

The results are those of a batched run; the speed is that of the loop.
"""

import functools

import lampas
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
        if not flat:
            raise ValueError(
                f"vmap({_name(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying "
                "to vmap over a function with no inputs. The latter is unsupported."
            )
        dims = _dims_of(args, in_dims, func)
        size = _size(flat, dims, func, in_dims)
        results = _loop(func, flat, spec, dims, kwargs, size, randomness)
        return _gather(results, out_dims, func)

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
            f"inputs. in_dims has structure {tree_flatten(in_dims)[1]} but inputs has structure {tree_flatten(args)[1]}."
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
    else:
        return None
    return None if any(p is None for p in parts) else [d for p in parts for d in p]


def _size(flat, dims, func, in_dims):
    sizes = []
    for x, d in zip(flat, dims):
        if d is None:
            continue
        where = f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): "
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


def _loop(func, flat, spec, dims, kwargs, size, randomness):
    slices = [x.unbind(d) if d is not None else (x,) * size for x, d in zip(flat, dims)]
    state = lampas.get_rng_state() if randomness != "different" else None
    results = []
    for i in range(size):
        if randomness == "same" and i:
            lampas.set_rng_state(state)
        results.append(func(*tree_unflatten([s[i] for s in slices], spec), **kwargs))
        if randomness == "error" and i == 0 and not lampas.equal(state, lampas.get_rng_state()):
            raise RuntimeError(
                "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
                "'different' randomness flags on vmap or perform the randomness operation out of vmap"
            )
    return results


def _gather(results, out_dims, func):
    if not results:
        raise NotImplementedError("vmap over a dimension of size 0")
    flat = [tree_flatten(result) for result in results]
    spec = flat[0][1]
    single = isinstance(out_dims, int) or out_dims is None
    if single:
        dims = [out_dims] * len(flat[0][0])
    else:
        dims = _spread(
            tuple(out_dims), results[0] if isinstance(results[0], (tuple, list)) else (results[0],)
        )
    if dims is None:
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims}): out_dims is not compatible with the structure of outputs."
        )
    columns = []
    for column, d in zip(zip(*(leaves for leaves, _ in flat)), dims):
        if not isinstance(column[0], lampas.Tensor):
            raise ValueError(
                f"vmap({_name(func)}, ...): `{_name(func)}` must only return Tensors, got type {type(column[0])}. Did "
                "you mean to set out_dims= to None for output?"
            )
        columns.append(column[0] if d is None else lampas.stack(column, d))
    return tree_unflatten(columns, spec)
