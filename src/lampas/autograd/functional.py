"""Jacobians, Hessians and their products with vectors, for functions of tensors.

Built on `autograd.grad`. Forward-mode products use two backward passes, so no operator needs a forward rule.
"""

import lampas
from lampas.autograd.engine import grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), v^T J): `v` is shaped as the output; it may be left out for one number."""
    with lampas.enable_grad():
        single, inputs = _tensors(inputs, "inputs", "vjp")
        inputs = _fresh(inputs, create_graph)
        single_out, outputs = _outputs(func, inputs, "vjp", strict)
        v = _vector(
            v,
            outputs,
            "The vector v can only be None if the user-provided function returns a single Tensor with a single element.",
        )
    with lampas.set_grad_enabled(_recording(create_graph)):
        found = _grads(outputs, inputs, v, create_graph, strict)
        found = _zeros_for_none(found, inputs, create_graph, strict, "vjp")
    return _plain(outputs, single_out, create_graph), _plain(found, single, create_graph)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), J v): `v` is shaped as the inputs; it may be left out for one number."""
    with lampas.enable_grad():
        single, inputs = _tensors(inputs, "inputs", "jvp")
        inputs = _fresh(inputs, create_graph)
        v = _vector(
            v,
            inputs,
            "The vector v can only be None if the input to the user-provided function is a single Tensor with a single element.",
        )
        single_out, outputs = _outputs(func, inputs, "jvp", strict)
        # v^T J is linear in the dummy cotangent u: its own transpose applied to v is J v.
        dummy = tuple(lampas.zeros_like(y, requires_grad=True) for y in outputs)
        pulled = _grads(outputs, inputs, dummy, True, strict)
        pulled = _zeros_for_none(pulled, inputs, create_graph, strict, "jvp", dependent=False)
    with lampas.set_grad_enabled(_recording(create_graph)):
        if any(g.requires_grad for g in pulled):
            found = _grads(pulled, dummy, v, create_graph, False)
        else:
            found = (None,) * len(dummy)
        found = _zeros_for_none(found, outputs, create_graph, strict, "back_trick")
    return _plain(outputs, single_out, create_graph), _plain(found, single_out, create_graph)


def jacobian(
    func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"
):
    """The Jacobian of `func`: for output y and input x a tensor of shape y.shape + x.shape.

    A tuple of inputs or outputs gives a tuple (of tuples) of Jacobians. `vectorize` is accepted.
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more '
            'outputs than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode" and create_graph:
        raise NotImplementedError(
            'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported together (yet). '
            'Please either set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for "
            "`vectorize=True`."
        )
    with lampas.enable_grad():
        single, inputs = _tensors(inputs, "inputs", "jacobian")
        inputs = _fresh(inputs, create_graph)
        single_out, outputs = _outputs(func, inputs, "jacobian", strict)
        rows = tuple(
            _jacobian_of(y, i, inputs, create_graph, strict) for i, y in enumerate(outputs)
        )
    rows = tuple(_plain(row, False, create_graph) for row in rows)
    if single:
        rows = tuple(row[0] for row in rows)
    return rows[0] if single_out else rows


def _jacobian_of(y, index, inputs, create_graph, strict):
    """One tensor per input, of shape y.shape + x.shape."""
    entries = y.reshape(-1)
    if not entries.requires_grad:
        return tuple(x.new_zeros(y.shape + x.shape) for x in inputs)
    rows = []
    for j in range(entries.numel()):
        found = (
            grad(entries[j], inputs, None, True, create_graph, allow_unused=True)
            if not y.is_complex()
            else grad(entries, inputs, _basis(entries, j), True, create_graph, allow_unused=True)
        )
        if strict:
            _check_row(found, index, create_graph)
        rows.append([lampas.zeros_like(x) if g is None else g for g, x in zip(found, inputs)])
    if not rows:
        return tuple(x.new_zeros(y.shape + x.shape) for x in inputs)
    return tuple(
        lampas.stack(column).view(y.shape + x.shape) for column, x in zip(zip(*rows), inputs)
    )


def _basis(y, j):
    v = lampas.zeros_like(y)
    v[j] = 1
    return v


def _check_row(found, index, create_graph):
    for i, g in enumerate(found):
        if g is None:
            raise RuntimeError(
                f"Output {index} of the user-provided function is independent of input {i}. This is not allowed in strict mode."
            )
        if create_graph and not g.requires_grad:
            raise RuntimeError(
                f"The jacobian of the user-provided function is independent of input {i}. This is not allowed in "
                "strict mode when create_graph=True."
            )


def hessian(
    func,
    inputs,
    create_graph=False,
    strict=False,
    vectorize=False,
    outer_jacobian_strategy="reverse-mode",
):
    """Second derivatives of a function with one number as its result; x.shape + x.shape for one input."""
    single, inputs = _tensors(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def gradient(*xs):
        result = func(*xs)
        _check_number(result, "hessian")
        if strict and not result.requires_grad:
            _independent("output", "hessian")
        found = (
            grad(result, xs, create_graph=True, allow_unused=True)
            if result.requires_grad
            else (None,) * len(xs)
        )
        if strict and any(g is None for g in found):
            index = [g is None for g in found].index(True)
            raise RuntimeError(
                f"The output of the user-provided function is independent of input {index}. This is not allowed in strict mode."
            )
        return tuple(lampas.zeros_like(x) if g is None else g for g, x in zip(found, xs))

    found = jacobian(gradient, inputs, create_graph=create_graph, strict=strict)
    return found[0][0] if single else found


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), v^T H) for a function with one number as its result."""
    with lampas.enable_grad():
        single, inputs = _tensors(inputs, "inputs", "vhp")
        inputs = _fresh(inputs, create_graph)
        v = _vector(
            v,
            inputs,
            "The vector v can only be None if the input to the user-provided function is a single Tensor with a single element.",
        )
        result, first = _gradient(func, inputs, create_graph, strict, "vhp")
    with lampas.set_grad_enabled(_recording(create_graph)):
        found = _grads(first, inputs, v, create_graph, False)
        found = _zeros_for_none(found, inputs, create_graph, strict, "double_back")
    return _plain((result,), True, create_graph), _plain(found, single, create_graph)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), H v) for a function with one number as its result."""
    with lampas.enable_grad():
        single, inputs = _tensors(inputs, "inputs", "hvp")
        inputs = _fresh(inputs, create_graph)
        v = _vector(
            v,
            inputs,
            "The vector v can only be None if the input to the user-provided function is a single Tensor with a single element.",
        )
        result, first = _gradient(func, inputs, create_graph, strict, "hvp")
        dummy = tuple(lampas.zeros_like(x, requires_grad=True) for x in inputs)
        pulled = _grads(first, inputs, dummy, True, False)
        pulled = _zeros_for_none(
            pulled, inputs, create_graph, strict, "double_back", dependent=False
        )
    with lampas.set_grad_enabled(_recording(create_graph)):
        found = _grads(pulled, dummy, v, create_graph, False)
        found = _zeros_for_none(found, inputs, create_graph, strict, "double_back_trick")
    return _plain((result,), True, create_graph), _plain(found, single, create_graph)


def _gradient(func, inputs, create_graph, strict, name):
    """The number func(*inputs) and its gradients, recorded for another pass."""
    single, outputs = _outputs(func, inputs, name, strict)
    if not single:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    result = outputs[0]
    if result.numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a single element"
        )
    found = _grads((result,), inputs, None, True, strict)
    return result.squeeze() if result.dim() else result, _zeros_for_none(
        found, inputs, create_graph, strict, "jac", dependent=False
    )


def _check_number(result, name):
    if not isinstance(result, lampas.Tensor):
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if result.numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a single element"
        )


def _tensors(value, what, name):
    """(was it one tensor?, a tuple of tensors)."""
    single = not isinstance(value, tuple)
    values = (value,) if single else value
    for i, item in enumerate(values):
        if isinstance(item, lampas.Tensor):
            continue
        if single:
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the given {what} has type {type(item)}."
            )
        raise TypeError(
            f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the value at index {i} has type {type(item)}."
        )
    return single, values


def _fresh(inputs, create_graph):
    """Inputs to differentiate with respect to: linked to the caller's graph only if that is wanted."""
    if create_graph:
        return tuple(
            x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in inputs
        )
    return tuple(x.detach().requires_grad_() for x in inputs)


def _outputs(func, inputs, name, strict):
    single, outputs = _tensors(func(*inputs), "outputs of the user-provided function", name)
    if strict:
        for i, y in enumerate(outputs):
            if not y.requires_grad:
                raise RuntimeError(
                    f"Output {i} of the user-provided function does not require gradients. The outputs must be "
                    "computed in a differentiable manner from the input when running in strict mode."
                )
    return single, outputs


def _independent(what, name):
    raise RuntimeError(
        f"The {what} of the user-provided function given to {name} does not require gradients."
    )


def _vector(v, like, missing):
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(missing)
        return None
    _, v = _tensors(v, "v", "the product")
    v = tuple(x.detach() if not x.requires_grad else x for x in v)
    if len(v) != len(like):
        raise RuntimeError(
            f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}."
        )
    for i, (a, b) in enumerate(zip(v, like)):
        if a.shape != b.shape:
            prefix = f"Entry {i} in " if len(v) > 1 else ""
            raise RuntimeError(
                f"{prefix}v has invalid size: should be {b.size()} but got {a.size()}."
            )
    return v


def _recording(create_graph):
    return create_graph or lampas.is_grad_enabled()


def _grads(outputs, inputs, v, create_graph, strict):
    """Gradients, None where there is no path; outputs without a history are left out."""
    v = (None,) * len(outputs) if v is None else v
    kept = [(y, g) for y, g in zip(outputs, v) if y.requires_grad]
    if not kept:
        return (None,) * len(inputs)
    outputs, v = zip(*kept)
    return grad(
        outputs,
        inputs,
        tuple(v),
        create_graph=create_graph,
        retain_graph=create_graph or None,
        allow_unused=True,
    )


_STRICT = {
    "back_trick": "The gradient with respect to the input is independent of entry {i} in the grad_outputs when using "
    "the double backward trick to compute forward mode gradients. This is not allowed in strict mode.",
    "double_back": "The jacobian of the user-provided function is independent of input {i}. This is not allowed in strict mode.",
    "double_back_trick": "The hessian of the user-provided function is independent of entry {i} in the grad_jacobian. This is not "
    "allowed in strict mode as it prevents from using the double backward trick to replace forward mode AD.",
}


def _zeros_for_none(grads, like, create_graph, strict, stage, dependent=True):
    """Zeros where a gradient is missing; in strict mode an error."""
    found = []
    for i, (g, x) in enumerate(zip(grads, like)):
        if g is None and strict:
            text = _STRICT.get(
                stage,
                "The output of the user-provided function is independent of input {i}. This is not allowed in strict mode.",
            )
            raise RuntimeError(text.format(i=i))
        if g is not None and strict and create_graph and dependent and not g.requires_grad:
            raise RuntimeError(
                f"The {'hessian' if stage.startswith('double') else 'jacobian'} of the user-provided function is "
                f"independent of input {i}. This is not allowed in strict mode when create_graph=True."
            )
        found.append(lampas.zeros_like(x) if g is None else g)
    return tuple(found)


def _plain(values, single, create_graph):
    """Results as the caller sees them: off the tape unless it was asked for."""
    if not create_graph:
        values = tuple(x.detach() for x in values)
    return values[0] if single else tuple(values)
