"""torch.library: custom operators, schemas inferred and held to, kernels by device, compared with PyTorch."""
# ruff: noqa: UP006 (what programs write)

import itertools
from typing import List, Optional, Sequence, Tuple, Union  # noqa: UP035

import pytest
from agreement import agree, neutral

import lampas

numbers = itertools.count()  # PyTorch keeps an operator's name for the life of the process
BEGINNING = "The valid types are"  # PyTorch goes on with a list of its own classes


def short(error):
    return (
        neutral(str(error)).partition(BEGINNING)[0].partition("We do not support Tuple")[0].rstrip()
    )


def inferred(annotations, defaults=(), mutates=(), result="tensor"):
    """What infer_schema says of a function of these annotations, in both libraries."""

    def run(t):
        def function(x, y=1, *, z=None):
            """Never called."""

        known = {"tensor": t.Tensor, "tensors": List[t.Tensor], "maybe": Optional[t.Tensor], "dtype": t.dtype,
                 "pair": Tuple[t.Tensor, int], "device": t.device, "one": tuple[t.Tensor]}  # fmt: skip
        named = dict(zip("xyz", annotations))
        named["return"] = result
        function.__annotations__ = {
            k: known.get(v, v) if isinstance(v, str) else v for k, v in named.items()
        }
        if defaults:
            function.__defaults__, function.__kwdefaults__ = defaults[:1], {"z": defaults[1]}
        try:
            return t.library.infer_schema(function, mutates_args=mutates)
        except ValueError as error:
            return short(error).partition("Got func")[0].rstrip()

    return run


@pytest.mark.parametrize(
    "case",
    [
        inferred(("tensor", int, Optional[int])),
        inferred(("tensors", float, Optional[str]), (1.0, "a")),
        inferred(("maybe", bool, "dtype"), (True, None)),
        inferred((Sequence[int], Union[int, float, bool], "device"), (1e-5, None)),
        inferred((list[float], List[bool], Optional[List[int]]), (None, None)),
        inferred(("tensor", int | None, str), (-1, "q"), mutates={"x"}, result=None),
        inferred(
            ("tensors", "maybe", Optional[float]),
            (None, None),
            mutates={"x", "y"},
            result="tensors",
        ),
        inferred(("tensor", "tensor", int), mutates="unknown", result="pair"),
        inferred(("tensor", int, int), mutates={"y"}),
        inferred(("tensor", int, int), result="one"),
        inferred(("tensor", int, int), result=float),
        inferred(("tensor", int, int), result=str),
        inferred(("tensor", int, int), ((1, 2), None)),
        inferred((dict, int, int)),
        inferred((Tuple[int, int], int, int)),
        inferred((complex, int, int)),
        inferred(()),
    ],
)
def test_infer_schema(case):
    agree(case)


SCHEMA = "(Tensor x, int n=2, *, float f=1.0, Tensor? o=None, int[] l=[1,2], str s='a') -> Tensor"


def defined(t, schema=SCHEMA):
    """A new operator that says how it was called."""
    space, name = f"space{next(numbers)}", "foo"
    t.library.define(f"{space}::{name}", schema)
    seen = []

    def kernel(x, *args, **kwargs):
        seen.append((args, kwargs))
        return x.clone()

    t.library.impl(f"{space}::{name}", "cpu", kernel)
    return getattr(t.ops, space).foo, seen


@pytest.mark.parametrize(
    "call",
    [
        lambda f, x: f(x),
        lambda f, x: f(x, 3, f=2),
        lambda f, x: f(x=x, n=1),
        lambda f, x: f(x, 3, 4),
        lambda f, x: f(),
        lambda f, x: f(x, zz=4),
        lambda f, x: f(x, x=x),
        lambda f, x: f(3),
        lambda f, x: f(x, 1.5),
        lambda f, x: f(x, s=3),
        lambda f, x: f(x, l=3),
        lambda f, x: f(x, l=(3, 4), o=x),
        lambda f, x: f(x, o=3),
        lambda f, x: f.default(x, True),
        lambda f, x: str(f.default._schema).partition("(")[2],
        lambda f, x: f.overloads(),
    ],
)
def test_calls_are_held_to_the_schema(call):
    def run(t):
        function, seen = defined(t)
        try:
            result = call(function, t.ones(2))
        except RuntimeError as error:
            return str(error).partition("::")[2].replace("::", "").split("space")[0]
        return result, [kwargs for _, kwargs in seen]

    agree(run)


def test_a_custom_operator_with_a_gradient():
    def run(t):
        name = f"space{next(numbers)}::scaled"

        @t.library.custom_op(name, mutates_args=())
        def scaled(x: t.Tensor, k: float = 2.0) -> t.Tensor:
            return x * k

        def keep(ctx, inputs, output):
            ctx.k = inputs[1]

        scaled.register_autograd(lambda ctx, g: (g * ctx.k * 10, None), setup_context=keep)
        scaled.register_fake(lambda x, k=2.0: t.empty_like(x))
        x = t.ones(3, requires_grad=True)
        scaled(x, 3.0).sum().backward()
        space, _, short_name = name.partition("::")
        same = getattr(getattr(t.ops, space), short_name)(t.ones(2), 4)
        return (
            x.grad,
            same,
            scaled(t.ones(2, device="meta"), 1.0).shape,
            str(scaled._opoverload._schema).partition("(")[2],
        )

    agree(run)


def test_kernels_and_libraries():
    def run(t):
        space = f"space{next(numbers)}"
        lib = t.library.Library(space, "FRAGMENT")
        made = lib.define("twice(Tensor x) -> Tensor")
        lib.impl("twice", lambda x: x * 2, "CPU")
        lib.define("more(Tensor x) -> Tensor")
        lib.impl("more", lambda x: x + 1, "CompositeExplicitAutograd")
        ops = getattr(t.ops, space)

        @t.library.custom_op(f"{space}::thing", mutates_args={"x"})
        def thing(x: t.Tensor) -> None:
            x.add_(1)

        x = t.zeros(2)
        thing(x)
        thing.register_kernel("cpu", lambda x: x.add_(100) and None)
        return (
            made,
            ops.twice(t.ones(2)),
            ops.more(t.ones(2)),
            x,
            hasattr(ops, "nothing"),
            type(thing).__name__,
        )

    def marked(t):
        return run(t)

    agree(marked)


def test_registered_twice():
    space = f"space{next(numbers)}"
    lampas.library.define(f"{space}::f", "(Tensor x) -> Tensor")
    with pytest.raises(
        RuntimeError, match=r"Tried to register an operator \(space\d+::f\(Tensor x\)"
    ):
        lampas.library.define(f"{space}::f", "(Tensor x) -> Tensor")


def test_a_kernel_can_be_switched_off():
    @lampas.library.custom_op(f"space{next(numbers)}::k", mutates_args=())
    def k(x: lampas.Tensor) -> lampas.Tensor:
        return x + 1

    k.register_kernel("cpu", lambda x: x + 100)
    assert k(lampas.zeros(1)).item() == 100
    with k.set_kernel_enabled("cpu", enabled=False):
        assert k(lampas.zeros(1)).item() == 1
    assert k(lampas.zeros(1)).item() == 100


def test_wrong_definitions():
    agree(lambda t: t.library.define("nospace", "(Tensor x) -> Tensor"))
    agree(lambda t: t.library.define("space::bad", "(Tensor x -> Tensor"))
    agree(lambda t: t.library.Library("space", "OTHER"))
    with pytest.raises(NotImplementedError, match="no kernel"):
        lampas.library.define(f"space{(n := next(numbers))}::empty", "(Tensor x) -> Tensor")
        getattr(lampas.ops, f"space{n}").empty(lampas.ones(1))
    with pytest.raises(NotImplementedError, match="opcheck is not available"):
        lampas.library.opcheck(None, ())
