"""Running rows: types, layouts, forms and gradients, each against PyTorch."""

import itertools

import pytest
import torch

import lampas

DTYPES = """uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64
complex64 complex128 bool""".split()
BINARY = "add sub mul div pow eq lt maximum atan2 floor_divide remainder bitwise_and".split()
SHAPES = [(), (1,), (5,), (3, 4), (1, 4), (3, 1), (0, 3), (2, 3, 4), (2, 1, 4), (2, 3, 4, 5)]
SHAPES += [(200, 3), (3, 200), (2, 130, 3)]


def to_lampas(x):
    """The same values in the same place of a storage of the same length."""
    length = x.untyped_storage().nbytes() // x.element_size()
    flat = torch.as_strided(x.detach(), (length,), (1,), 0)
    if x.dtype == torch.bfloat16:
        memory = lampas.from_numpy(flat.float().numpy().copy()).to(lampas.bfloat16)
    else:
        memory = lampas.from_numpy(flat.numpy().copy())
    y = memory.as_strided(tuple(x.shape), tuple(x.stride()), x.storage_offset()).detach()
    return y.requires_grad_(x.requires_grad)


def to_torch(y):
    y = y.detach().contiguous()
    if y.dtype == lampas.bfloat16:
        return torch.from_numpy(y.to(lampas.float32).numpy().copy()).bfloat16()
    return torch.from_numpy(y.numpy().copy())


def check(got, expected, rtol=1e-5, strides=False):
    assert str(got.dtype) == str(expected.dtype)
    assert tuple(got.shape) == tuple(expected.shape)
    if expected.dtype in (torch.float16, torch.bfloat16):
        rtol = 1e-2
    assert torch.allclose(to_torch(got), expected.detach(), rtol=rtol, atol=rtol, equal_nan=True)
    if strides:
        assert tuple(got.stride()) == tuple(expected.stride())


def outcome(function, *args):
    try:
        return function(*args), None
    except (RuntimeError, TypeError, NotImplementedError) as error:
        return None, error


def compare(function, oracle, ours, theirs, strides=False):
    got, error = outcome(function, *ours)
    expected, failure = outcome(oracle, *theirs)
    if failure is not None:
        if "ComplexHalf" not in str(failure):
            assert type(error) is type(failure), (error, failure)
        return
    if expected.dtype == torch.complex32:
        return
    assert error is None, error
    check(got, expected, strides=strides)


@pytest.mark.parametrize("name", BINARY)
def test_types_follow_dimensions_then_zero_dimensions_then_numbers(name):
    oracle, function = getattr(torch, name), getattr(lampas, name)
    for first, second in itertools.product(DTYPES, DTYPES):
        for a, b in itertools.product([(2,), ()], [(2,), ()]):
            x = torch.ones(a, dtype=getattr(torch, first))
            y = torch.ones(b, dtype=getattr(torch, second))
            compare(function, oracle, (to_lampas(x), to_lampas(y)), (x, y))
    if name in ("maximum", "atan2"):
        return
    for first, number in itertools.product(DTYPES, (True, 2, 1.5, 1j)):
        x = torch.ones(2, dtype=getattr(torch, first))
        if name == "pow" and first == "bool":
            continue
        compare(function, oracle, (to_lampas(x), number), (x, number))


def layouts(shape):
    """Contiguous, permuted, strided, expanded and offset tensors of one shape."""
    yield torch.randn(shape)
    for order in itertools.islice(itertools.permutations(range(len(shape))), 1, 6):
        back = [order.index(i) for i in range(len(shape))]
        yield torch.randn([shape[i] for i in order]).permute(back)
    yield torch.randn([2 * s for s in shape])[tuple(slice(None, None, 2) for _ in shape)]
    yield torch.randn([s + 1 for s in shape])[tuple(slice(1, None) for _ in shape)]
    if shape:
        yield torch.randn([1, *shape[1:]]).expand(shape)
        yield torch.randn([*shape[:-1], 1]).expand(shape)
    if len(shape) == 4:
        yield torch.randn(shape).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_results_have_the_layout_of_the_oracle(shape):
    for x in layouts(shape):
        ours = to_lampas(x)
        check(ours.exp(), x.exp(), strides=True)
        check(ours * 2, x * 2, strides=True)
        check(ours < 0.1, x < 0.1, strides=True)
        check(ours.clone(), x.clone(), strides=True)
        check(ours.contiguous(), x.contiguous(), strides=True)
        check(ours.double(), x.double(), strides=True)
    for x, y in itertools.product(layouts(shape), layouts(shape)):
        check(to_lampas(x) + to_lampas(y), x + y, strides=True)
        check(to_lampas(x) * to_lampas(y.double()), x * y.double(), strides=True)


@pytest.mark.parametrize("a,b", itertools.product(SHAPES, SHAPES), ids=str)
def test_broadcasting(a, b):
    x, y = torch.randn(a), torch.randn(b)
    expected, failure = outcome(torch.add, x, y)
    got, error = outcome(lampas.add, to_lampas(x), to_lampas(y))
    assert str(error) == str(failure)
    if failure is None:
        check(got, expected, strides=True)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_writing_into_every_layout(shape):
    for x, y in itertools.product(layouts(shape), layouts(shape)):
        if 0 in x.stride():
            continue
        for write in (
            lambda a, b: a.add_(b),
            lambda a, b: a.copy_(b.double()),
            lambda a, b: a.fill_(3),
            lambda a, b: a.lt_(b),
            lambda a, b: a.mul_(a),
        ):
            place = torch.empty_strided(x.shape, x.stride()).copy_(x)
            ours = to_lampas(place)
            write(place, y)
            write(ours, to_lampas(y))
            check(ours, place, strides=True)
        place = torch.empty_strided(x.shape, x.stride()).copy_(x)
        ours = to_lampas(place)
        torch.mul(x, y, out=place)
        lampas.mul(to_lampas(x), to_lampas(y), out=ours)
        check(ours, place, strides=True)


@pytest.mark.parametrize(
    "write",
    [
        lambda m, x: x[1:].add_(x[:-1]),
        lambda m, x: x[:1].expand(4).add_(1),
        lambda m, x: x.long().add_(1.5),
        lambda m, x: x.add_(m.ones(2, 6)),
        lambda m, x: x.requires_grad_().add_(1),
        lambda m, x: m.add(x, x.requires_grad_(), out=m.ones(6)),
        lambda m, x: m.add(x, x, out=m.ones(6, dtype=m.int64)),
        lambda m, x: -(x > 1),
        lambda m, x: (x > 1) - (x > 2),
        lambda m, x: m.add(x.long(), 1, alpha=1.5),
        lambda m, x: x.long() ** -1,
        lambda m, x: x + m.ones(6, device="meta"),
    ],
)
def test_refusals_are_worded_as_by_the_oracle(write):
    _, error = outcome(write, lampas, lampas.arange(6.0))
    _, failure = outcome(write, torch, torch.arange(6.0))
    assert type(error) is type(failure)
    assert str(error).split("\nhint:")[0] == str(failure)


FORMULAS = """x*y; x/y; x**y; x**2; x**3; x**0.5; 2**x; 1-x; x.atan2(y); x.exp()*y; x.clamp(0.3,0.6)
M.lerp(x,y,y); M.addcmul(x,x,y,value=2); M.addcdiv(x,x,y); x.double()*y; (x*1).mul_(y).mul_(y)
(x*1).pow_(y); (x*1).div_(y); (x*1).exp_()*y; (x*1).copy_(y*y); (x*1).fill_(2)+y; x+y[0]; x*y[0]
x[:,:1]*y; M.complex(x,y).abs(); M.complex(x,y).exp().real; (M.complex(x,y)*x).imag
M.view_as_real(M.complex(x,y)*M.complex(y,x)); M.polar(x,y).real; M.where(x>y,x*x,y*x)"""


@pytest.mark.parametrize("text", FORMULAS.replace("\n", "; ").split("; "))
@pytest.mark.parametrize("wants", [(True, True), (True, False), (False, True)])
def test_gradients_to_second_order(text, wants):
    leaves = [torch.rand(3, 4, dtype=torch.float64) + 0.2 for _ in wants]
    theirs = [x.clone().requires_grad_(w) for x, w in zip(leaves, wants)]
    ours = [to_lampas(x) for x in theirs]
    expected = second_order(torch, text, theirs, lambda x: x)
    got = second_order(lampas, text, ours, to_lampas)
    for a, b in zip(got, expected):
        assert (a is None) == (b is None)
        if b is not None:
            check(a, b, rtol=1e-8)


def second_order(module, text, leaves, convert):
    """The value, its gradients (fused, then recorded), and the gradients of those."""
    torch.manual_seed(1)
    y = eval(text, {"M": module, "x": leaves[0], "y": leaves[1]})
    results = [y]
    wanted = [x for x in leaves if x.requires_grad]
    if not y.requires_grad:
        return results
    grad = module.autograd.grad
    w = convert(torch.randn(tuple(y.shape), dtype=torch.float64))
    results += grad(y, wanted, w, retain_graph=True, allow_unused=True)
    first = grad(y, wanted, w, create_graph=True, allow_unused=True)
    results += first
    for g in first:
        if g is None or not g.requires_grad:
            continue
        v = convert(torch.randn(tuple(g.shape), dtype=torch.float64))
        second = grad(g, wanted, v, retain_graph=True, allow_unused=True)
        results += [module.zeros_like(g) if s is None else s for s in second]
    return results


def test_saved_tensors_notice_writes():
    for module in (lampas, torch):
        x = module.ones(3).requires_grad_()
        b = module.ones(3)
        y = x * b
        b.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()
        y = b * x  # b is kept for x, x is kept for nothing
        with module.no_grad():
            x.add_(1)
        y.sum().backward()
        assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_thread_count_changes_nothing():
    x = lampas.arange(300_000, dtype=lampas.float32) / 1000
    results = []
    for count in (1, 2, 4):
        lampas.set_num_threads(count)
        results.append((x.sin() * x.reshape(300, 1000).t().reshape(-1).exp()).numpy().tobytes())
    assert results[0] == results[1] == results[2]
