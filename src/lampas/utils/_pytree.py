"""Nested containers as a flat list of leaves and a description of the rest.

Tuples, lists, named tuples, dicts (also ordered and default), deques, and what is registered.
"""

import collections
import dataclasses
import types
from typing import Any

from lampas._core import Size

Context = PyTree = Any
_registry = {}
SUPPORTED_NODES = _registry  # container type -> (flatten, unflatten)


def register_pytree_node(cls, flatten_fn, unflatten_fn, **_):
    """Treat `cls` as a container.

    `flatten_fn(object)` gives (children, context); `unflatten_fn(children, context)` the object.
    """
    if cls in _registry:
        raise ValueError(f"{cls} is already registered as pytree node.")
    _registry[cls] = (flatten_fn, unflatten_fn)


class TreeSpec:
    """The shape of a tree: its container's type, what else the container holds, its children."""

    __slots__ = ("type", "context", "children_specs", "num_leaves", "num_nodes", "num_children")

    def __init__(self, type, context, children_specs):
        self.type = type
        self.context = context
        self.children_specs = list(children_specs)
        leaf = type is None
        self.num_leaves = 1 if leaf else sum(spec.num_leaves for spec in self.children_specs)
        self.num_nodes = 1 + sum(spec.num_nodes for spec in self.children_specs)
        self.num_children = len(self.children_specs)

    def is_leaf(self):
        return self.type is None

    def __eq__(self, other):
        if not isinstance(other, TreeSpec):
            return NotImplemented
        same = self.type is other.type and self.context == other.context
        return same and self.children_specs == other.children_specs

    def __hash__(self):
        return hash((self.type, self.num_leaves, self.num_nodes))

    def __repr__(self):
        if self.is_leaf():
            return "*"
        children = ", ".join(map(repr, self.children_specs))
        return f"TreeSpec({self.type.__name__}, {self.context!r}, [{children}])"


class LeafSpec(TreeSpec):
    """The shape of a tree that is one leaf."""

    __slots__ = ()

    def __init__(self):
        super().__init__(None, None, [])


_LEAF = LeafSpec()


def treespec_leaf():
    return _LEAF


def _node_type(tree):
    cls = type(tree)
    if cls in _registry:
        return cls
    return collections.namedtuple if isinstance(tree, tuple) and hasattr(cls, "_fields") else None


def tree_is_leaf(tree, is_leaf=None):
    """Whether `tree` is no container, or `is_leaf` says so."""
    return (is_leaf is not None and is_leaf(tree)) or _node_type(tree) is None


def tree_flatten(tree, is_leaf=None):
    """The leaves in order, and the `TreeSpec` that puts them back."""
    leaves = []
    return leaves, _flatten(tree, is_leaf, leaves)


def _flatten(tree, is_leaf, leaves):
    cls = None if is_leaf is not None and is_leaf(tree) else _node_type(tree)
    if cls is None:
        leaves.append(tree)
        return _LEAF
    children, context = _registry[cls][0](tree)
    return TreeSpec(cls, context, [_flatten(child, is_leaf, leaves) for child in children])


def tree_unflatten(leaves, treespec):
    """The tree of that shape with these leaves. ValueError where their number differs."""
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            "tree_unflatten(leaves, treespec): Expected `treespec` to be instance of TreeSpec but "
            f"got item of type {type(treespec)}."
        )
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(
            f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec refers to "
            f"a pytree that holds {treespec.num_leaves} items ({treespec})."
        )
    return _unflatten(iter(leaves), treespec)


def _unflatten(leaves, spec):
    if spec.is_leaf():
        return next(leaves)
    children = [_unflatten(leaves, child) for child in spec.children_specs]
    return _registry[spec.type][1](children, spec.context)


def tree_leaves(tree, is_leaf=None):
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree, is_leaf=None):
    return iter(tree_leaves(tree, is_leaf))


def tree_structure(tree, is_leaf=None):
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func, tree, *rests, is_leaf=None):
    """A tree of `func(leaf, ...)`; further trees have at least the shape of the first."""
    leaves, spec = tree_flatten(tree, is_leaf)
    columns = [leaves, *(_leaves_up_to(spec, rest) for rest in rests)]
    return tree_unflatten([func(*row) for row in zip(*columns)], spec)


def tree_map_(func, tree, *rests, is_leaf=None):
    """Calls `func` for each leaf and returns the tree itself."""
    leaves, spec = tree_flatten(tree, is_leaf)
    for row in zip(leaves, *(_leaves_up_to(spec, rest) for rest in rests)):
        func(*row)
    return tree


def _leaves_up_to(spec, tree):
    """The parts of `tree` that stand where `spec` has leaves."""
    if spec.is_leaf():
        return [tree]
    if _node_type(tree) is not spec.type:
        raise ValueError(f"Type mismatch; expected {spec.type!r}, but got {type(tree)!r}.")
    children, context = _registry[spec.type][0](tree)
    children = list(children)
    if len(children) != spec.num_children or context != spec.context:
        raise ValueError(
            f"Node arity mismatch; expected {spec.num_children}, but got {len(children)}."
        )
    pairs = zip(spec.children_specs, children)
    return [leaf for child_spec, child in pairs for leaf in _leaves_up_to(child_spec, child)]


def _of_type(types_or_predicate):
    if isinstance(types_or_predicate, (type, tuple, types.UnionType)):
        return lambda value: isinstance(value, types_or_predicate)
    return types_or_predicate


def tree_map_only(type_or_predicate, func, tree, is_leaf=None):
    """As `tree_map`, for leaves of a type (or for which a predicate holds)."""
    chosen = _of_type(type_or_predicate)
    return tree_map(lambda leaf: func(leaf) if chosen(leaf) else leaf, tree, is_leaf=is_leaf)


def tree_map_only_(type_or_predicate, func, tree, is_leaf=None):
    chosen = _of_type(type_or_predicate)
    return tree_map_(lambda leaf: func(leaf) if chosen(leaf) else leaf, tree, is_leaf=is_leaf)


def tree_all(predicate, tree, is_leaf=None):
    return all(map(predicate, tree_leaves(tree, is_leaf)))


def tree_any(predicate, tree, is_leaf=None):
    return any(map(predicate, tree_leaves(tree, is_leaf)))


def tree_all_only(type_or_predicate, predicate, tree, is_leaf=None):
    chosen = _of_type(type_or_predicate)
    return all(predicate(leaf) for leaf in tree_leaves(tree, is_leaf) if chosen(leaf))


def tree_any_only(type_or_predicate, predicate, tree, is_leaf=None):
    chosen = _of_type(type_or_predicate)
    return any(predicate(leaf) for leaf in tree_leaves(tree, is_leaf) if chosen(leaf))


@dataclasses.dataclass(frozen=True)
class SequenceKey:
    """A step of a path: an element of a tuple or list."""

    idx: int

    def __str__(self):
        return f"[{self.idx!r}]"


@dataclasses.dataclass(frozen=True)
class MappingKey:
    """A step of a path: an entry of a dict."""

    key: Any

    def __str__(self):
        return f"[{self.key!r}]"


@dataclasses.dataclass(frozen=True)
class GetAttrKey:
    """A step of a path: an attribute, as of a named tuple."""

    name: str

    def __str__(self):
        return f".{self.name}"


def keystr(kp):
    """A path as text: `[1]['a']`."""
    return "".join(str(step) for step in kp)


def _steps(tree, count):
    """The steps from a container to its children."""
    if isinstance(tree, dict):
        return [MappingKey(key) for key in tree]
    if hasattr(type(tree), "_fields"):
        return [GetAttrKey(name) for name in type(tree)._fields]
    return [SequenceKey(i) for i in range(count)]


def tree_flatten_with_path(tree, is_leaf=None):
    """Pairs of path and leaf in order, and the `TreeSpec` that puts leaves back."""
    pairs = []
    _walk(tree, is_leaf, (), pairs)
    return pairs, tree_structure(tree, is_leaf)


def _walk(tree, is_leaf, path, pairs):
    if tree_is_leaf(tree, is_leaf):
        pairs.append((path, tree))
        return
    children = list(_registry[_node_type(tree)][0](tree)[0])
    for step, child in zip(_steps(tree, len(children)), children):
        _walk(child, is_leaf, (*path, step), pairs)


def tree_leaves_with_path(tree, is_leaf=None):
    """Pairs of path and leaf in order."""
    return tree_flatten_with_path(tree, is_leaf)[0]


def tree_map_with_path(func, tree, *rests, is_leaf=None):
    """A tree of `func(path, leaf, ...)`; further trees have at least the shape of the first."""
    pairs, spec = tree_flatten_with_path(tree, is_leaf)
    columns = (_leaves_up_to(spec, rest) for rest in rests)
    return tree_unflatten([func(*pair, *row) for pair, *row in zip(pairs, *columns)], spec)


def _values(tree):
    return list(tree.values()), list(tree)


_dict_flatten, _get_node_type = _values, _node_type
_register_pytree_node = register_pytree_node


def _dict_unflatten(values, context):
    return dict(zip(context, values))


def _dict_flatten_with_keys(tree):
    return [(MappingKey(key), value) for key, value in tree.items()], list(tree)


register_pytree_node(tuple, lambda x: (list(x), None), lambda c, _: tuple(c))
register_pytree_node(list, lambda x: (list(x), None), lambda c, _: list(c))
register_pytree_node(Size, lambda x: (list(x), None), lambda c, _: Size(c))
register_pytree_node(dict, _values, lambda c, keys: dict(zip(keys, c)))
register_pytree_node(
    collections.OrderedDict, _values, lambda c, keys: collections.OrderedDict(zip(keys, c))
)
register_pytree_node(
    collections.defaultdict,
    lambda x: (list(x.values()), [x.default_factory, list(x)]),
    lambda c, context: collections.defaultdict(context[0], zip(context[1], c)),
)
register_pytree_node(
    collections.deque,
    lambda x: (list(x), x.maxlen),
    lambda c, maxlen: collections.deque(c, maxlen=maxlen),
)
register_pytree_node(collections.namedtuple, lambda x: (list(x), type(x)), lambda c, cls: cls(*c))
