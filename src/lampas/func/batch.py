"""vmap as batched evaluation: a level whose tensors stand for a batch (B, ...).

The logical tensor that a function sees is the first of the batch, for its looks; what is computed is
computed on the batch, which is also what the tape records. Rules say how an operator treats the batch
dimension (`batching_rules`); an operator without one runs once per entry, inside the same program.
"""

import lampas
from lampas import _core
from lampas.func import levels
from lampas.func.levels import Level, Notes, Tensor, mapped, name_of, rebuilt


def refusal(text):
    """The error of what a batch cannot do: choose by value."""
    error = RuntimeError(text)
    error.of_batch = True  # an operator written in Python then runs entry by entry
    return error


ITEM = (
    "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a Tensor, "
    "please try to rewrite what you're doing with other operations. If error is occurring somewhere inside PyTorch "
    "internals, please file a bug report."
)
CONTROL = (
    "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't support that "
    "yet, please file an issue at https://github.com/pytorch/pytorch/issues ."
)
DYNAMIC = (
    "vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap over aten::{}. "
    "Please file an issue at https://github.com/pytorch/pytorch/issues if you need this feature."
)
POINTER = "Cannot access data pointer of Tensor that doesn't have storage"
RANDOM = (
    "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' "
    "randomness flags on vmap or perform the randomness operation out of vmap"
)
SAME = "Vmap does not currently support same randomness with a batched tensor input. Please file an issue with functorch"
UNBATCHED_WRITE = (
    "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like same randomness. "
    "If this is necessary for your usage, please file an issue with functorch."
)
REFUSED = {
    **dict.fromkeys(("item", "__float__", "__int__", "__index__"), ITEM),
    **dict.fromkeys(("__bool__", "is_nonzero"), CONTROL),
    **dict.fromkeys(
        "tolist numpy data_ptr __array__ untyped_storage _typed_storage set_ resize_".split(),
        POINTER,
    ),
    "nonzero": DYNAMIC.format("nonzero"),
    "nonzero_columns": DYNAMIC.format("nonzero"),
    "argwhere": DYNAMIC.format("nonzero"),
    "masked_select": DYNAMIC.format("masked_select"),
    **dict.fromkeys(("_unique2", "unique"), DYNAMIC.format("_unique2")),
    **dict.fromkeys(
        ("_unique_consecutive", "unique_consecutive"), DYNAMIC.format("unique_consecutive")
    ),
    "equal": "Batching rule not implemented for aten::equal. We could not generate a fallback.",
    "allclose": "vmap over torch.allclose isn't supported yet. Please file an issue at "
    "https://github.com/pytorch/pytorch/issues if you need this feature.",
}


class Batch(Level):
    """One vmap that is being evaluated; the batch dimension of its tensors is their first."""

    def __init__(self, size, randomness):
        self.size, self.randomness = size, randomness
        self._batches = Notes()

    def close(self):
        self._batches.clear()

    # ---- logical tensors and batches ----

    def wrap(self, batch):
        """The logical tensor that stands for `batch`."""
        return self._batches.put(_core._face_of_batch(batch), batch)

    def batch(self, x):
        """The batch (B, ...) that x stands for, or None."""
        return self._batches.get(x)

    def inner(self, x):
        batch = self.batch(x)
        return x if batch is None else batch

    def expanded(self, x):
        """The batch of x; of one that has none, x repeated (no memory is used)."""
        batch = self.batch(x)
        return x.expand(self.size, *x.shape) if batch is None else batch

    def changed(self, x, change, whole):
        batch = self.batch(x)
        if batch is None and not whole:
            return change(x)
        return self.wrap(change(self.expanded(x)))

    def wrapped(self, result):
        return mapped(result, self.wrap)

    # ---- calls ----

    functional = True

    def takes_part(self, function, tensors):
        return any(self.batch(x) is not None for x in tensors) or levels.draws(function)

    def composite(self, function, args, kwargs):
        name = function.__name__
        if name in REFUSED:
            raise refusal(REFUSED[name])
        return super().composite(function, args, kwargs)

    def whole(self, function, args, kwargs):
        return self.loop(function, function.__name__, args, kwargs)

    def call(self, function, args, kwargs):
        from lampas.func.batching_rules import RULES

        name = name_of(function)
        if name in REFUSED:
            raise refusal(REFUSED[name])
        if function is _core._run_backward:
            return self._backward(function, *args)
        if levels.draws(function):
            from lampas.func.batched_random import draw

            return draw(self, function, name, args, kwargs)
        rule = RULES.get(name)
        if rule is not None:
            result = rule(self, function, args, kwargs)
            if result is not NotImplemented:
                return result
        return self.loop(function, name, args, kwargs)

    def loop(self, function, name, args, kwargs):
        """The operator once for each entry of the batch."""
        writes = name.endswith("_") and not name.endswith("__") or name in ("__setitem__", "=data")
        if writes and self.batch(args[0]) is None:
            raise RuntimeError(
                f"vmap: {name}(self, *extra_args) is not possible because there exists a Tensor `other` in extra_args "
                "that has more elements than `self`. This happened due to `other` being vmapped over but `self` not "
                "being vmapped over in a vmap. Please try to use out-of-place operators instead of "
                f"{name}. If said operator is being called inside the PyTorch framework, please file a bug report "
                "instead."
            )
        if not self.size:
            return self._of_nothing(function, args, kwargs)
        rows = {}

        def entry(x, i):
            batch = self.batch(x)
            if batch is None:
                return x
            if writes:  # what unbind gives may not be written
                return batch.select(0, i)
            if id(x) not in rows:
                rows[id(x)] = batch.unbind(0)
            return rows[id(x)][i]

        results = []
        for i in range(self.size):
            pick = lambda x: entry(x, i)  # noqa: B023, E731
            results.append(function(*mapped(args, pick), **mapped(kwargs, pick)))
        if writes:
            return None if results[0] is None else args[0]
        return self._joined(results, name)

    def _joined(self, results, name):
        first = results[0]
        if isinstance(first, Tensor):
            if any(r.shape != first.shape for r in results):
                raise refusal(DYNAMIC.format(name))
            return self.wrap(lampas.stack(results))
        if isinstance(first, (tuple, list)):
            if any(len(r) != len(first) for r in results):
                raise refusal(DYNAMIC.format(name))
            return rebuilt(first, [self._joined(list(column), name) for column in zip(*results)])
        if any(r != first for r in results):
            raise refusal(CONTROL)
        return first

    def _of_nothing(self, function, args, kwargs):
        """For a batch of size 0: the shapes come from a run over zeros."""
        blank = lambda x: x if self.batch(x) is None else self.batch(x).new_zeros(x.shape)  # noqa: E731
        result = function(*mapped(args, blank), **mapped(kwargs, blank))
        return mapped(result, lambda y: self.wrap(y.new_empty((0, *y.shape))))

    def shown(self, x):
        depth = levels.stack().index(self)
        with levels.outside(self):
            text = repr(self.batch(x)).replace("\n", "\n    ")
        return f"BatchedTensor(lvl={depth + 1}, bdim=0, value=\n    {text}\n)"

    # ---- gradients ----

    def _backward(self, run, roots, grads, inputs, retain, create, accumulate, unused):
        if accumulate:
            levels.refuse_backward()
        batched = [self.batch(y) is not None for y in roots]
        separate = any(
            not b and v is not None and self.batch(v) is not None for b, v in zip(batched, grads)
        )
        if separate or (any(batched) and any(self.batch(x) is None for x in inputs)):
            return self._backward_loop(run, roots, grads, inputs, retain, create, unused)
        cotangents = [
            None if v is None and not b else self._cotangent(y, v) if b else v
            for y, v, b in zip(roots, grads, batched)
        ]
        found = levels.call(
            run, tuple(map(self.inner, roots)), tuple(cotangents), tuple(map(self.inner, inputs)),
            retain, create, False, unused,
        )  # fmt: skip
        return tuple(g if g is None or self.batch(x) is None else self.wrap(g)
                     for g, x in zip(found, inputs))  # fmt: skip

    def _cotangent(self, y, v):
        batch = self.batch(y)
        if v is not None:
            return self.expanded(v)
        if y.numel() != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        return lampas.ones_like(batch)

    def _backward_loop(self, run, roots, grads, inputs, retain, create, unused):
        """A pass for each entry: cotangents that are zero elsewhere."""
        columns = []
        for i in range(self.size):
            cotangents = [self._cotangent_of(y, v, i) for y, v in zip(roots, grads)]
            last = i == self.size - 1
            found = levels.call(
                run, tuple(map(self.inner, roots)), tuple(cotangents), tuple(map(self.inner, inputs)),
                retain if last else True, create, False, unused,
            )  # fmt: skip
            columns.append([
                g if g is None or self.batch(x) is None else g.select(0, i)
                for g, x in zip(found, inputs)
            ])  # fmt: skip
        return tuple(None if column[0] is None else self.wrap(lampas.stack(column))
                     for column in zip(*columns))  # fmt: skip

    def _cotangent_of(self, y, v, i):
        batch = self.batch(y)
        row = v if v is None or self.batch(v) is None else self.batch(v).select(0, i)
        if batch is None:
            return row
        whole = lampas.zeros_like(batch).detach()
        with lampas.no_grad():
            if row is None:
                whole[i] = 1
                return whole
        rows = [lampas.zeros_like(row) if j != i else row for j in range(self.size)]
        return lampas.stack(rows)
