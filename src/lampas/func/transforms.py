"""Derivatives as functions of functions. Arguments and results may be nested containers of tensors.

Here are those that go backwards; those that go forwards are in `forward`.
"""

import functools

import lampas
from lampas.func.levels import bare, off_tape, tracked
from lampas.utils._pytree import tree_flatten, tree_map, tree_unflatten

__all__ = [
    "debug_unwrap", "functionalize", "grad", "grad_and_value", "jacrev", "value_and_grad", "vjp",
]  # fmt: skip


def is_tensor(x):
    return isinstance(x, lampas.Tensor)


def enter(tree):
    """Tensors of their own on the tape, linked to the caller's graph, so that transforms nest."""
    return tree_map(
        lambda x: tracked(x) if is_tensor(x) and (x.is_floating_point() or x.is_complex()) else x,
        tree,
    )


def leave(tree, outer):
    """Off the tape, unless something outside is being differentiated."""
    return tree if outer else tree_map(lambda x: off_tape(x) if is_tensor(x) else x, tree)


def on_tape(tree):
    """Is one of the caller's tensors on the tape?"""
    return lampas.is_grad_enabled() and any(
        is_tensor(x) and x.requires_grad for x in tree_flatten(tree)[0]
    )


def _tied(grads, inputs):
    """Do the gradients depend on tensors other than the inputs, such as those a closure holds?"""
    own = {
        lampas._core._gradient_edge(bare(x))[0] for x in tree_flatten(inputs)[0] if x.requires_grad
    }
    nodes = [bare(g).grad_fn for g in tree_flatten(grads)[0]]
    stack = [node for node in nodes if node is not None]
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


def pull(outputs, inputs, v, keep=True):
    """Gradients of a flat list of outputs for a flat list of inputs, zeros where there is no path."""
    pairs = [(y, g) for y, g in zip(outputs, v) if is_tensor(y) and y.requires_grad]
    if not pairs:
        return [lampas.zeros_like(x) for x in inputs]
    outputs, v = zip(*pairs)
    return list(
        lampas.autograd.grad(
            outputs, inputs, v, create_graph=keep, retain_graph=True, materialize_grads=True
        )
    )


def selected(args, argnums):
    """The arguments to differentiate, checked."""
    if not isinstance(argnums, (int, tuple)):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    for n in (argnums,) if isinstance(argnums, int) else argnums:
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
    return args[argnums] if isinstance(argnums, int) else tuple(args[n] for n in argnums)


def replaced(args, argnums, values):
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
            inputs = enter(selected(args, argnums))
            result = func(*replaced(args, argnums, inputs), **kwargs)
            value, aux = split_aux(result, has_aux, "grad_and_value(f)(*args)")
            if not is_tensor(value):
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
            found = tree_unflatten(pull([value], flat, [lampas.ones_like(value)]), spec)
        outer = on_tape((args, kwargs)) or (lampas.is_grad_enabled() and _tied(found, inputs))
        found, value, aux = (leave(part, outer) for part in (found, value, aux))
        return (found, (value, aux)) if has_aux else (found, value)

    return wrapper


def split_aux(result, has_aux, who):
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
    outer = on_tape(primals)
    with lampas.enable_grad():
        inputs = enter(primals)
        output, aux = split_aux(func(*inputs), has_aux, "vjp(f, *primals)")
    flat_in, spec_in = tree_flatten(inputs)
    flat_out, spec_out = tree_flatten(output)

    def push_back(cotangents, retain_graph=True, create_graph=None):
        flat, spec = tree_flatten(cotangents)
        if spec != spec_out:
            raise RuntimeError(
                f"Expected pytree structure of cotangents to be the same as pytree structure of outputs to the "
                f"function. cotangents: {spec}, primal output: {spec_out}"
            )
        found = pull(flat_out, flat_in, flat)
        return tree_unflatten(leave(found, outer or on_tape(cotangents)), spec_in)

    result = leave(output, outer)
    return (result, push_back, leave(aux, outer)) if has_aux else (result, push_back)


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None, _preallocate_and_copy=False):
    """The function that computes the Jacobian: for y and x a tensor of shape y.shape + x.shape."""
    return _jacobian(func, argnums, has_aux)


def _jacobian(func, argnums, has_aux):
    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        outer = on_tape((args, kwargs))
        with lampas.enable_grad():
            inputs = enter(selected(args, argnums))
            result = func(*replaced(args, argnums, inputs), **kwargs)
            output, aux = split_aux(result, has_aux, "jacrev(f)(*args)")
            flat_in, spec_in = tree_flatten(inputs)
            flat_out, spec_out = tree_flatten(output)
            table = _rows(flat_out, flat_in)
        found = tree_unflatten([tree_unflatten(row, spec_in) for row in table], spec_out)
        found = leave(found, outer)
        return (found, leave(aux, outer)) if has_aux else found

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
        rows = [pull([y], inputs, [v]) for v in _unit(y)]
        shapes = [y.shape + x.shape for x in inputs]
        table.append([lampas.stack([r[i] for r in rows]).reshape(s) if rows else inputs[i].new_zeros(s)
                      for i, s in enumerate(shapes)])  # fmt: skip
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
