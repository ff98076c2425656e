"""Compares derivatives with central finite differences, to first and second order."""

import warnings

import lampas
from lampas.autograd.engine import grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """The derivatives of a function are not what finite differences say."""


def gradcheck(
    func,
    inputs,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_batched_forward_grad=False,
    check_forward_ad=False,
    check_backward_ad=True,
    fast_mode=False,
    masked=None,
):
    """True when the gradients of `func(*inputs)` agree with (f(x + eps) - f(x - eps)) / (2 eps).

    inputs: a tensor or a tuple; those that require gradients are checked and should be double precision.
    raise_exception: raise GradcheckError instead of returning False.
    nondet_tol: by how much two backward passes may differ.
    check_forward_ad: compare tangents (`autograd.forward_ad`) too; check_backward_ad=False: only them.
    check_undefined_grad: backward must accept outputs to which no gradient arrives.
    fast_mode, masked and the batched checks are accepted; the full Jacobian is always compared.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError(
            "Expected at least one of check_forward_ad or check_backward_ad to be True"
        )
    try:
        if check_forward_ad:
            _check_forward(func, _tuple(inputs), eps, atol, rtol)
        if check_backward_ad:
            _check(
                func,
                _tuple(inputs),
                eps,
                atol,
                rtol,
                nondet_tol,
                check_undefined_grad,
                check_grad_dtypes,
            )
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(func, inputs, eps, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes):
    _check_inputs(inputs)
    outputs = _differentiable(func(*inputs))
    wanted = [x for x in inputs if _wants(x)]
    if not outputs:
        _check_zero(func, inputs, eps)
        return
    numbers = [
        [_numerical(func, inputs, x, eps, o, y) for o, y in enumerate(outputs)] for x in wanted
    ]
    outputs = _differentiable(func(*inputs))  # again: the differences wrote to the inputs
    for o, y in enumerate(outputs):
        for imaginary in (False, True) if y.is_complex() else (False,):
            columns = _analytical(y, wanted, imaginary)
            again = _analytical(y, wanted, imaginary)
            for i, x in enumerate(wanted):
                analytical = lampas.stack([c[i] for c in columns], 1) if columns else _empty(x)
                numerical = numbers[i][o][int(imaginary)]
                if check_grad_dtypes and any(c[i].dtype != x.dtype for c in columns):
                    raise GradcheckError(
                        "Backward is not returning gradients in the same dtype as its input."
                    )
                if not lampas.allclose(analytical, numerical, rtol, atol):
                    _fail(numerical, analytical, o, i, y, imaginary)
                for a, b in zip(columns, again):
                    if not _within(a[i], b[i], nondet_tol):
                        raise GradcheckError(
                            "Backward is not reentrant, i.e., running backward with same input and grad_output "
                            "multiple times gives different values, although analytical gradient matches numerical "
                            f"gradient.The tolerance for nondeterminism was {nondet_tol}."
                        )
    if check_undefined_grad:
        _check_undefined(func, inputs, wanted)


def _check_forward(func, inputs, eps, atol, rtol):
    """Tangents along every entry of every input, against the differences."""
    _check_inputs(inputs)
    outputs = _differentiable(func(*inputs))
    wanted = [i for i, x in enumerate(inputs) if _wants(x)]
    for number, place in enumerate(wanted):
        x = inputs[place]
        numbers = [_numerical(func, inputs, x, eps, o, y) for o, y in enumerate(outputs)]
        found = _forward_rows(func, inputs, place)
        for o, y in enumerate(outputs):
            for imaginary in (False, True) if y.is_complex() else (False,):
                rows = [row[o][int(imaginary)] for row in found]
                analytical = lampas.stack(rows) if rows else _empty(x, y.numel())
                numerical = numbers[o][int(imaginary)]
                if not lampas.allclose(analytical.to(numerical.dtype), numerical, rtol, atol):
                    _fail(
                        numerical,
                        analytical,
                        o,
                        number,
                        y,
                        imaginary,
                        " computed with forward mode",
                    )


def _forward_rows(func, inputs, place):
    """For each entry of the input: of each output the tangents (of its real part, of its imaginary part), flat."""
    from lampas.autograd import forward_ad

    x, rows = inputs[place], []
    for position in _positions(x.shape):
        parts = []
        for direction in (1, 1j) if x.is_complex() else (1,):
            v = lampas.zeros_like(x).detach()
            v[position] = direction
            with forward_ad.dual_level():
                args = [a.detach().requires_grad_() if _wants(a) else a for a in inputs]
                args[place] = forward_ad.make_dual(args[place], v)
                outputs = [y for y in _tuple(func(*args)) if _wants(y)]
                pairs = [forward_ad.unpack_dual(y) for y in outputs]
            parts.append([(lampas.zeros_like(y) if t is None else t).detach().reshape(-1)
                          for y, t in pairs])  # fmt: skip
        rows.append([_by_part(column) for column in zip(*parts)])
    return rows


def _by_part(tangents):
    """(of the real part, of the imaginary part); for complex inputs d/d re + i d/d im."""
    real = [t.real if t.is_complex() else t for t in tangents]
    imaginary = [t.imag if t.is_complex() else t for t in tangents]
    return tuple(lampas.complex(*part) if len(part) == 2 else part[0] for part in (real, imaginary))


def _tuple(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _wants(x):
    return isinstance(x, lampas.Tensor) and x.requires_grad


def _check_inputs(inputs):
    if not any(map(_wants, inputs)):
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them have "
            "requires_grad=True."
        )
    for index, x in enumerate(inputs):
        if not _wants(x):
            continue
        if x.dtype not in (lampas.float64, lampas.complex128):
            warnings.warn(
                f"Input #{index} requires gradient and is not a double precision floating point or complex. This "
                "check will likely fail if all the inputs are not of double precision floating point or complex. ",
                stacklevel=4,
            )
        if any(step == 0 and size > 1 for size, step in zip(x.shape, x.stride())):
            raise RuntimeError(
                f"The {index}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. You should call "
                ".contiguous on the input before passing it to gradcheck."
            )
        x.retain_grad()


def _differentiable(outputs):
    return [y for y in _tuple(outputs) if _wants(y)]


def _values(func, inputs):
    """The differentiable outputs as fresh numbers (an input may be returned or written in place)."""
    with lampas.enable_grad():
        outputs = _tuple(func(*(x.clone() if _wants(x) else x for x in inputs)))
    return [y.detach().clone() for y in outputs if _wants(y)]


def _numerical(func, inputs, x, eps, index, y):
    """(d Re y / dx, d Im y / dx), each of shape (x.numel(), y.numel()); complex x: d/d re + i d/d im."""
    flat = x.detach()
    rows = ([], [])
    for position in _positions(x.shape):
        before = flat[position].clone()
        parts = []
        for direction in (eps, 1j * eps) if x.is_complex() else (eps,):
            flat[position] = before + direction
            above = _values(func, inputs)[index]
            flat[position] = before - direction
            below = _values(func, inputs)[index]
            flat[position] = before
            parts.append(((above - below) / (2 * eps)).reshape(-1))
        for part, out in enumerate(rows):
            pieces = [(p.imag if part else p.real) if p.is_complex() else p for p in parts]
            out.append(lampas.complex(*pieces) if x.is_complex() else pieces[0])
    real = lampas.stack(rows[0]) if rows[0] else _empty(x, y.numel())
    imaginary = lampas.stack(rows[1]) if rows[1] else real
    return real.to(x.dtype), imaginary.to(x.dtype)


def _positions(shape):
    import itertools

    return itertools.product(*map(range, shape))


def _empty(x, columns=0):
    return x.detach().new_zeros((x.numel(), columns))


def _analytical(y, inputs, imaginary):
    """For each entry of y a list: the gradient of its real (imaginary) part for each input, flat."""
    columns = []
    for position in _positions(y.shape):
        v = lampas.zeros_like(y)
        v[position] = 1j if imaginary else 1
        found = grad(y, inputs, v, retain_graph=True, allow_unused=True)
        for g, x in zip(found, inputs):
            if g is not None and g.shape != x.shape:
                raise GradcheckError("Analytical gradient has incorrect size")
        columns.append(
            [(lampas.zeros_like(x) if g is None else g).reshape(-1) for g, x in zip(found, inputs)]
        )
    return [[c.detach() for c in column] for column in columns]


def _within(a, b, tolerance):
    return a.numel() == 0 or bool((a - b).abs().max() <= tolerance)


def _fail(numerical, analytical, output, index, y, imaginary, how=""):
    part = ""
    if y.is_complex():
        part = f"While considering the {'imaginary' if imaginary else 'real'} part of complex outputs only, "
    raise GradcheckError(
        f"{part}Jacobian{how} mismatch for output {output} with respect to input {index},\n"
        f"numerical:{numerical}\nanalytical:{analytical}\n"
    )


def _check_zero(func, inputs, eps):
    """No output requires gradients: then nothing may depend on the inputs."""
    wanted = [x for x in inputs if _wants(x)]
    for x in wanted:
        flat = x.detach()
        for position in _positions(x.shape):
            before = flat[position].clone()
            found = []
            for step in (eps, -eps):
                flat[position] = before + step
                found.append(
                    [
                        y.detach().clone()
                        for y in _tuple(func(*inputs))
                        if isinstance(y, lampas.Tensor)
                    ]
                )
            flat[position] = before
            for a, b in zip(*found):
                if not lampas.allclose(a, b, rtol=0, atol=eps * 1e-6):
                    raise GradcheckError("Numerical gradient for function expected to be zero")


_UNDEFINED = (
    "Expected backward function to handle undefined output grads. Please look at 'Notes about undefined output "
    "gradients' in 'tools/autograd/derivatives.yaml'"
)


def _check_undefined(func, inputs, wanted):
    """Each output alone, then none of several: backward must not fail on what did not arrive."""
    outputs = _differentiable(func(*inputs))
    if len(outputs) < 2:
        return
    for y in outputs:
        try:
            grad(y, wanted, lampas.zeros_like(y), retain_graph=True, allow_unused=True)
        except RuntimeError as error:
            raise GradcheckError(_UNDEFINED) from error


def gradgradcheck(
    func,
    inputs,
    grad_outputs=None,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    gen_non_contig_grad_outputs=False,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_fwd_over_rev=False,
    check_rev_over_rev=True,
    fast_mode=False,
    masked=None,
):
    """As gradcheck, for the gradient of `func` as a function of its inputs and of `grad_outputs`.

    grad_outputs: random ones by default.
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError(
            "Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True"
        )
    if check_undefined_grad and not check_rev_over_rev:
        raise AssertionError(
            "Setting check_undefined_grad=True requires check_rev_over_rev to be True"
        )
    inputs = _tuple(inputs)
    if grad_outputs is None:
        outputs = _differentiable(func(*inputs))
        grad_outputs = tuple(_random_like(y, gen_non_contig_grad_outputs) for y in outputs)
    else:
        grad_outputs = _tuple(grad_outputs)
    count = len(grad_outputs)

    def gradient(*args):
        xs, cotangents = args[:-count], args[-count:]
        xs = tuple(
            x
            if not isinstance(x, lampas.Tensor) or x.requires_grad or not _wants(old)
            else x.requires_grad_()
            for x, old in zip(xs, inputs)
        )
        outputs = _differentiable(func(*xs))
        wanted = tuple(x for x in xs if _wants(x))
        found = grad(outputs, wanted, cotangents, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradient,
        inputs + grad_outputs,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
    )


def _random_like(y, strided):
    dtype = lampas.complex128 if y.is_complex() else lampas.float64
    g = lampas.randn(
        y.shape, dtype=dtype if y.dtype in (lampas.float64, lampas.complex128) else y.dtype
    )
    if strided and g.dim():
        g = lampas.stack([g, g], -1)[..., 0]
    return g.detach().requires_grad_()
