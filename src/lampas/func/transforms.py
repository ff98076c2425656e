"""Derivatives as functions of functions. Arguments and results may be nested containers of tensors."""

import functools

import lampas
from lampas.utils._pytree import tree_flatten, tree_map, tree_unflatten

__all__ = [
    "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "value_and_grad", "vjp",
]  # fmt: skip


def _is_tensor(x):
    return isinstance(x, lampas.Tensor)


def _copy(x):
    """A tensor of its own on the tape, linked to the caller's graph, so that transforms nest."""
    return (
        (x.view_as(x) if x.requires_grad else x.detach().requires_grad_()) if _is_tensor(x) else x
    )


def _enter(tree):
    return tree_map(
        lambda x: _copy(x) if _is_tensor(x) and (x.is_floating_point() or x.is_complex()) else x,
        tree,
    )


def _leave(tree, outer):
    """Off the tape, unless something outside is being differentiated."""
    return tree if outer else tree_map(lambda x: x.detach() if _is_tensor(x) else x, tree)


def _outer(tree):
    """Is one of the caller's tensors on the tape?"""
    return lampas.is_grad_enabled() and any(
        _is_tensor(x) and x.requires_grad for x in tree_flatten(tree)[0]
    )


def _tied(grads, inputs):
    """Do the gradients depend on tensors other than the inputs, such as those a closure holds?"""
    own = {lampas._core._gradient_edge(x)[0] for x in tree_flatten(inputs)[0] if x.requires_grad}
    stack = [g.grad_fn for g in tree_flatten(grads)[0] if g.grad_fn is not None]
    seen = set()
    while stack:
        node = stack.pop()
        for after, _ in node.next_functions:
            if after is None or after in own or after in seen:
                continue
            if not after.next_functions:
                return True
            seen.add(after)
            stack.append(after)
    return False


def _pull(outputs, inputs, v, keep=True):
    """Gradients of a flat list of outputs for a flat list of inputs, zeros where there is no path."""
    pairs = [(y, g) for y, g in zip(outputs, v) if _is_tensor(y) and y.requires_grad]
    if not pairs:
        return [lampas.zeros_like(x) for x in inputs]
    outputs, v = zip(*pairs)
    return list(
        lampas.autograd.grad(
            outputs, inputs, v, create_graph=keep, retain_graph=True, materialize_grads=True
        )
    )


def _selected(args, argnums):
    """The arguments to differentiate, checked."""
    for n in (argnums,) if isinstance(argnums, int) else argnums:
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
    return args[argnums] if isinstance(argnums, int) else tuple(args[n] for n in argnums)


def _replaced(args, argnums, values):
    args = list(args)
    for n, value in (
        zip((argnums,), (values,)) if isinstance(argnums, int) else zip(argnums, values)
    ):
        args[n] = value
    return args


def grad_and_value(func, argnums=0, has_aux=False):
    """As grad; the result is (gradient, value) or (gradient, (value, aux))."""

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        with lampas.enable_grad():
            inputs = _enter(_selected(args, argnums))
            result = func(*_replaced(args, argnums, inputs), **kwargs)
            value, aux = _split(result, has_aux, "grad_and_value(f)(*args)")
            if not _is_tensor(value):
                raise RuntimeError(
                    "Expected f to return a Tensor"
                    if not has_aux
                    else "Expected f to return a tuple (output, aux)"
                )
            if value.dim() != 0:
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, "
                    f"got tensor with {value.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            flat, spec = tree_flatten(inputs)
            found = tree_unflatten(_pull([value], flat, [lampas.ones_like(value)]), spec)
        outer = _outer((args, kwargs)) or (lampas.is_grad_enabled() and _tied(found, inputs))
        found, value, aux = (_leave(part, outer) for part in (found, value, aux))
        return (found, (value, aux)) if has_aux else (found, value)

    return wrapper


def _split(result, has_aux, who):
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise RuntimeError(
            f"{who}: output of function f should be a tuple: (output, aux) if has_aux is True"
        )
    return result


def grad(func, argnums=0, has_aux=False):
    """The function that computes the gradient of `func`, whose result is a number.

    argnums: which positional arguments; an int gives one gradient, a tuple a tuple.
    has_aux: func returns (value, aux), and the new function (gradient, aux).
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return wrapper


def value_and_grad(func, argnums=0, has_aux=False):
    """As grad; the result is (value, gradient)."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        found, value = both(*args, **kwargs)
        return value, found

    return wrapper


def vjp(func, *primals, has_aux=False):
    """(func(*primals), v -> v^T J[, aux]); the gradients come as a tuple."""
    outer = _outer(primals)
    with lampas.enable_grad():
        inputs = _enter(primals)
        output, aux = _split(func(*inputs), has_aux, "vjp(f, *primals)")
    flat_in, spec_in = tree_flatten(inputs)
    flat_out, spec_out = tree_flatten(output)

    def pull(cotangents, retain_graph=True, create_graph=None):
        flat, spec = tree_flatten(cotangents)
        if spec != spec_out:
            raise RuntimeError(
                f"Expected pytree structure of cotangents to be the same as pytree structure of outputs to the "
                f"function. cotangents: {spec}, primal output: {spec_out}"
            )
        found = _pull(flat_out, flat_in, flat)
        return tree_unflatten(_leave(found, outer or _outer(cotangents)), spec_in)

    result = _leave(output, outer)
    return (result, pull, _leave(aux, outer)) if has_aux else (result, pull)


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """(func(*primals), J tangents[, aux]), by two backward passes."""
    if not isinstance(primals, tuple):
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    outer = _outer((primals, tangents))
    flat_t, spec_t = tree_flatten(tangents)
    with lampas.enable_grad():
        inputs = _enter(primals)
        output, aux = _split(func(*inputs), has_aux, "jvp(f, primals, tangents)")
        flat_in, spec_in = tree_flatten(inputs)
        if spec_in != spec_t:
            raise RuntimeError(
                "jvp(f, primals, tangents): Expected primals and tangents to have the same python structure. For "
                f"example, if primals is a tuple of 3 tensors, tangents also must be. Got primals with structure "
                f"{spec_in} and tangents with structure {spec_t}"
            )
        flat_out, spec_out = tree_flatten(output)
        found = tree_unflatten(_push(flat_out, flat_in, flat_t), spec_out)
    result = (_leave(output, outer), _leave(found, outer))
    return (*result, _leave(aux, outer)) if has_aux else result


def _push(outputs, inputs, tangents):
    """J t: v^T J is linear in v, so its own transpose applied to t."""
    dummy = [lampas.zeros_like(y, requires_grad=True) for y in outputs]
    pulled = _pull(outputs, inputs, dummy)
    return _pull(pulled, dummy, tangents)


def linearize(func, *primals):
    """(func(*primals), t -> J t): the second function can be called for many tangents."""
    with lampas.enable_grad():
        inputs = _enter(primals)
        output = func(*inputs)
        flat_in, flat_out, spec_out = tree_flatten(inputs)[0], *tree_flatten(output)
        dummy = [lampas.zeros_like(y, requires_grad=True) for y in flat_out]
        pulled = _pull(flat_out, flat_in, dummy)

    def push(*tangents):
        found = _pull(pulled, dummy, tree_flatten(tangents)[0], keep=False)
        return tree_unflatten(found, spec_out)

    return _leave(output, _outer(primals)), push


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None, _preallocate_and_copy=False):
    """The function that computes the Jacobian: for y and x a tensor of shape y.shape + x.shape."""
    return _jacobian(func, argnums, has_aux, _rows)


def jacfwd(func, argnums=0, has_aux=False, *, chunk_size=None, randomness="error"):
    """As jacrev, column by column."""
    return _jacobian(func, argnums, has_aux, _columns)


def hessian(func, argnums=0):
    """The function that computes second derivatives: jacfwd(jacrev(func))."""
    return jacfwd(jacrev(func, argnums), argnums)


def _jacobian(func, argnums, has_aux, method):
    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        outer = _outer((args, kwargs))
        with lampas.enable_grad():
            inputs = _enter(_selected(args, argnums))
            result = func(*_replaced(args, argnums, inputs), **kwargs)
            output, aux = _split(result, has_aux, "jacrev(f)(*args)")
            flat_in, spec_in = tree_flatten(inputs)
            flat_out, spec_out = tree_flatten(output)
            table = method(flat_out, flat_in)
        found = tree_unflatten([tree_unflatten(row, spec_in) for row in table], spec_out)
        found = _leave(found, outer)
        return (found, _leave(aux, outer)) if has_aux else found

    return wrapper


def _unit(x):
    """The unit tensors of x's shape."""
    for j in range(x.numel()):
        v = lampas.zeros(x.numel(), dtype=x.dtype, device=x.device)
        v[j] = 1
        yield v.view(x.shape)


def _rows(outputs, inputs):
    table = []
    for y in outputs:
        rows = [_pull([y], inputs, [v]) for v in _unit(y)]
        shapes = [y.shape + x.shape for x in inputs]
        table.append([lampas.stack([r[i] for r in rows]).reshape(s) if rows else inputs[i].new_zeros(s)
                      for i, s in enumerate(shapes)])  # fmt: skip
    return table


def _columns(outputs, inputs):
    table = [[] for _ in outputs]
    dummy = [lampas.zeros_like(y, requires_grad=True) for y in outputs]
    pulled = _pull(outputs, inputs, dummy)
    for i, x in enumerate(inputs):
        columns = [_pull([pulled[i]], dummy, [v]) for v in _unit(x)]
        for o, y in enumerate(outputs):
            shape = y.shape + x.shape
            column = [c[o] for c in columns]
            table[o].append(
                lampas.stack(column, -1).reshape(shape) if column else y.new_zeros(shape)
            )
    return table


def functionalize(func, *, remove="mutations"):
    """func itself: only a tracer sees whether writes in place or views were replaced."""
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            "functionalize(f, remove='mutations'): received invalid argument for remove="
            f"{remove}. Valid options are:\n     remove='mutations': all inplace and out= operators will be "
            "removed from the program, and replaced with their out-of-place equivalents.\n     "
            "remove='mutations_and_views': In addition to the above, all aliasing operators {view} will be "
            "replaced with their non-aliasing counterparts, {view}_copy.\n"
        )
    return func


def debug_unwrap(tensor, *, recurse=True):
    """The tensor inside those that transforms wrap; nothing is wrapped here."""
    if not isinstance(tensor, lampas.Tensor):
        raise RuntimeError("debug_unwrap(tensor): tensor must be a torch.Tensor")
    return tensor
