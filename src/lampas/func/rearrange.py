"""rearrange: dimensions named, split, merged and permuted by a pattern such as "b (h w) c -> b h w c".

Notation: A. Rogozhnikov, "Einops: clear and reliable tensor manipulations with Einstein-like notation", 2022.
"""

import math
import re

import lampas

_TOKEN = re.compile(r"\(|\)|\.\.\.|[^\s()]+")


def _checked(name):
    if not name.isidentifier() and not (name.isdigit() and name == "1"):
        raise ValueError(f"Invalid axis identifier: {name}\nnot a valid python identifier")
    if name[0] == "_" or name[-1] == "_":
        raise ValueError(
            f"Invalid axis identifier: {name}\naxis name should should not start or end with underscore"
        )
    return name


def _parsed(side):
    """A side of the pattern as a list of groups: lists of names; "..." stands alone; 1 is no name."""
    groups, open_group = [], None
    for token in _TOKEN.findall(side):
        if token == "(":
            if open_group is not None:
                raise ValueError(
                    "Axis composition is one-level (brackets inside brackets not allowed)"
                )
            open_group = []
        elif token == ")":
            if open_group is None:
                raise ValueError("Brackets are not balanced")
            groups.append(open_group)
            open_group = None
        else:
            names = [] if token == "1" else [token if token == "..." else _checked(token)]
            if open_group is None:
                groups.append(names)
            else:
                open_group.extend(names)
    if open_group is not None:
        raise ValueError(f"Imbalanced parentheses in expression: '{side.strip()}'")
    flat = [name for group in groups for name in group]
    for name in flat:
        if flat.count(name) > 1:
            raise ValueError(f"Indexing expression contains duplicate dimension '{name}'")
    return groups, flat


def _expanded(groups, extra):
    """The groups with "..." replaced by one name for each dimension that it stands for."""
    dots = [f"...{i}" for i in range(extra)]
    found = []
    for group in groups:
        if group == ["..."]:
            found.extend([name] for name in dots)
        else:
            found.append([n for name in group for n in (dots if name == "..." else [name])])
    return found


def _group_sizes(group, size, known):
    """The size of each name of a group that together makes a dimension of `size`."""
    open_names = [name for name in group if name not in known]
    product = math.prod(known[name] for name in group if name in known)
    if len(open_names) > 1:
        raise ValueError(
            f"cannot infer the sizes of two dimensions at once {' and '.join(open_names)}"
        )
    if size % product if open_names else size != product:
        shown = tuple(known.get(name, "?") for name in group)
        raise ValueError(
            f"inferred dimension does not evenly fit into larger dimension: {size} vs {shown}"
        )
    return [known.get(name, size // product) for name in group]


def rearrange(tensor, pattern, **axes_lengths):
    """The tensor (or a list of tensors, stacked first) with its dimensions as the pattern's right side says.

    `a`: a dimension; `(a b)`: two in one, b the faster; `...`: all others; `1` or `()`: a dimension of size 1.
    axes_lengths: sizes that cannot be inferred. Raises ValueError for a pattern that does not fit.
    """
    if isinstance(tensor, (list, tuple)):
        tensor = lampas.stack(list(tensor))
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError("Pattern must contain a single '->' separator")
    (left, left_names), (right, right_names) = map(_parsed, sides)
    alone = set(left_names) ^ set(right_names)
    if alone:
        raise ValueError(
            f"Identifiers only on one side of rearrange expression (should be on both): {alone}"
        )
    unknown = set(axes_lengths) - set(left_names)
    if unknown:
        raise ValueError(f"Identifiers not found in rearrange expression: {unknown}")
    extra = tensor.dim() - len(left) + 1 if "..." in left_names else 0
    if "..." not in left_names and len(left) != tensor.dim() or extra < 0:
        raise ValueError(
            f"Number of dimensions in pattern ({len(left)}) must be equal to the number of dimensions in the "
            f"tensor ({tensor.dim()})"
        )
    left, right = _expanded(left, extra), _expanded(right, extra)
    sizes = [
        s for group, n in zip(left, tensor.shape) for s in _group_sizes(group, n, axes_lengths)
    ]
    names = [name for group in left for name in group]
    known = dict(zip(names, sizes))
    order = [names.index(name) for group in right for name in group]
    return (
        tensor.reshape(sizes)
        .permute(order)
        .reshape([math.prod(known[name] for name in group) for group in right])
    )
