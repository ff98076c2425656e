"""Contractions of tensors over named or numbered dimensions: einsum, tensordot, inner, kron."""

import math

import lampas
from lampas.ops.register import composite

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _from_sublists(args):
    """einsum(a, [0, 1], b, [1, 2], [0, 2]) as (equation, operands)."""

    def term(sublist):
        text = ""
        for index in sublist:
            if index is Ellipsis:
                text += "..."
            elif isinstance(index, int) and 0 <= index < len(_LETTERS):
                text += _LETTERS[index]
            else:
                raise ValueError(
                    f"einsum(): subscripts must be in the range [0, {len(_LETTERS)}), got {index}"
                )
        return text

    output = term(args[-1]) if len(args) % 2 else None
    pairs = args[: len(args) - len(args) % 2]
    equation = ",".join(term(sublist) for sublist in pairs[1::2])
    return equation if output is None else f"{equation}->{output}", list(pairs[::2])


def _terms(equation, operands):
    """The labels of every operand and of the result; dimensions of an ellipsis are labelled by numbers."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) < len(operands):
        raise RuntimeError("einsum(): more operands were provided than specified in the equation")
    if len(inputs) > len(operands):
        raise RuntimeError("einsum(): fewer operands were provided than specified in the equation")
    extra = [
        x.dim() - len(text.replace("...", "")) if "..." in text else 0
        for text, x in zip(inputs, operands)
    ]
    most = max(extra)
    labelled = [_labels(text, x, count, most, place) for place, (text, x, count) in
                enumerate(zip(inputs, operands, extra))]  # fmt: skip
    seen = [label for term in labelled for label in term]
    if arrow:
        output = _output_labels(right, seen, most)
    else:
        letters = sorted(
            {label for label in seen if isinstance(label, str) and seen.count(label) == 1}
        )
        output = [*range(most), *letters]
    return labelled, output


def _labels(text, x, count, most, place):
    head, dots, tail = text.partition("...")
    for letter in head + tail:
        if letter not in _LETTERS:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {text.index(letter)} in the equation string, subscripts "
                "must be in [a-zA-Z]"
            )
    named = len(head) + len(tail)
    if count < 0 or (not dots and named != x.dim()):
        bound = "more dimensions than" if named < x.dim() else "fewer dimensions than"
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({named}) "
            + (f"does not match the number of dimensions ({x.dim()}) for operand {place} and no ellipsis was given"
               if not dots else f"is {bound} the number of dimensions ({x.dim()}) for operand {place}")
        )  # fmt: skip
    return [*head, *range(most - count, most), *tail]


def _output_labels(text, seen, most):
    head, dots, tail = text.partition("...")
    output = [*head, *(range(most) if dots else ()), *tail]
    for label in head + tail:
        if label not in _LETTERS:
            raise RuntimeError(
                "einsum(): invalid subscript given in the output, subscripts must be in [a-zA-Z]"
            )
        if output.count(label) > 1:
            raise RuntimeError(
                f"einsum(): output subscript {label} appears more than once in the output"
            )
        if label not in seen:
            raise RuntimeError(
                f"einsum(): output subscript {label} does not appear in the equation for any input operand"
            )
    return output


def _sizes(labelled, operands):
    sizes = {}
    for place, (term, x) in enumerate(zip(labelled, operands)):
        for label, size in zip(term, x.shape):
            known = sizes.setdefault(label, size)
            if known == 1:
                sizes[label] = size
            elif size not in (1, known):
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {size} for operand {place} which does not broadcast "
                    f"with previously seen size {known}"
                )
    return sizes


def _without_repeats(term, x):
    """Repeated labels of one operand mean its diagonal."""
    term = list(term)
    for label in dict.fromkeys(term):
        while term.count(label) > 1:
            first = term.index(label)
            second = term.index(label, first + 1)
            x = x.diagonal(0, first, second)
            term = [other for place, other in enumerate(term) if place not in (first, second)] + [
                label
            ]
    return term, x


def _sum_out(term, x, keep):
    gone = [place for place, label in enumerate(term) if label not in keep]
    if not gone:
        return term, x
    return [label for label in term if label in keep], x.sum(gone)


def _contract(a_term, a, b_term, b, keep):
    """The product of two operands, summed over their shared labels that are not in `keep`."""

    # A size of 1 broadcasts: there is nothing to multiply over.
    def drop_ones(term, x, other_term, other):
        gone = [p for p, label in enumerate(term)
                if x.shape[p] == 1 and label in other_term and other.shape[other_term.index(label)] != 1]  # fmt: skip
        return [l for p, l in enumerate(term) if p not in gone], x.squeeze(gone) if gone else x

    a_term, a = drop_ones(a_term, a, b_term, b)
    b_term, b = drop_ones(b_term, b, a_term, a)
    a_term, a = _sum_out(a_term, a, {*keep, *b_term})
    b_term, b = _sum_out(b_term, b, {*keep, *a_term})
    shared = [label for label in a_term if label in b_term]
    batch = [label for label in shared if label in keep]
    inner = [label for label in shared if label not in keep]
    left = [label for label in a_term if label not in shared]
    right = [label for label in b_term if label not in shared]

    def arranged(term, x, *groups):
        x = x.permute([term.index(label) for group in groups for label in group])
        sizes = [[x.shape[i] for i in range(start, start + len(group))]
                 for start, group in zip(_starts(groups), groups)]  # fmt: skip
        return x, sizes

    a, a_sizes = arranged(a_term, a, batch, left, inner)
    b, b_sizes = arranged(b_term, b, batch, inner, right)
    shape = (*a_sizes[0], *a_sizes[1], *b_sizes[2])
    if not inner:
        a = a.reshape(*a_sizes[0], *a_sizes[1], *([1] * len(right)))
        b = b.reshape(*b_sizes[0], *([1] * len(left)), *b_sizes[2])
        return batch + left + right, (a * b).reshape(shape)
    count, rows, depth, cols = (
        math.prod(s) for s in (a_sizes[0], a_sizes[1], a_sizes[2], b_sizes[2])
    )
    product = lampas.bmm(a.reshape(count, rows, depth), b.reshape(count, depth, cols))
    return batch + left + right, product.reshape(shape)


def _starts(groups):
    start = 0
    for group in groups:
        yield start
        start += len(group)


@composite
def einsum(*args):
    """The sum over products of elements by Einstein's convention: einsum("bij,bjk->bik", a, b).

    `...` stands for broadcast dimensions; a repeated label takes a diagonal. Contracts from left to right.
    """
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and "
            "its subscripts list"
        )
    if isinstance(args[0], lampas.Tensor):
        equation, operands = _from_sublists(args)
    else:
        equation, operands = args[0], list(args[1:])
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = list(operands[0])
    labelled, output = _terms(equation, operands)
    _sizes(labelled, operands)
    pending = [_without_repeats(term, x) for term, x in zip(labelled, operands)]
    term, x = pending[0]
    if len(pending) == 1:
        term, x = _sum_out(term, x, output)
    for place, (other_term, other) in enumerate(pending[1:], 1):
        later = {label for rest, _ in pending[place + 1 :] for label in rest}
        term, x = _contract(term, x, other_term, other, {*output, *later})
    term, x = _sum_out(term, x, output)
    return x.permute([term.index(label) for label in output])


@composite
def tensordot(a, b, dims=2, out=None):
    """The sum of products over the last `dims` dimensions of a and the first of b, or over two lists of dims."""
    if isinstance(dims, lampas.Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        first, second = list(range(-dims, 0)), list(range(dims))
    else:
        first, second = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(first) != len(second):
        raise RuntimeError("both dimension lists should have same length")
    if a.dtype != b.dtype:
        raise RuntimeError("both inputs should have same dtype")
    for p, q in zip(first, second):
        if a.shape[p] != b.shape[q] and 1 not in (a.shape[p], b.shape[q]):
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {a.shape[p]} in dim {p} and second has "
                f"size {b.shape[q]} in dim {q}"
            )
    for p, q in zip(first, second):  # a size of 1 meets any size
        if a.shape[p] == 1 != b.shape[q]:
            b = b.sum(q, keepdim=True)
        elif b.shape[q] == 1 != a.shape[p]:
            a = a.sum(p, keepdim=True)
    first, second = [p % a.dim() for p in first], [q % b.dim() for q in second]
    kept_a = [d for d in range(a.dim()) if d not in first]
    kept_b = [d for d in range(b.dim()) if d not in second]
    depth = math.prod(a.shape[d] for d in first)
    left = a.permute(kept_a + first).reshape(math.prod(a.shape[d] for d in kept_a), depth)
    right = b.permute(second + kept_b).reshape(depth, math.prod(b.shape[d] for d in kept_b))
    result = (left @ right).reshape([a.shape[d] for d in kept_a] + [b.shape[d] for d in kept_b])
    return result if out is None else lampas._core._write_out("tensordot", out, result)


@composite(method=True, out=True)
def inner(input, other):
    """The sums of products over the last dimension of both; with a 0-d tensor the plain product."""
    if not input.dim() or not other.dim():
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]))


@composite(method=True, out=True)
def ger(input, vec2):
    """As outer."""
    return lampas.outer(input, vec2)


@composite(method=True, out=True)
def kron(input, other):
    """The Kronecker product: every element of `input` times all of `other`."""
    rank = max(input.dim(), other.dim())
    a = input.reshape([1] * (rank - input.dim()) + list(input.shape))
    b = other.reshape([1] * (rank - other.dim()) + list(other.shape))
    wide_a = [size for n in a.shape for size in (n, 1)]
    wide_b = [size for n in b.shape for size in (1, n)]
    product = a.reshape(wide_a) * b.reshape(wide_b)
    return product.reshape([n * k for n, k in zip(a.shape, b.shape)])
