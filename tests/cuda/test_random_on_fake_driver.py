"""Random numbers on a GPU: streams against NumPy's Philox (philox.py) and against values that CUDA PyTorch is
known to give, states of generators, samplers by their moments."""

from pathlib import Path

import numpy as np
import philox
import pytest

HEAD = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np, philox
cuda = "cuda"
def same(x, expected, tolerance=0):
    x = x.detach().cpu().double().numpy().reshape(-1)
    assert np.allclose(x, expected, rtol=tolerance, atol=tolerance), (x[:8], expected[:8])
def equal(a, b):
    return torch.equal(a.cpu(), b.cpu())
def fails(call, text):
    try:
        call()
    except RuntimeError as error:
        assert text in str(error), error
    else:
        raise AssertionError(text)
"""


@pytest.fixture
def run(run):
    import textwrap

    return lambda source, **given: run(HEAD + textwrap.dedent(source), **given)


def test_known_answers_of_philox():
    """The vectors that Random123 comes with."""
    for counter, key, expected in (
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ):
        assert philox.philox(np.array(counter).reshape(4, 1), key).ravel().tolist() == list(
            expected
        )


def test_values_of_cuda_pytorch(run):
    """As printed by PyTorch on GPUs, in many places on the net."""
    run("""
        torch.manual_seed(0)
        first = torch.rand(10, device=cuda)
        same(first, [0.3990, 0.5167, 0.0249, 0.9401, 0.9459, 0.7967, 0.4150, 0.8203, 0.2290, 0.9096], 1e-4)
        same(torch.rand(10, device=cuda),
             [0.9722, 0.7910, 0.4690, 0.3300, 0.3345, 0.3783, 0.7640, 0.6405, 0.1103, 0.3594], 1e-4)
        torch.manual_seed(0)
        same(torch.randn(8, device=cuda),
             [-0.9247, -0.4253, -2.6438, 0.1452, -0.1209, -0.5797, -0.6229, -0.3284], 1e-4)
        torch.cuda.manual_seed(42)
        same(torch.randn(2, 5, device=cuda),
             [0.1940, 2.1614, -0.1721, 0.8491, -1.9244, 0.6530, -0.6494, -0.8175, 0.5280, -1.2753], 1e-4)
        torch.cuda.manual_seed_all(42)
        same(torch.rand(3, 4, device=cuda),
             [0.6130, 0.0101, 0.3984, 0.0403, 0.1563, 0.4825, 0.7362, 0.4060, 0.5189, 0.2867, 0.2416, 0.9228], 1e-4)
    """)


def test_states(run):
    run("""
        assert torch.cuda.initial_seed() == torch.initial_seed() == 67280421310721
        torch.manual_seed(-1)
        state = torch.cuda.get_rng_state()
        assert state.is_cpu and state.dtype is torch.uint8
        assert state.numpy().view(np.uint64).tolist() == [2**64 - 1, 0]
        first = torch.rand(300, device=cuda)
        g = torch.cuda.default_generators[0]
        assert g.get_offset() == 4 and g.device == torch.device("cuda:0") and g.initial_seed() == 2**64 - 1
        torch.cuda.set_rng_state(state)
        assert equal(torch.rand(300, device=cuda).cpu(), first.cpu())
        own = torch.Generator(device="cuda").manual_seed(-1)
        assert own.device == torch.device("cuda:0") and own.get_state().numel() == 16
        assert equal(torch.rand(300, device=cuda, generator=own).cpu(), first.cpu())
        other = torch.Generator(device="cuda:1").manual_seed(-1)
        assert equal(torch.rand(300, device="cuda:1", generator=other).cpu(), first.cpu())
        twin = own.clone_state()
        assert equal(torch.rand(3, device=cuda, generator=own), torch.rand(3, device=cuda, generator=twin))
        own.set_offset(400)
        assert own.get_offset() == 400
        fails(lambda: own.set_offset(2), "offset must be a multiple of 4")
        fails(lambda: own.set_state(torch.zeros(5056, dtype=torch.uint8)), "RNG state is wrong size")
        fails(lambda: torch.Generator().get_offset(), "CPU Generator does not use offset")
        fails(lambda: torch.rand(3, device=cuda, generator=torch.Generator()),
              "Expected a 'cuda' device type for generator but found 'cpu'")
        fails(lambda: torch.rand(3, generator=own), "Expected a 'cpu' device type for generator but found 'cuda'")
        import pickle
        again = pickle.loads(pickle.dumps(own))
        assert again.device == own.device and again.get_offset() == 400
        with torch.random.fork_rng(devices=[0]):
            torch.rand(3, device=cuda)
        before = torch.cuda.get_rng_state_all()
        with torch.random.fork_rng([0, 1]):
            torch.manual_seed(7)
            torch.rand(3, device=cuda)
            torch.cuda.seed()
            torch.cuda.seed_all()
        assert all(equal(a, b) for a, b in zip(before, torch.cuda.get_rng_state_all()))
        torch.cuda.set_rng_state_all([before[1], before[0]])
        assert equal(torch.cuda.get_rng_state(1), before[0])
        with torch.cuda.device(1):
            torch.cuda.manual_seed(5)
        assert torch.cuda.initial_seed() != 5 and torch.cuda.default_generators[1].initial_seed() == 5
    """)


@pytest.mark.parametrize("n", [1, 700, 40001])
def test_fills(run, n):
    """Of one block, of several, and of more than the device holds at once; offsets follow."""
    run(f"""
        n, seed = {n}, 0x123456789abcdef
        g = torch.Generator(device=cuda).manual_seed(seed)
        x = torch.empty(n, device=cuda)
        def reference(numbers, make):
            values, reference.offset = philox.words(seed, reference.offset, n, numbers, make)
            return values
        reference.offset = 0
        same(x.uniform_(2, 5, generator=g), reference(4, philox.units) * 3 + 2, 1e-6)
        same(x.normal_(1, 2, generator=g), reference(4, philox.normals) * 2 + 1, 1e-4)
        assert g.get_offset() == reference.offset
        y = torch.empty(n, device=cuda, dtype=torch.float64)
        same(y.uniform_(generator=g), reference(2, philox.doubles), 1e-15)
        same(y.normal_(generator=g), reference(2, philox.normal_doubles), 1e-12)
        i = torch.empty(n, device=cuda, dtype=torch.int64)
        same(i.random_(-5, 1000, generator=g), (reference(4, philox.singles) % 1005).astype(float) - 5)
        z = i.random_(0, 2**40 + 1, generator=g).cpu().numpy()
        assert (z == (reference(2, philox.wide) % np.uint64(2**40 + 1)).astype(np.int64)).all()
        z = i.random_(generator=g).cpu().numpy()
        assert (z == (reference(2, philox.wide) & np.uint64(2**63 - 1)).astype(np.int64)).all()
        same(torch.empty(n, device=cuda, dtype=torch.bool).bernoulli_(0.3, generator=g),
             reference(4, philox.units) < np.float32(0.3))
        assert g.get_offset() == reference.offset
    """)


def test_distributions(run):
    run("""
        n, seed = 3000, 77
        def drawn(name, *args, dtype=torch.float32):
            g = torch.Generator(device=cuda).manual_seed(seed)
            return getattr(torch.empty(n, device=cuda, dtype=dtype), name)(*args, generator=g)
        u = philox.words(seed, 0, n, 4, philox.units)[0].astype(float)
        z = philox.words(seed, 0, n, 4, philox.normals)[0]
        d = philox.words(seed, 0, n, 2, philox.doubles)[0]
        same(drawn("exponential_", 2.0), -np.log(u) / 2, 1e-4)
        same(drawn("exponential_", 2.0, dtype=torch.float64), -np.log(d) / 2, 1e-12)
        same(drawn("log_normal_", 0.5, 0.25), np.exp(z * 0.25 + 0.5), 1e-5)
        same(drawn("geometric_", 0.25), np.ceil(np.log(u) / np.log(0.75)))
        same(drawn("geometric_", 0.25, dtype=torch.int32), np.ceil(np.log(u) / np.log(0.75)))
        c = np.tan(np.pi * (d - 0.5))
        same(drawn("cauchy_", 1.0, 3.0, dtype=torch.float64) / (1 + np.abs(c)).max(), (1 + 3 * c) / (1 + np.abs(c)).max(), 1e-9)
        for dtype in (torch.float16, torch.bfloat16):
            eps = torch.finfo(dtype).eps
            same(drawn("normal_", dtype=dtype), z, eps * 4)
            x = drawn("uniform_", dtype=dtype)
            same(x, np.where(u > 1 - eps / 4, 0, u), eps)
            assert x.cpu().max() < 1
        # complex numbers are their parts
        x = drawn("normal_", dtype=torch.complex64)
        two = philox.words(seed, 0, 2 * n, 4, philox.normals)[0] / np.sqrt(2)
        same(torch.view_as_real(x), two, 1e-5)
        # every type of random_
        w = philox.words(seed, 0, n, 4, philox.singles)[0]
        for dtype, most in ((torch.uint8, 255), (torch.int8, 127), (torch.int16, 2**15 - 1), (torch.int32, 2**31 - 1),
                            (torch.bool, 1), (torch.float32, 2**24), (torch.float16, 2**11), (torch.bfloat16, 2**8)):
            same(drawn("random_", dtype=dtype), (w % (most + 1)).astype(float))
        # memory that is not in order is filled as a dense tensor of the same order; views with gaps through one
        a, b, c = torch.empty(6, 4, device=cuda), torch.empty(4, 6, device=cuda).t(), torch.empty(6, 8, device=cuda)[:, ::2]
        made = [x.uniform_(generator=torch.Generator(cuda).manual_seed(3)).cpu() for x in (a, b, c)]
        assert equal(made[0], made[2]) and equal(made[0].reshape(-1), made[1].t().reshape(-1))
        assert torch.rand(0, 3, device=cuda).shape == (0, 3)
        x = torch.rand_like(a), torch.randn_like(a), torch.randint_like(a, 5), torch.randint(3, 9, (4,), device=cuda)
        assert all(y.is_cuda for y in x) and all(3 <= v < 9 for v in x[3].tolist())
        fails(lambda: torch.empty(3, device=cuda, dtype=torch.int32).normal_(), "not implemented for 'Int'")
        fails(lambda: a.uniform_(3, 2), "uniform_ expects to return a [from, to) range, but found from=3 > to=2")
        x = torch.ones(5, device=cuda, requires_grad=True)
        y = (x * 2).normal_()
        assert type(y.grad_fn).__name__ == "NormalBackward0"
        y.backward(torch.ones(5, device=cuda))
        assert x.grad.tolist() == [0] * 5
    """)


def test_bernoulli_with_a_tensor(run):
    run("""
        n, seed = 5000, 9
        p = torch.linspace(0, 1, n)
        torch.manual_seed(seed)
        x = torch.bernoulli(p.cuda())
        u = np.stack(philox.units(philox.draw(seed, np.arange(1250), 0))).T.reshape(-1)
        same(x, u <= p.numpy())
        assert torch.cuda.default_generators[0].get_offset() == 12
        y = torch.empty(n, device=cuda, dtype=torch.int64).bernoulli_(p.cuda().double())
        u = np.stack(philox.units(philox.draw(seed, np.arange(1250), 12))).T.reshape(-1)
        same(y, u <= p.double().numpy())
    """)


def test_dropout(run):
    run("""
        F, seed = torch.nn.functional, 5
        for n, group in ((4096, 4), (40000, 4), (40002, 2), (701, 1)):
            threads = philox.grid(n)
            if group == 1:
                u = philox.words(seed, 0, n, 4, philox.units)[0]
            else:
                draws = -(-n // (threads * 4))
                parts = [np.stack(philox.units(philox.draw(seed, np.arange(threads), 4 * i))) for i in range(draws)]
                u = np.concatenate([part[k:k + group].T.reshape(-1) for part in parts for k in range(0, 4, group)])[:n]
            x = torch.arange(1.0, n + 1).cuda().requires_grad_()
            torch.manual_seed(seed)
            y = F.dropout(x, 0.25)
            kept = u < np.float32(0.75)
            same(y, np.where(kept, np.arange(1, n + 1) / 0.75, 0), 1e-6)
            assert type(y.grad_fn).__name__ == "NativeDropoutBackward0"
            y.backward(torch.full((n,), 3.0, device=cuda))
            same(x.grad, kept * 3 / 0.75, 1e-6)
        x = torch.ones(64, 3, device=cuda, dtype=torch.float16)
        torch.manual_seed(seed)
        y, mask = torch.native_dropout(x, 0.5, True)
        assert mask.dtype is torch.bool and equal(y.cpu(), mask.cpu().half() * 2)
        torch.manual_seed(seed)
        assert equal(F.dropout(x, 0.5).cpu(), y.cpu())
        assert F.dropout(x, 0.5, training=False) is x and F.dropout(x, 1.0).cpu().abs().max() == 0
        # gradients of gradients; memory in another order
        x = torch.ones(6, 4, device=cuda, dtype=torch.float64).t().requires_grad_()
        y = F.dropout(x, 0.5)
        assert y.stride() == x.stride()
        g = torch.ones(4, 6, device=cuda, dtype=torch.float64, requires_grad=True)
        (dx,) = torch.autograd.grad(y, x, g, create_graph=True)
        assert equal(dx.detach().cpu(), y.detach().cpu())
        (ddg,) = torch.autograd.grad(dx, g, torch.ones(4, 6, device=cuda, dtype=torch.float64))
        assert equal(ddg.cpu(), y.detach().cpu())
        torch.manual_seed(1)
        z = F.dropout2d(torch.ones(8, 6, 2, 2, device=cuda), 0.5)
        torch.manual_seed(1)
        noise = torch.empty(8, 6, 1, 1, device=cuda).bernoulli_(0.5)
        assert equal(z.cpu(), (noise.cpu() * 2).expand(8, 6, 2, 2))
        F.alpha_dropout(torch.ones(8, 6, device=cuda), 0.5)
        x = torch.linspace(-2, 2, 999).cuda().requires_grad_()
        torch.manual_seed(seed)
        y = F.rrelu(x, 0.1, 0.4, training=True)
        slopes = np.where(x.detach().cpu().numpy() <= 0, philox.words(seed, 0, 999, 4, philox.units)[0] * 0.3 + 0.1, 1)
        same(y.detach(), slopes * x.detach().cpu().numpy(), 1e-6)
        y.backward(torch.ones(999, device=cuda))
        same(x.grad, slopes, 1e-6)
    """)


def test_permutations(run):
    """Sorted by random keys; also of more than one bucket, and where keys are equal."""
    run("""
        seed = 11
        def keys(n):
            bits = int(np.ceil(np.log2(n - (6 * n * n + 1) / (12 * np.log(0.9)))))
            if bits > 32:
                drawn = philox.words(seed, 0, n, 2, philox.wide)[0] & np.uint64(2**63 - 1)
            else:
                drawn = philox.words(seed, 0, n, 4, philox.singles)[0] & np.uint64(2**31 - 1)
            return drawn & np.uint64(2 ** min(bits, 63) - 1), bits
        for n in (1, 2, 5, 999, 2048, 2049, 30000):
            torch.manual_seed(seed)
            x = torch.randperm(n, device=cuda).cpu().numpy()
            drawn, bits = keys(n)
            assert np.array_equal(np.sort(x), np.arange(n))
            assert (np.diff(drawn[x].astype(float)) >= 0).all(), n
            if len(np.unique(drawn)) == n:
                assert np.array_equal(x, np.argsort(drawn, kind="stable"))
        for dtype in (torch.int32, torch.float32, torch.uint8):
            assert sorted(torch.randperm(200, device=cuda, dtype=dtype).tolist()) == list(range(200))
        assert torch.randperm(0, device=cuda).tolist() == []
        fails(lambda: torch.randperm(300, device=cuda, dtype=torch.uint8), "without overflow")
    """)


def test_samplers(run):
    """By mean and variance: several deviations of their error."""
    run("""
        n = 8000
        def moments(x, mean, variance):
            x = x.cpu().double().numpy()
            assert abs(x.mean() - mean) < 6 * np.sqrt(variance / n), (x.mean(), mean)
            assert abs(x.var() / variance - 1) < 0.15, (x.var(), variance)
            return x
        torch.manual_seed(3)
        full = lambda v, dtype=torch.float32: torch.full((n,), v, device=cuda, dtype=dtype)
        for rate in (0.5, 6.0, 40.0):
            x = moments(torch.poisson(full(rate)), rate, rate)
            assert (x == np.floor(x)).all()
        for count, p in ((10.0, 0.3), (100.0, 0.4), (30.0, 0.9)):
            x = moments(torch.binomial(full(count), full(p)), count * p, count * p * (1 - p))
            assert ((x >= 0) & (x <= count)).all()
        for shape in (0.3, 4.0):
            moments(torch._standard_gamma(full(shape, torch.float64)), shape, shape)
        nan = torch.tensor([float("nan"), -5.0]).cuda()
        assert torch._standard_gamma(nan).isnan().tolist()[0] and torch.poisson(nan).isnan().tolist()[0]
        x = torch._sample_dirichlet(torch.tensor([[1.0, 2.0, 3.0]] * 1500).cuda()).cpu()
        assert torch.allclose(x.sum(1), torch.ones(1500), atol=1e-5)
        assert (x.mean(0) - torch.tensor([1, 2, 3]) / 6).abs().max() < 0.04
        # calls do not share numbers, and the same seed gives them again
        torch.manual_seed(3)
        a, b = torch.poisson(full(6.0)).cpu(), torch.poisson(full(6.0)).cpu()
        torch.manual_seed(3)
        assert equal(torch.poisson(full(6.0)).cpu(), a) and abs(np.corrcoef(a, b)[0, 1]) < 0.05
    """)


def test_multinomial_with_replacement(run):
    run("""
        weights = torch.tensor([[1.0, 0, 3, 0], [0, 5, 0, 0], [0, 0, 1, 1]])
        torch.manual_seed(8)
        x = torch.multinomial(weights.cuda(), 1000, replacement=True)
        assert x.shape == (3, 1000) and x.dtype is torch.int64
        cumulative = np.cumsum(weights.numpy(), 1)
        for row in range(3):
            u = philox.units(philox.draw(8, row * 1024 + np.arange(1000), 0))[0]
            expected = [int(np.searchsorted(cumulative[row], v * cumulative[row, -1])) for v in u]
            assert x[row].tolist() == expected
        large = torch.multinomial(torch.ones(700, device=cuda, dtype=torch.float64), 5000, replacement=True).cpu()
        assert large.min() >= 0 and large.max() < 700 and len(set(large.tolist())) > 650
        fails(lambda: torch.multinomial(torch.tensor([1.0, -1.0]).cuda(), 2, replacement=True), "< 0")
        fails(lambda: torch.multinomial(torch.tensor([1.0, float("inf")]).cuda(), 2, replacement=True), "infinity")
        fails(lambda: torch.multinomial(torch.zeros(2, device=cuda), 2, replacement=True), "sum of probabilities <= 0")
        fails(lambda: torch.multinomial(torch.tensor([1.0, float("nan")]).cuda(), 1),
              "probability tensor contains either `inf`, `nan` or element < 0")
    """)
