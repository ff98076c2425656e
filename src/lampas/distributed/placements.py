"""How a tensor or a module would lie over several processes: descriptions, which can be made and compared.

Nothing is spread here: applying one raises NotImplementedError.
"""

from lampas import unavailable


class Placement:
    """How one dimension of processes holds a tensor."""

    __module__ = "torch.distributed.tensor"
    _values = ()

    def is_shard(self, dim=None):
        """Whether each process has a part (along `dim`, where it is given)."""
        return isinstance(self, Shard) and dim in (None, self.dim)

    def is_replicate(self):
        """Whether each process has all of it."""
        return isinstance(self, Replicate)

    def is_partial(self, reduce_op=None):
        """Whether each process has a term of it (to be reduced by `reduce_op`, where it is given)."""
        return isinstance(self, Partial) and reduce_op in (None, self.reduce_op)

    def __eq__(self, other):
        return type(self) is type(other) and self._values == other._values

    def __hash__(self):
        return hash((type(self), self._values))


class Shard(Placement):
    """Each process has a part along dimension `dim`."""

    def __init__(self, dim):
        self.dim, self._values = dim, (dim,)

    def __repr__(self):
        return f"Shard(dim={self.dim})"

    def __str__(self):
        return f"S({self.dim})"


class Replicate(Placement):
    """Each process has all of it."""

    def __repr__(self):
        return "Replicate()"

    def __str__(self):
        return "R"


class Partial(Placement):
    """Each process has a term; `reduce_op` makes the whole."""

    def __init__(self, reduce_op="sum"):
        self.reduce_op, self._values = reduce_op, (reduce_op,)

    def __repr__(self):
        return f"Partial({self.reduce_op})"

    def __str__(self):
        return f"P({self.reduce_op})"


class ParallelStyle:
    """How a module would be spread: its layouts, given by keyword."""

    __module__ = "torch.distributed.tensor.parallel"

    def __init__(self, **layouts):
        self.layouts = layouts

    def _apply(self, module, device_mesh):
        name = f"{self.__module__}.{type(self).__name__}"
        raise NotImplementedError(unavailable.message(name, "Lampas runs one process"))


STYLES = {
    name: type(name, (ParallelStyle,), {"__module__": ParallelStyle.__module__})
    for name in (
        "ColwiseParallel", "RowwiseParallel", "SequenceParallel", "PrepareModuleInput",
        "PrepareModuleOutput", "PrepareModuleInputOutput",
    )
}  # fmt: skip
