"""Random streams against PyTorch: one seed gives the same numbers and leaves the same state."""

import copy

import pytest

import lampas

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of the random streams")

SEEDS = (0, 42, 2**64 - 1, -7)
SIZES = (0, 1, 7, 15, 16, 17, 31, 100, 625, 5000)
FLOATS = ("float32", "float64", "float16", "bfloat16")
COMPLEX = ("complex64", "complex128")
INTEGERS = ("uint8", "int8", "int16", "int32", "int64")


def numbers(x):
    """A tensor of either library as nested Python numbers."""
    return (x.to(x.dtype.to_complex()) if x.is_complex() else x.to(dtype_of(x, "float64"))).tolist()


def dtype_of(x, name):
    return getattr(lampas if isinstance(x, lampas.Tensor) else torch, name)


def flat(values):
    if not isinstance(values, list):
        return [values]
    return [v for item in values for v in flat(item)]


def both(draw, seed):
    """draw(module) under both libraries from one seed; results and the states left behind."""
    results = []
    for module in (lampas, torch):
        module.manual_seed(seed)
        drawn = draw(module)
        state = bytes(module.get_rng_state().tolist())
        results.append((drawn, state))
    (ours, our_state), (theirs, their_state) = results
    assert list(ours.shape) == list(theirs.shape)
    assert str(ours.dtype) == str(theirs.dtype)
    assert our_state == their_state, "the generator moved differently"
    return flat(numbers(ours)), flat(numbers(theirs))


def agree(draw, seed, tolerance=0.0):
    ours, theirs = both(draw, seed)
    if tolerance:
        assert ours == pytest.approx(theirs, rel=tolerance, abs=tolerance, nan_ok=True)
    else:
        assert ours == theirs


def tolerance_of(dtype):
    """For values that pass through a transcendental function of another library."""
    return {"float32": 1e-6, "complex64": 1e-6, "float16": 2e-3, "bfloat16": 1e-2}.get(dtype, 1e-13)


def fill(name, dtype, n, *args):
    return lambda m: getattr(m.empty(n, dtype=getattr(m, dtype)), name)(*args)


@pytest.mark.parametrize("dtype", FLOATS + COMPLEX)
@pytest.mark.parametrize("n", SIZES)
def test_continuous(n, dtype):
    for seed in SEEDS:
        for bounds in ((0, 1), (-0.3, 1.7), (-1000, 3)):
            agree(fill("uniform_", dtype, n, *bounds), seed)
        for shape in ((0, 1), (1.5, 2.5)):
            agree(fill("normal_", dtype, n, *shape), seed, tolerance_of(dtype))
        if dtype in FLOATS:
            for name, args in (
                ("exponential_", (2.5,)),
                ("cauchy_", (1.3, 2.7)),
                ("log_normal_", (0.1, 0.7)),
            ):
                agree(fill(name, dtype, n, *args), seed, tolerance_of(dtype))


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS + ("bool",))
@pytest.mark.parametrize("n", SIZES)
def test_discrete(n, dtype):
    for seed in SEEDS:
        for p in (0.0, 0.3, 1.0):
            agree(fill("bernoulli_", dtype, n, p), seed)
        for p_dtype in FLOATS:
            agree(
                lambda m, p=p_dtype: m.empty(n, dtype=getattr(m, dtype)).bernoulli_(
                    (m.arange(n, dtype=m.float64) / max(n, 1)).to(getattr(m, p))
                ),
                seed,
            )
        agree(fill("random_", dtype, n), seed)
        agree(fill("random_", dtype, n, 0, 2), seed)
        if dtype != "bool":
            agree(fill("random_", dtype, n, 3, 100), seed)
            agree(fill("geometric_", dtype, n, 0.3), seed)
            if n < 100:
                agree(lambda m: m.randperm(n, dtype=getattr(m, dtype)), seed)


RANGES = (
    (0, 2**28 - 1),
    (0, 2**28),
    (-(2**31), 2**31),
    (-(2**62), 2**62),
    (-(2**63), 2**63 - 1),
    (-(2**63), None),
)


@pytest.mark.parametrize("bounds", RANGES)
def test_wide_ranges(bounds):
    agree(fill("random_", "int64", 100, *bounds), 5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "bounds", ((0, 2**15), (0, 2**27), (-(2**27) + 3, 2**27 - 3), (0, 2**63 - 1), (3, None))
)
def test_ranges_beyond_precision(dtype, bounds):
    if dtype == "float16" and (bounds[1] or 0) > 2**16:
        with pytest.raises(RuntimeError, match="out of bounds"):
            fill("random_", dtype, 4, *bounds)(lampas)
        return
    agree(fill("random_", dtype, 100, *bounds), 5)


FACTORIES = {
    "rand": lambda m: m.rand(3, 7),
    "randn": lambda m: m.randn(2, 5, 3),
    "randn double": lambda m: m.randn(40, dtype=m.float64),
    "randint": lambda m: m.randint(10, (4, 5)),
    "randint low": lambda m: m.randint(-3, 3, (50,)),
    "randint float": lambda m: m.randint(0, 9, (50,), dtype=m.float32),
    "randperm": lambda m: m.randperm(1000),
    "rand_like": lambda m: m.rand_like(m.zeros(3, 4).t()),
    "randn_like": lambda m: m.randn_like(m.zeros(5, 6).t()),
    "randint_like": lambda m: m.randint_like(m.zeros(5, 6), 2, 7),
    "normal sized": lambda m: m.normal(1.0, 2.0, (30,)),
    "normal mean": lambda m: m.normal(m.arange(30.0), 2.0),
    "normal std": lambda m: m.normal(1.0, m.arange(30.0)),
    "normal both": lambda m: m.normal(m.arange(5.0)[:, None], m.arange(6.0)),
    "bernoulli": lambda m: m.bernoulli(m.linspace(0, 1, 24).reshape(4, 6).t()),
    "bernoulli p": lambda m: m.bernoulli(m.zeros(4, 6, dtype=m.int64), 0.3),
    "poisson": lambda m: m.poisson(m.linspace(0, 40, 60).reshape(6, 10).t()),
    "binomial": lambda m: m.binomial(m.full((60,), 50.0), m.linspace(0, 1, 60)),
    "multinomial one": lambda m: m.multinomial(m.linspace(1, 2, 50).reshape(5, 10), 1),
    "multinomial some": lambda m: m.multinomial(m.linspace(1, 2, 50).reshape(5, 10), 4),
    "multinomial replaced": lambda m: m.multinomial(m.linspace(0, 2, 50).reshape(5, 10), 40, True),
    "multinomial vector": lambda m: m.multinomial(m.linspace(0, 2, 50), 40, replacement=True),
    "dropout": lambda m: m.dropout(m.ones(10, 30).t(), 0.3, True),
    "native_dropout": lambda m: m.native_dropout(m.ones(300), 0.3, True)[0],
    "feature_dropout": lambda m: m.feature_dropout(m.ones(4, 6, 3), 0.3, True),
    "alpha_dropout": lambda m: m.alpha_dropout(m.linspace(-1, 1, 300), 0.3, True),
    "feature_alpha_dropout": lambda m: m.feature_alpha_dropout(m.ones(4, 6, 3), 0.3, True),
    "rrelu": lambda m: m.rrelu(m.linspace(-1, 1, 60).reshape(6, 10).t(), 0.1, 0.3, True),
}


@pytest.mark.parametrize("name", FACTORIES)
def test_functions(name):
    agree(FACTORIES[name], 11, tolerance_of("float32"))


STRIDED = {
    "transposed": lambda x: x.t(),
    "every other": lambda x: x[:, ::2],
    "every other, transposed": lambda x: x[:, ::2].t(),
    "permuted": lambda x: x.reshape(2, 3, 8).permute(2, 0, 1),
    "channels": lambda x: x.reshape(1, 3, 4, 4).permute(0, 2, 3, 1),
}


@pytest.mark.parametrize("layout", STRIDED)
@pytest.mark.parametrize("name", ("uniform_", "normal_", "exponential_", "bernoulli_", "random_"))
def test_order_of_strided_memory(name, layout):
    agree(lambda m: getattr(STRIDED[layout](m.zeros(6, 8)), name)(), 3, tolerance_of("float32"))


def test_kept_normal_crosses_calls():
    def draw(m):
        first = m.randn(3, dtype=m.float64)
        return m.cat([first, m.rand(2, dtype=m.float64), m.randn(2, dtype=m.float64)])

    agree(draw, 9, 1e-14)


def test_state_round_trip_between_libraries():
    torch.manual_seed(77)
    torch.randn(3)
    lampas.set_rng_state(lampas.tensor(torch.get_rng_state().tolist(), dtype=lampas.uint8))
    assert lampas.randn(5).tolist() == pytest.approx(torch.randn(5).tolist(), rel=1e-6)
    assert lampas.get_rng_state().tolist() == torch.get_rng_state().tolist()


def test_generator():
    g = lampas.Generator()
    assert g.initial_seed() == torch.Generator().initial_seed()
    assert g.manual_seed(5) is g
    first = lampas.rand(4, generator=g).tolist()
    assert first == torch.rand(4, generator=torch.Generator().manual_seed(5)).tolist()
    restored = lampas.Generator().set_state(g.get_state())
    copies = (g.clone_state(), copy.deepcopy(g), restored)
    following = lampas.rand(4, generator=g).tolist()
    for other in copies:
        assert lampas.rand(4, generator=other).tolist() == following
    assert g.seed() == g.initial_seed()
    assert str(g.device) == "cpu"


def test_fork_rng():
    lampas.manual_seed(1)
    before = lampas.get_rng_state().tolist()
    with lampas.random.fork_rng():
        lampas.rand(3)
    assert lampas.get_rng_state().tolist() == before


def test_gradients_are_zero_or_masks():
    x = lampas.ones(50, requires_grad=True)
    y = x * 1
    y.uniform_()
    y.sum().backward()
    assert x.grad.tolist() == [0.0] * 50
    x = lampas.ones(50, requires_grad=True)
    y = lampas.dropout(x, 0.5, True)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()


def test_gamma_and_dirichlet_gradients():
    shapes = [0.05, 0.7, 3.0, 40.0, 9000.0]
    values = [0.01, 0.9, 2.0, 45.0, 9100.0]

    def gamma(m):
        double = {"dtype": m.float64}
        return m._standard_gamma_grad(m.tensor(shapes, **double), m.tensor(values, **double))

    def dirichlet(m):
        double = {"dtype": m.float64}
        x = m.tensor([0.004, 0.05, 0.85], **double)
        return m._dirichlet_grad(x, m.tensor([0.4, 3.0, 60.0], **double), x * 0 + 70)

    # PyTorch's own formulas are approximations.
    for function in (gamma, dirichlet):
        assert function(lampas).tolist() == pytest.approx(function(torch).tolist(), rel=3e-3)
    shape = lampas.full((5,), 2.0, requires_grad=True)
    y = lampas._standard_gamma(shape)
    y.sum().backward()
    assert shape.grad.tolist() == lampas._standard_gamma_grad(shape.detach(), y.detach()).tolist()


ERRORS = (
    lambda m: m.empty(3).uniform_(2, 1),
    lambda m: m.empty(3).uniform_(0, float("inf")),
    lambda m: m.empty(3).uniform_(-3e38, 3e38),
    lambda m: m.empty(3, dtype=m.int64).uniform_(),
    lambda m: m.empty(3).normal_(0, -1),
    lambda m: m.empty(3, dtype=m.int64).normal_(),
    lambda m: m.normal(m.zeros(2), m.tensor([1.0, -1.0])),
    lambda m: m.empty(3).exponential_(0),
    lambda m: m.empty(3, dtype=m.int64).exponential_(),
    lambda m: m.empty(3).cauchy_(0, 0),
    lambda m: m.empty(3, dtype=m.int64).cauchy_(),
    lambda m: m.empty(3).log_normal_(0, 0),
    lambda m: m.empty(3).geometric_(1),
    lambda m: m.empty(3).bernoulli_(1.5),
    lambda m: m.empty(3).bernoulli_(m.tensor([0.5, 2, 0.1])),
    lambda m: m.bernoulli(m.tensor([1, 0])),
    lambda m: m.empty(3).random_(5, 5),
    lambda m: m.empty(3, dtype=m.uint8).random_(0, 257),
    lambda m: m.empty(3, dtype=m.uint8).random_(-1, 10),
    lambda m: m.empty(3).random_(2**30 + 1, 2**30 + 100),
    lambda m: m.randint(5, 2, (2,)),
    lambda m: m.rand(-1),
    lambda m: m.randperm(-1),
    lambda m: m.randperm(300, dtype=m.uint8),
    lambda m: m.multinomial(m.ones(3), 4),
    lambda m: m.multinomial(m.ones(3), 0),
    lambda m: m.multinomial(m.tensor([-1.0, 1]), 1),
    lambda m: m.multinomial(m.tensor([0.0, 0]), 1),
    lambda m: m.multinomial(m.tensor([0.0, 0]), 3, True),
    lambda m: m.multinomial(m.tensor([float("inf"), 1]), 3, True),
    lambda m: m.poisson(m.tensor([-1.0])),
    lambda m: m.binomial(m.tensor([5]), m.tensor([0.5])),
    lambda m: m.dropout(m.ones(3), 1.5, True),
    lambda m: m.feature_dropout(m.ones(3), 0.5, True),
    lambda m: m.zeros(1).expand(3).uniform_(),
    lambda m: m.ones(2, requires_grad=True).uniform_(),
    lambda m: m.set_rng_state(m.zeros(5056, dtype=m.uint8)),
    lambda m: m.set_rng_state(m.zeros(100, dtype=m.uint8)),
    lambda m: m.Generator().set_state(m.zeros(5056)),
    lambda m: m.Generator().manual_seed(2**64),
    lambda m: m.Generator().manual_seed("a"),
    lambda m: m.Generator("meta"),
)


@pytest.mark.parametrize("wrong", ERRORS, ids=range(len(ERRORS)))
def test_errors(wrong):
    with pytest.raises(Exception) as theirs:
        wrong(torch)
    with pytest.raises(type(theirs.value)) as ours:
        wrong(lampas)
    assert str(ours.value).split("\n")[0] == str(theirs.value).split("\n")[0]
