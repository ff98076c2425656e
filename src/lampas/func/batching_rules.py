"""How operators treat a batch dimension in front: RULES[name](level, function, args, kwargs).

A rule works on the batches of a level, whose shape is (B, *logical shape), and gives logical tensors, or
NotImplemented where it does not fit: then the operator runs entry by entry. Dimensions counted from the end
mean the same in a batch, so most rules only count from there. Products and layers are in `batched_layers`.
"""

import lampas
from lampas import _core
from lampas.func.levels import Tensor, mapped, tensors_of

RULES = {}


def rule(*names):
    """Registers a rule for operators, given as strings of names."""

    def register(function):
        for name in " ".join(names).split():
            RULES[name] = function
        return function

    return register


def padded(batch, rank):
    """(B, *shape) with dimensions of size 1 after B, up to `rank` logical ones."""
    missing = rank - (batch.dim() - 1)
    return batch[(slice(None), *(None,) * missing)] if missing > 0 else batch


def aligned(level, values, rank):
    """The nest with every logical tensor as a batch that broadcasts to `rank` logical dimensions."""

    def change(x):
        batch = level.batch(x)
        return x if batch is None else padded(batch, rank)

    return mapped(values, change)


# ---- element by element ----

_ROWS = [row["name"] for row in _core._rows()]
_SLOTS = """__eq__ __ne__ __lt__ __le__ __gt__ __ge__ __rsub__ __rtruediv__ __rpow__ __rfloordiv__ __rmod__ __rand__ __ror__
    __rxor__ __rlshift__ __rrshift__ __invert__"""
_OTHERS = """subtract multiply divide true_divide negative absolute clamp clamp_min clamp_max clip fix arccos arccosh arcsin
    arcsinh arctan arctan2 arctanh greater greater_equal less less_equal not_equal float_power relu6 selu
    masked_fill fill copy true_divide complex polar lerp angle conj zero conj_physical prelu_kernel"""


@rule(*_ROWS, _SLOTS, _OTHERS, *(f"{n}_" for n in (*_ROWS, *_OTHERS.split())))
def elementwise(level, function, args, kwargs):
    tensors = tensors_of((args, kwargs))
    rank = max(x.dim() for x in tensors)
    writes = function.__name__.endswith("_") and not function.__name__.endswith("__")
    if kwargs.get("out") is not None:
        return NotImplemented
    if len({x.dtype for x in tensors}) > 1 and any(x.dim() == 0 for x in tensors):
        return NotImplemented  # a number's dtype counts for less, that of its batch would not
    if writes and (args[0].dim() < rank or level.batch(args[0]) is None):
        if level.batch(args[0]) is None:
            return function(args[0], *aligned(level, args[1:], rank), **kwargs)  # raises
        return NotImplemented
    result = function(*aligned(level, args, rank), **aligned(level, kwargs, rank))
    return args[0] if writes else level.wrap(result)


@rule(
    """clone contiguous to type float double half bfloat16 int long short bool byte detach positive alias
    tril triu mT mH adjoint real imag view_as_real view_as_complex zeros_like ones_like empty_like full_like
    data linalg_inv _linalg_inv_ex _linalg_det _linalg_slogdet _linalg_cholesky_ex _linalg_eigh _linalg_eig
    _linalg_svd _linalg_qr _linalg_lu _linalg_lu_factor_ex signbit"""
)
def entrywise(level, function, args, kwargs):
    """Operators of one tensor that treat leading dimensions alike."""
    if level.batch(args[0]) is None or len(tensors_of((args, kwargs))) > 1:
        return NotImplemented
    if args[0].dim() < 2 and function.__name__ in ("tril", "triu", "mT", "mH", "adjoint"):
        return NotImplemented
    if "memory_format" in kwargs:
        return NotImplemented
    return level.wrapped(function(level.batch(args[0]), *args[1:], **kwargs))


@rule("requires_grad_ retain_grad detach_")
def on_batch(level, function, args, kwargs):
    function(level.inner(args[0]), *args[1:], **kwargs)
    return args[0]


@rule("requires_grad =requires_grad register_hook")
def of_batch(level, function, args, kwargs):
    return function(level.inner(args[0]), *args[1:])


@rule("__deepcopy__")
def deep_copy(level, function, args, kwargs):
    return level.wrap(function(level.batch(args[0]), *args[1:]))


@rule("grad")
def gradient_of(level, function, args, kwargs):
    g = function(level.inner(args[0]))
    return g if g is None else level.wrap(g)


@rule("new_zeros new_ones new_empty new_full")
def new(level, function, args, kwargs):
    batch = level.batch(args[0])
    if batch is None:
        return NotImplemented
    name = function.__name__
    if "size" in kwargs:
        return level.wrap(
            function(batch, *args[1:], **{**kwargs, "size": (level.size, *kwargs["size"])})
        )
    size, rest = _sizes(args[1:2] if name == "new_full" else args[1:]), args[2:]
    rest = rest if name == "new_full" else ()
    return level.wrap(function(batch, (level.size, *size), *rest, **kwargs))


def _sizes(given):
    return (
        tuple(given[0]) if len(given) == 1 and isinstance(given[0], (tuple, list)) else tuple(given)
    )


# ---- one dimension or several ----

# name: where its dimensions stand among the arguments, and their names
_DIMS = {
    **dict.fromkeys(
        """softmax log_softmax cumsum cumprod cummax cummin logcumsumexp sort argsort kthvalue topk
        squeeze select narrow unbind split split_with_sizes chunk tensor_split index_select logsumexp
        sum mean nansum prod amax amin max min argmax argmin all any var std var_mean std_mean
        count_nonzero median nanmedian mode gather flip unfold slice renorm diff""".split(),
        ((1, "dim"),),
    ),
    **dict.fromkeys("transpose swapaxes swapdims".split(), ((1, "dim0"), (2, "dim1"))),
    **dict.fromkeys("movedim moveaxis".split(), ((1, "source"), (2, "destination"))),
    "roll": ((2, "dims"),),
    "flip": ((1, "dims"),),
    "kthvalue": ((2, "dim"),),
    "topk": ((2, "dim"),),
    "split": ((2, "dim"),),
    "split_with_sizes": ((2, "dim"),),
    "chunk": ((2, "dim"),),
    "tensor_split": ((2, "dim"),),
    "linalg_vector_norm": ((2, "dim"),),
    "unflatten": ((1, "dim"),),
    "unfold": ((1, "dimension"),),
    "diagonal": ((2, "dim1"), (3, "dim2")),
    "flatten": ((1, "start_dim"), (2, "end_dim")),
}  # fmt: skip
_DEFAULTS = {
    "split": (0,), "split_with_sizes": (0,), "chunk": (0,), "tensor_split": (0,), "unbind": (0,),
    "topk": (-1,), "sort": (-1,), "argsort": (-1,), "kthvalue": (-1,), "diagonal": (0, 1),
    "flatten": (0, -1),
}  # fmt: skip
# Without a dimension these reduce all; a tuple says the same of a batch.
_ALL = frozenset(
    "sum mean nansum amax amin all any var std var_mean std_mean count_nonzero linalg_vector_norm".split()
)
# ... and of these, which take one dimension, the batch is flattened first.
_FLAT = frozenset("prod max min argmax argmin median nanmedian".split())
_SPELLED = {"max": "amax", "min": "amin"}
_SEVERAL = {"select": "dim", "narrow": "dim"}


@rule(*_DIMS)
def along(level, function, args, kwargs):
    name, x = function.__name__, args[0] if args else None
    if not isinstance(x, Tensor) or level.batch(x) is None or kwargs.get("out") is not None:
        return NotImplemented
    if any(level.batch(t) is not None for t in tensors_of((args[1:], kwargs))):
        if name == "gather" or (name in ("max", "min") and isinstance(args[1], Tensor)):
            return _paired(level, function, args, kwargs)
        return NotImplemented
    if name in ("max", "min") and len(args) > 1 and isinstance(args[1], Tensor):
        return elementwise(level, function, args, kwargs)
    if x.dim() == 0:
        return NotImplemented
    return _along(level, function, name, x, list(args), dict(kwargs))


def _along(level, function, name, x, args, kwargs):
    rank, given, absent = x.dim(), False, (kwargs, None)
    for number, (place, key) in enumerate(_DIMS[name]):
        holder, where = (args, place) if place < len(args) else (kwargs, key)
        if holder is kwargs and name in _DEFAULTS:
            kwargs.setdefault(key, _DEFAULTS[name][number])
        if holder is kwargs and key not in kwargs or holder[where] is None:
            absent = (holder, where)
            continue
        counted = from_end(holder[where], rank)
        if counted is None:
            return NotImplemented
        holder[where], given = counted, True
    batch = level.batch(x)
    if not given and name in _ALL:
        absent[0][absent[1]] = tuple(range(-rank, 0))
    elif not given and name in _FLAT and len(args) == 1 and not kwargs.get("keepdim"):
        return level.wrap(_over_all(function, name, batch.reshape(len(batch), -1), kwargs))
    elif not given and name == "squeeze":
        return level.wrap(function(batch, tuple(d - rank for d in range(rank) if x.shape[d] == 1)))
    elif not given:
        return NotImplemented
    return level.wrapped(function(batch, *args[1:], **kwargs))


def _over_all(function, name, flat, kwargs):
    if name in _SPELLED:
        return getattr(flat, _SPELLED[name])(-1)
    result = function(flat, **{k: v for k, v in kwargs.items() if v is not None}, dim=-1)
    return result[0] if isinstance(result, tuple) else result


def _paired(level, function, args, kwargs):
    if function.__name__ != "gather":
        return elementwise(level, function, args, kwargs)
    if args[0].dim() == 0 or len(args) < 3:
        return NotImplemented
    dim = from_end(args[1], args[0].dim())
    if dim is None or args[2].dim() != args[0].dim():
        return NotImplemented
    return level.wrap(
        function(level.expanded(args[0]), dim, level.expanded(args[2]), *args[3:], **kwargs)
    )


def from_end(dim, rank):
    """A dimension, or several, counted from the end; None for what is out of range."""
    if isinstance(dim, (tuple, list)):
        found = [from_end(d, rank) for d in dim]
        return None if None in found else tuple(found)
    if isinstance(dim, bool) or not isinstance(dim, int) or not -rank <= dim < rank:
        return None
    return dim - rank if dim >= 0 else dim


@rule("gather")
def gather(level, function, args, kwargs):
    if len(args) < 3 or args[0].dim() == 0 or args[2].dim() != args[0].dim():
        return NotImplemented
    return _paired(level, function, args, kwargs)


@rule("scatter scatter_add")
def scatter(level, function, args, kwargs):
    if len(args) != 4 or kwargs or args[0].dim() == 0 or args[2].dim() != args[0].dim():
        return NotImplemented
    dim = from_end(args[1], args[0].dim())
    source = level.expanded(args[3]) if isinstance(args[3], Tensor) else args[3]
    if dim is None or (isinstance(source, Tensor) and args[3].dim() != args[2].dim()):
        return NotImplemented
    return level.wrap(function(level.expanded(args[0]), dim, level.expanded(args[2]), source))


# ---- shapes ----


@rule("unsqueeze")
def unsqueeze(level, function, args, kwargs):
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    rank = args[0].dim()
    if not isinstance(dim, int) or not -rank - 1 <= dim <= rank:
        return NotImplemented
    return level.wrap(function(level.batch(args[0]), dim + 1 if dim >= 0 else dim))


@rule("permute")
def permute(level, function, args, kwargs):
    dims = _sizes(args[1:]) if len(args) > 1 else kwargs.get("dims")
    rank = args[0].dim()
    if dims is None or len(dims) != rank or any(not -rank <= d < rank for d in dims):
        return NotImplemented
    return level.wrap(function(level.batch(args[0]), (0, *(d % rank + 1 for d in dims))))


@rule("t T numpy_T")
def transposed(level, function, args, kwargs):
    batch = level.batch(args[0])
    if function.__name__ == "t" and batch.dim() > 3:
        return NotImplemented
    return level.wrap(batch.permute(0, *range(batch.dim() - 1, 0, -1)))


@rule("view reshape")
def reshaped(level, function, args, kwargs):
    batch = level.batch(args[0])
    if kwargs or (len(args) > 1 and isinstance(args[1], lampas.dtype)):
        return NotImplemented if kwargs else level.wrap(function(batch, *args[1:]))
    size = _sizes(args[1:])
    if not level.size or args[0].numel() == 0:
        return NotImplemented
    return level.wrap(function(batch, (level.size, *size)))


@rule("expand broadcast_to")
def expand(level, function, args, kwargs):
    if kwargs:
        return NotImplemented
    size = _sizes(args[1:])
    if len(size) < args[0].dim():
        return NotImplemented
    return level.wrap(function(padded(level.batch(args[0]), len(size)), (level.size, *size)))


@rule("repeat")
def repeat(level, function, args, kwargs):
    times = _sizes(args[1:])
    if kwargs or len(times) < args[0].dim():
        return NotImplemented
    return level.wrap(function(padded(level.batch(args[0]), len(times)), (1, *times)))


@rule("view_as reshape_as expand_as")
def shaped_as(level, function, args, kwargs):
    if level.batch(args[0]) is None:
        return NotImplemented
    like = getattr(Tensor, function.__name__.removesuffix("_as"))
    return RULES[like.__name__](level, like, (args[0], tuple(args[1].shape)), {})


@rule("ravel")
def ravel(level, function, args, kwargs):
    return level.wrap(level.batch(args[0]).flatten(1)) if args[0].dim() else NotImplemented


@rule("cat concat concatenate stack")
def join(level, function, args, kwargs):
    values = list(args[0]) if args and isinstance(args[0], (tuple, list)) else None
    dim = args[1] if len(args) > 1 else kwargs.get("dim", 0)
    if values is None or set(kwargs) - {"dim"} or len({x.dim() for x in values}) > 1:
        return NotImplemented
    rank = values[0].dim() + (function.__name__ == "stack")
    if rank == 0 or not isinstance(dim, int) or not -rank <= dim < rank:
        return NotImplemented
    return level.wrap(function([level.expanded(x) for x in values], dim % rank + 1))


@rule("where")
def where(level, function, args, kwargs):
    if len(args) < 3:
        return NotImplemented
    return elementwise(level, function, args, kwargs)


@rule("constant_pad_nd")
def pad(level, function, args, kwargs):
    return level.wrap(function(level.batch(args[0]), *args[1:], **kwargs))


@rule("__getitem__")
def getitem(level, function, args, kwargs):
    x, key = args
    parts = key if isinstance(key, tuple) else (key,)
    kinds = [_kind(level, part) for part in parts]
    if None in kinds:
        return NotImplemented
    if level.batch(x) is None:
        return _chosen(level, function, x, parts, kinds)
    if kinds.count("index") + kinds.count("batched") == 0:
        return level.wrap(function(level.batch(x), (slice(None), *parts)))
    if kinds.count("index") > 1 or "batched" in kinds and kinds != ["batched"]:
        return NotImplemented
    if kinds != ["batched"]:
        return level.wrap(function(level.batch(x), (slice(None), *parts)))
    index = level.batch(parts[0])
    return level.wrap(function(level.batch(x), (_each(level, index), index)))


def _chosen(level, function, x, parts, kinds):
    """Of a tensor without a batch, by one index that has one."""
    if kinds.count("batched") != 1 or "index" in kinds:
        return NotImplemented
    at = kinds.index("batched")
    if any(part is Ellipsis for part in parts[:at]):
        return NotImplemented
    before = sum(part is None or isinstance(part, slice) for part in parts[:at])
    if any(isinstance(part, int) for part in parts):
        return NotImplemented
    batch = function(x, (*parts[:at], level.batch(parts[at]), *parts[at + 1 :]))
    return level.wrap(batch.movedim(before, 0))


def _each(level, index):
    """(B, 1, ...): the number of each entry, to go with an index (B, ...)."""
    return lampas.arange(level.size).view(-1, *(1,) * (index.dim() - 1))


def _kind(level, part):
    """What an index is: plain, one with numbers, one with numbers in a batch; None: something else."""
    if part is None or part is Ellipsis:
        return "plain"
    if isinstance(part, slice):
        return None if tensors_of((part.start, part.stop, part.step)) else "plain"
    if isinstance(part, int) and not isinstance(part, bool):
        return "plain"
    if isinstance(part, Tensor):
        if part.dtype in (lampas.bool, lampas.uint8):
            if level.batch(part) is not None:
                raise_boolean()
            return None
        if level.batch(part) is not None:
            return "batched"
        return "index"
    return None


def raise_boolean():
    from lampas.func.batch import refusal

    raise refusal(
        "vmap: We do not support batching operators that can support dynamic shape. Attempting to batch over indexing "
        "with a boolean mask."
    )


@rule("__setitem__")
def setitem(level, function, args, kwargs):
    x, key, value = args
    parts = key if isinstance(key, tuple) else (key,)
    if level.batch(x) is None or any(_kind_to_write(part) != "plain" for part in parts):
        return NotImplemented
    region = x.detach()[key] if not isinstance(value, Tensor) else None
    if isinstance(value, Tensor):
        region = _core._face_of_batch(level.batch(x).detach())[key]
        if value.dim() > region.dim():
            return NotImplemented
        value = aligned(level, value, region.dim())
    function(level.batch(x), (slice(None), *parts), value)
    return None


def _kind_to_write(part):
    plain = part is None or part is Ellipsis or isinstance(part, slice)
    return "plain" if plain or isinstance(part, int) and not isinstance(part, bool) else None


@rule("=data =grad =real =imag")
def assigned(level, function, args, kwargs):
    if level.batch(args[0]) is None or not isinstance(args[1], Tensor):
        return NotImplemented
    function(level.batch(args[0]), level.expanded(args[1]))
    return None


from lampas.func import batched_layers  # noqa: E402, F401  (its rules join these)
