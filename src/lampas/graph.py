"""Static graphs: defined once, run many times, as in TensorFlow 1.

    x = graph.placeholder(torch.float32, shape=(None, 3))
    w = graph.Variable(torch.zeros(3, 1))
    loss = (torch.matmul(x, w) - 1).pow(2).sum()
    (grad,) = graph.gradients(loss, [w])
    step = w.assign(w - 0.1 * grad)
    with graph.Session() as session:
        value, _ = session.run([loss, step], feed_dict={x: data})

Functions and methods of this package that meet a node make a node. A run evaluates what the fetched
nodes need as one function, which `compile` records and replays: there is no second machinery.
"""

import itertools

import lampas
from lampas.compiler import compilation
from lampas.utils import _pytree

__all__ = ["Node", "Session", "Variable", "gradients", "placeholder"]

_numbers = itertools.count()


class Node:
    """A value of the graph: the result of `function(*args, **kwargs)` in a later run.

    It has the operators and methods of a tensor, each of which gives a further node.
    """

    def __init__(self, function=None, args=(), kwargs=None, name=None):
        self.function, self.args, self.kwargs = function, args, kwargs or {}
        self.number = next(_numbers)
        self.name = name or f"{getattr(function, '__name__', 'node')}_{self.number}"

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return Node(function, args, kwargs)

    def __repr__(self):
        return f"<{type(self).__name__} {self.name!r}>"

    def __getattr__(self, name):
        method = getattr(lampas.Tensor, name, None)
        if name.startswith("_") or method is None:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        if not callable(method):  # x.T and its like
            return Node(method.__get__, (self,))
        return lambda *args, **kwargs: Node(method, (self, *args), kwargs)

    def __bool__(self):
        raise TypeError("a node of a graph has no value before it is run")

    def __iter__(self):
        raise TypeError(
            "a node of a graph cannot be iterated over: its length is known in a run only"
        )

    def inputs(self):
        """The nodes that this one is computed from."""
        return [x for x in _pytree.tree_leaves((self.args, self.kwargs)) if isinstance(x, Node)]


def _operator(name, reflected=False):
    def operator(self, *others):
        method = getattr(lampas.Tensor, name)
        return Node(method, (self, *others), name=None)

    operator.__name__ = name
    return operator


for _name in """add sub mul truediv floordiv mod pow matmul and or xor lshift rshift
    radd rsub rmul rtruediv rfloordiv rmod rpow rmatmul neg abs invert getitem lt le gt ge""".split():
    setattr(Node, f"__{_name}__", _operator(f"__{_name}__"))


class Placeholder(Node):
    """A value that each run is fed; see `placeholder`."""

    def __init__(self, dtype, shape=None, name=None):
        super().__init__(name=name)
        self.dtype, self.shape = dtype, None if shape is None else tuple(shape)

    def accept(self, value):
        """The fed value as a tensor of this dtype. Raises ValueError where its shape does not fit."""
        value = lampas.as_tensor(value, dtype=self.dtype)
        if self.shape is not None and (
            len(self.shape) != value.dim()
            or any(size is not None and size != own for size, own in zip(self.shape, value.shape))
        ):
            raise ValueError(
                f"Cannot feed value of shape {tuple(value.shape)} for {self.name!r}, "
                f"which has shape {self.shape}"
            )
        return value


def placeholder(dtype=None, shape=None, name=None):
    """A node whose value is given to each run: a tensor, an array or nested lists of `shape`.

    Sizes that are None may be any; so may all of them where `shape` is. The dtype is float32 by
    default.
    """
    return Placeholder(dtype or lampas.get_default_dtype(), shape, name)


class Variable(Node):
    """A node whose value lasts from run to run and is changed by `assign`.

    Attributes:
        value: the tensor, a copy of `initial_value`.
    """

    def __init__(self, initial_value, name=None):
        super().__init__(name=name)
        self.value = lampas.as_tensor(initial_value).detach().clone()

    def assign(self, value):
        """A node that writes `value` into the variable after everything else of a run is read."""
        return Assignment(self, value)


class Assignment(Node):
    """The new value of a variable."""

    def __init__(self, variable, value):
        super().__init__(None, (value,), name=f"assign_{variable.name}")
        self.variable = variable


class Gradient(Node):
    """The gradient of `y` by `x`; those asked for together are found together."""

    def __init__(self, y, xs, index):
        super().__init__(None, (y, *xs), name=f"gradient_{xs[index].name}")
        self.key = (y.number, *(x.number for x in xs))
        self.index = index


def gradients(ys, xs):
    """Nodes for the gradients of `ys` (one scalar node, or the sum of several) by each of `xs`.

    Raises:
        RuntimeError: in a run, where a node of `ys` is no scalar or does not depend on one of `xs`.
    """
    ys, xs = _as_list(ys), _as_list(xs)
    total = ys[0]
    for y in ys[1:]:
        total = total + y
    return [Gradient(total, xs, index) for index in range(len(xs))]


def _as_list(nodes):
    return [nodes] if isinstance(nodes, Node) else list(nodes)


class Session:
    """Runs graphs. As a context it does nothing more: values belong to the variables."""

    def __init__(self):
        self._programs = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def run(self, fetches, feed_dict=None):
        """The values of `fetches`, a node or a tuple, list or dict of nodes, in the same structure.

        Args:
            feed_dict: a value for each placeholder that the fetches need.

        Raises:
            ValueError: a placeholder without a value, or a value of another shape.
            TypeError: something fetched or fed is no such node.
        """
        nodes, structure = _pytree.tree_flatten(fetches)
        for node in nodes:
            if not isinstance(node, Node):
                raise TypeError(f"Fetch argument {node!r} is not a node of a graph")
        feeds = {}
        for node, value in (feed_dict or {}).items():
            if not isinstance(node, Placeholder):
                raise TypeError(f"{node!r} cannot be fed: it is no placeholder")
            feeds[node.number] = node.accept(value)
        key = tuple(node.number for node in nodes)
        if key not in self._programs:
            self._programs[key] = _Program(nodes)
        return _pytree.tree_unflatten(self._programs[key](feeds), structure)


class _Program:
    """What a set of fetched nodes needs, in order of making, as one compiled function."""

    def __init__(self, fetches):
        self.fetches = fetches
        self.nodes = _needed(fetches)
        self.placeholders = [n for n in self.nodes if isinstance(n, Placeholder)]
        self.variables = [n for n in self.nodes if isinstance(n, Variable)]
        self.roots = {x.number for n in self.nodes if isinstance(n, Gradient) for x in n.args[1:]}
        self.twice = any(  # gradients of gradients
            isinstance(each, Gradient)
            for node in self.nodes
            if isinstance(node, Gradient)
            for each in _needed(node.args[:1])
        )
        for node in self.nodes:
            if isinstance(node, Assignment) and node.variable not in self.variables:
                self.variables.append(node.variable)
        self.compilation = compilation.Compilation(self.evaluate)

    def __call__(self, feeds):
        for node in self.placeholders:
            if node.number not in feeds:
                raise ValueError(f"You must feed a value for placeholder {node.name!r}")
        fed = [feeds[node.number] for node in self.placeholders]
        return self.compilation.call(fed, [node.value for node in self.variables])

    def evaluate(self, fed, variables):
        """The fetched values, for the values of the placeholders and variables."""
        values = dict(zip((n.number for n in self.placeholders + self.variables), fed + variables))
        found = {}  # gradients, by Gradient.key
        with lampas.set_grad_enabled(bool(self.roots)):
            for node in self.nodes:
                if isinstance(node, Gradient):
                    if node.key not in found:
                        y, *xs = (values[each.number] for each in node.args)
                        found[node.key] = lampas.autograd.grad(
                            y, xs, retain_graph=True, create_graph=self.twice
                        )
                    value = found[node.key][node.index]
                elif isinstance(node, Assignment):
                    value = lampas.as_tensor(_filled(node.args, values)[0])
                    if isinstance(node.args[0], Variable) or value._is_view():
                        value = value.clone()  # it may be written by another assignment
                elif node.function is None:
                    value = values[node.number]
                else:
                    value = node.function(
                        *_filled(node.args, values), **_filled(node.kwargs, values)
                    )
                if node.number in self.roots and not value.requires_grad:
                    value = value.detach().requires_grad_()
                values[node.number] = value
        with lampas.no_grad():
            fetched = [_result(values[node.number]) for node in self.fetches]
            targets = dict(zip((n.number for n in self.variables), variables))
            for node in self.nodes:
                if isinstance(node, Assignment):
                    targets[node.variable.number].copy_(values[node.number])
        return fetched


def _result(value):
    return value.detach().clone() if isinstance(value, lampas.Tensor) else value


def _filled(arguments, values):
    """The arguments with values in place of nodes."""
    return _pytree.tree_map(lambda x: values[x.number] if isinstance(x, Node) else x, arguments)


def _needed(fetches):
    """All nodes that the fetched ones are computed from, each after its inputs."""
    found, stack = {}, list(fetches)
    while stack:
        node = stack.pop()
        if node.number not in found:
            found[node.number] = node
            stack.extend(node.inputs())
    return [found[number] for number in sorted(found)]
