"""backward() and grad(): arguments of the public API, turned into one call of the core's engine."""

from lampas import _core, hints

Tensor = _core.Tensor


def _run(*request):
    """One pass of the engine; open transforms (func/levels.py) see it as an operator."""
    if _core._transforms():
        from lampas.func import levels

        return levels.call(_core._run_backward, *request)
    return _core._run_backward(*request)


def _tuple(value):
    if value is None:
        return ()
    return (
        (value,)
        if isinstance(value, Tensor) or not isinstance(value, (tuple, list))
        else tuple(value)
    )


def _roots(tensors):
    for index, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"expected Tensor or GradientEdge as root {index}, got {type(tensor).__name__}"
            )
        if not tensor.requires_grad:
            text = f"element {index} of tensors does not require grad and does not have a grad_fn"
            raise hints.hinted(RuntimeError(text))
    return tensors


def _gradients(tensors, grads):
    """One gradient, or None, for each tensor; surplus ones do not count, as in PyTorch."""
    if grads is None:
        return (None,) * len(tensors)
    grads = (grads,) if isinstance(grads, Tensor) else tuple(grads)
    for tensor, grad in zip(tensors, grads):
        if grad is None:
            continue
        if not isinstance(grad, Tensor):
            raise TypeError(
                f"gradients can be either Tensors or None, but got {type(grad).__name__}"
            )
        if grad.shape == tensor.shape and grad.is_complex() != tensor.is_complex():
            raise RuntimeError(
                "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in "
                f"dtype: grad_output[0] has a dtype of {grad.dtype} and output[0] has a dtype of {tensor.dtype}."
            )
    if len(grads) < len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(grads)} gradients")
    return grads[: len(tensors)]


def backward(
    tensors,
    grad_tensors=None,
    retain_graph=None,
    create_graph=False,
    grad_variables=None,
    inputs=None,
):
    """Adds the gradients of `tensors` to the `.grad` of the leaves they depend on.

    grad_tensors: one gradient per tensor; None stands for 1 where the tensor has one element.
    retain_graph: keep what backward needs, so that it can run again (default: `create_graph`).
    create_graph: record backward itself, for derivatives of higher order.
    inputs: only these tensors receive gradients.
    """
    if _core._transforms():
        from lampas.func import levels

        levels.refuse_backward()
    if inputs is not None and len(_tuple(inputs)) == 0:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    if grad_variables is not None:
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. "
                "Please only use `grad_tensors`."
            )
        grad_tensors = grad_variables
    tensors = _roots(_tuple(tensors))
    retain = create_graph if retain_graph is None else retain_graph
    _run(
        tensors, _gradients(tensors, grad_tensors), _tuple(inputs), retain, create_graph, True, True
    )


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    """Gradients of `outputs` with respect to `inputs`, returned as a tuple; no `.grad` is touched.

    allow_unused: an input that does not matter gives None instead of an error.
    materialize_grads: such an input gives zeros.
    is_grads_batched: `grad_outputs` has a leading dimension; one backward pass per entry.
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    outputs = _roots(_tuple(outputs))
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    allow_unused = materialize_grads if allow_unused is None else allow_unused
    retain = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        return _batched(outputs, inputs, _tuple(grad_outputs), retain, create_graph, allow_unused)
    for tensor in inputs:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"expected Tensor as input, got {type(tensor).__name__}")
        if not tensor.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    results = _run(
        outputs,
        _gradients(outputs, grad_outputs),
        inputs,
        retain,
        create_graph,
        False,
        allow_unused,
    )
    if not allow_unused and any(result is None for result in results):
        index = [result is None for result in results].index(True)
        raise RuntimeError(
            f"The differentiated Tensor at index {index} appears to not have been used in the graph. Set allow_unused=True "
            "if this is the desired behavior."
        )
    if materialize_grads:
        results = tuple(x.new_zeros(x.shape) if g is None else g for g, x in zip(results, inputs))
    return results


def _batched(outputs, inputs, grads, retain, create_graph, allow_unused):
    import lampas

    rows = [
        grad(
            outputs,
            inputs,
            tuple(g[i] for g in grads),
            True,
            create_graph,
            allow_unused=allow_unused,
        )
        for i in range(grads[0].shape[0])
    ]
    return tuple(None if column[0] is None else lampas.stack(column) for column in zip(*rows))


def _tensor_backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Computes the gradients of this tensor with respect to the leaves, adding them to their `.grad`.

    gradient: of the same shape; may be left out for a tensor of one element.
    """
    if (
        gradient is None
        and retain_graph is None
        and not create_graph
        and inputs is None
        and not _core._transforms()
        and self.requires_grad
    ):
        return _core._backward(self)
    return backward(self, gradient, retain_graph, create_graph, inputs=inputs)


_tensor_backward.__name__ = _tensor_backward.__qualname__ = (
    "backward"  # `backward` is another function here
)
Tensor.backward = _tensor_backward
