"""Forward-mode products and what is made of them: jvp, jacfwd, hessian, linearize.

How tangents move is in `dual`; the transforms that go backwards are in `transforms`.
"""

import functools

import lampas
from lampas.func.dual import Dual, make_dual
from lampas.func.transforms import (
    enter,
    is_tensor,
    jacrev,
    leave,
    on_tape,
    pull,
    replaced,
    selected,
    split_aux,
)  # fmt: skip
from lampas.func.vmap import vmap
from lampas.utils._pytree import tree_flatten, tree_unflatten

__all__ = ["hessian", "jacfwd", "jvp", "linearize"]

_WHO = "jvp(f, primals, tangents): "


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """(func(*primals), J tangents[, aux]); both products have the structure of the output.

    primals: a tuple of (nests of) tensors; tangents: the same structure and shapes.
    strict: raise where the output does not depend on the primals, instead of zeros.
    """
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{_WHO}Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    flat, spec = tree_flatten(primals)
    flat_tangents, spec_tangents = tree_flatten(tangents)
    if spec != spec_tangents:
        raise RuntimeError(
            f"{_WHO}Expected primals and tangents to have the same python structure. For example, if primals is a "
            f"tuple of 3 tensors, tangents also must be. Got primals with structure {spec} and tangents with "
            f"structure {spec_tangents}"
        )
    _check_tensors(flat, "primals")
    _check_tensors(flat_tangents, "tangents")
    return _jvp(func, flat, spec, flat_tangents, strict, has_aux)


def _check_tensors(values, what):
    for x in values:
        if not is_tensor(x):
            raise RuntimeError(f"{_WHO}Expected {what} to only contain Tensors, got {type(x)}")
    if not values:
        raise RuntimeError(f"{_WHO}Expected {what} to contain at least one Tensor.")


def _jvp(func, flat, spec, tangents, strict=False, has_aux=False):
    for x, t in zip(flat, tangents):
        for what, each in (("primal", x), ("tangent", t)):
            if not (each.is_floating_point() or each.is_complex()):
                raise ValueError(
                    f"Expected {what} to be floating point or complex, but got: {each.dtype}"
                )
    with Dual(functional=True) as level:
        duals = [make_dual(level, x, t) for x, t in zip(flat, tangents)]
        output, aux = split_aux(func(*tree_unflatten(duals, spec)), has_aux, _WHO[:-2])
        outputs, spec_out = tree_flatten(output)
        for y in outputs:
            if not is_tensor(y):
                raise RuntimeError(
                    f"{_WHO}expected f(*primals) to return only tensors, got unsupported type {type(y)}"
                )
        pushed = [level.tangent(y) for y in outputs]
    if strict and any(t is None for t in pushed):
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not "
            "allowed with strict=True."
        )
    pushed = [lampas.zeros_like(y) if t is None else t for y, t in zip(outputs, pushed)]
    result = (tree_unflatten(outputs, spec_out), tree_unflatten(pushed, spec_out))
    return (*result, aux) if has_aux else result


def linearize(func, *primals):
    """(func(*primals), t -> J t): the second function can be called for many tangents."""
    with lampas.enable_grad():
        inputs = enter(primals)
        output = func(*inputs)
        flat_in, flat_out, spec_out = tree_flatten(inputs)[0], *tree_flatten(output)
        dummy = [lampas.zeros_like(y, requires_grad=True) for y in flat_out]
        pulled = pull(flat_out, flat_in, dummy)

    def push(*tangents):
        found = pull(pulled, dummy, tree_flatten(tangents)[0], keep=False)
        return tree_unflatten(found, spec_out)

    return leave(output, on_tape(primals)), push


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """The function that computes the Jacobian column by column: for y and x a tensor of shape y.shape + x.shape.

    argnums: which positional arguments; a tuple gives a tuple. has_aux: func returns (output, aux).
    randomness: as in vmap.
    """

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        chosen = selected(args, argnums)
        flat, spec = tree_flatten(chosen)

        seen = {}

        def columns(*tangents):
            result = _jvp(
                lambda *xs: func(*replaced(args, argnums, tree_unflatten(list(xs), spec)), **kwargs),
                flat, tree_flatten(tuple(flat))[1], tangents, has_aux=has_aux,
            )  # fmt: skip
            found, seen["spec"] = tree_flatten(result[1])
            return (tuple(found), result[2]) if has_aux else tuple(found)

        basis = _basis(flat)
        pushed = vmap(columns, randomness=randomness)(*basis)
        if has_aux:
            pushed, aux = pushed
            aux = tree_unflatten([a[0] for a in tree_flatten(aux)[0]], tree_flatten(aux)[1])
        table = [tree_unflatten(_split_columns(y, flat), spec) for y in pushed]
        found = tree_unflatten(table, seen["spec"])
        return (found, aux) if has_aux else found

    return wrapper


def _basis(flat):
    """For each input (N, *shape): the unit tensors of all inputs one after the other, N their number."""
    counts = [x.numel() for x in flat]
    total, start, basis = sum(counts), 0, []
    for x, n in zip(flat, counts):
        block = lampas.zeros(total, n, dtype=x.dtype, device=x.device)
        block[start : start + n].diagonal().fill_(1)
        basis.append(block.view(total, *x.shape))
        start += n
    return basis


def _split_columns(y, flat):
    """(N, *y) -> for each input y.shape + x.shape."""
    parts = y.split([x.numel() for x in flat])
    return [p.movedim(0, -1).reshape(*y.shape[1:], *x.shape) for p, x in zip(parts, flat)]


def hessian(func, argnums=0):
    """The function that computes second derivatives: jacfwd(jacrev(func))."""
    return jacfwd(jacrev(func, argnums), argnums)
