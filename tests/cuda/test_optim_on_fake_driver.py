"""Optimizers on a GPU: steps over lists of parameters against the CPU's, norms and scaling of gradients."""

import pytest

HEAD = """
def models(dtype, sizes=((3, 5), (5,), (), (2, 0), (700,)), steps=3, seed=0):
    '''Parameters on the CPU and the GPU, and gradients for some steps.'''
    torch.manual_seed(seed)
    start = [torch.randn(s, dtype=torch.float64).to(dtype) for s in sizes]
    grads = [[torch.randn(s, dtype=torch.float64).to(dtype) for s in sizes] for _ in range(steps)]
    return {d: [p.to(d, copy=True).requires_grad_() for p in start] for d in ("cpu", "cuda")}, grads
def trained(make, dtype=torch.float32, **given):
    params, grads = models(dtype, **given)
    for device, ps in params.items():
        optimizer = make(ps)
        for step in grads:
            for p, g in zip(ps, step):
                p.grad = g.to(device)
            optimizer.step()
        last = optimizer
    return params, last
def close(params, tolerance):
    for ours, theirs in zip(params["cuda"], params["cpu"]):
        assert ours.is_cuda
        assert torch.allclose(ours.detach().cpu(), theirs.detach(), rtol=tolerance, atol=tolerance), (ours, theirs)
fake = ctypes.CDLL(os.environ["FAKE"])
"""


@pytest.fixture
def run(run):
    import textwrap

    return lambda source, **given: run(HEAD + textwrap.dedent(source), **given)


def test_every_optimizer(run):
    run("""
        o = torch.optim
        for make in (
            lambda p: o.SGD(p, 0.1), lambda p: o.SGD(p, 0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
            lambda p: o.SGD(p, 0.1, momentum=0.9, dampening=0.1, maximize=True),
            lambda p: o.Adam(p, 0.1), lambda p: o.Adam(p, 0.1, amsgrad=True, weight_decay=0.1),
            lambda p: o.AdamW(p, 0.1, maximize=True), lambda p: o.Adamax(p, 0.1), lambda p: o.NAdam(p, 0.1),
            lambda p: o.RAdam(p, 0.1), lambda p: o.RMSprop(p, 0.1), lambda p: o.RMSprop(p, 0.1, momentum=0.9),
            lambda p: o.RMSprop(p, 0.1, centered=True, momentum=0.5), lambda p: o.Adagrad(p, 0.1, lr_decay=0.1),
            lambda p: o.Adadelta(p, 0.1), lambda p: o.Rprop(p, 0.1), lambda p: o.ASGD(p, 0.1, t0=1),
        ):
            params, _ = trained(make)
            close(params, 1e-5)
        params, _ = trained(lambda p: o.Adam(p, 0.1), torch.float64)
        close(params, 1e-12)
        params, _ = trained(lambda p: o.RAdam(p, 0.1), steps=8)
        close(params, 1e-5)
    """)


def test_many_parameters_take_few_launches(run):
    run("""
        sizes = [(7,)] * 130 + [(5000,)]
        params, grads = models(torch.float32, sizes, steps=2)
        optimizer = torch.optim.Adam(params["cuda"], 0.1)
        other = torch.optim.Adam(params["cpu"], 0.1)
        for step in grads:
            for device, ps in params.items():
                for p, g in zip(ps, step):
                    p.grad = g.to(device)
            before = fake.fake_launches(), fake.fake_copies()
            optimizer.step()
            after = fake.fake_launches(), fake.fake_copies()
            other.step()
        assert (after[0] - before[0], after[1] - before[1]) == (3, 0), (before, after)
        close(params, 1e-5)
        # a parameter that joined later has another step count
        late = [torch.zeros(4, device=d, requires_grad=True) for d in ("cpu", "cuda")]
        for o, p in ((other, late[0]), (optimizer, late[1])):
            o.add_param_group({"params": [p]})
            p.grad = torch.ones_like(p)
            o.step()
        close({"cpu": [late[0], params["cpu"][0]], "cuda": [late[1], params["cuda"][0]]}, 1e-5)
        # memory that is not aligned
        base = torch.zeros(10, device="cuda")
        view = base[1:].detach().requires_grad_()
        view.grad = torch.arange(9.0).cuda()
        torch.optim.SGD([view], 1.0).step()
        assert base.tolist() == [0, *(-float(i) for i in range(9))]
    """)


def test_half_precision(run):
    run("""
        for dtype in (torch.float16, torch.bfloat16):
            params, _ = trained(lambda p: torch.optim.AdamW(p, 0.1), dtype, sizes=((33,), (4, 4)))
            close(params, 0.02)
    """)


def test_steps_counted_on_the_device(run):
    run("""
        def both(**options):
            params, grads = models(torch.float32)
            makers = {"cpu": torch.optim.Adam(params["cpu"], 0.1, weight_decay=0.1, amsgrad=True),
                      "cuda": torch.optim.Adam(params["cuda"], weight_decay=0.1, amsgrad=True, **options)}
            for i, step in enumerate(grads):
                for device, ps in params.items():
                    for p, g in zip(ps, step):
                        p.grad = g.to(device)
                    copies = fake.fake_copies()
                    makers[device].step()
                    assert device == "cpu" or i == 0 or fake.fake_copies() == copies
            close(params, 1e-5)
            states = makers["cuda"].state.values()
            assert all(s["step"].is_cuda and s["step"].item() == 3 for s in states)
        both(lr=0.1, fused=True)
        both(lr=0.1, capturable=True)
        both(lr=torch.tensor(0.1, device="cpu").cuda(), capturable=True)
        o = torch.optim
        for make in (lambda p, **k: o.Adamax(p, 0.1, **k), lambda p, **k: o.RAdam(p, 0.1, **k),
                     lambda p, **k: o.RMSprop(p, 0.1, **k), lambda p, **k: o.Adadelta(p, 0.1, **k),
                     lambda p, **k: o.Rprop(p, 0.1, **k), lambda p, **k: o.AdamW(p, 0.1, **k)):
            params, grads = models(torch.float32, steps=7)
            pair = {"cpu": make(params["cpu"]), "cuda": make(params["cuda"], capturable=True)}
            for i, step in enumerate(grads):
                for device, ps in params.items():
                    for p, g in zip(ps, step):
                        p.grad = g.to(device)
                    copies = fake.fake_copies()
                    pair[device].step()
                    assert device == "cpu" or i == 0 or fake.fake_copies() == copies
            close(params, 1e-5)
    """)


def test_scaled_gradients(run):
    """What GradScaler leaves for fused steps: gradients are divided, an infinity skips the step."""
    run("""
        for make in (lambda p, **k: torch.optim.Adam(p, 0.1, **k), lambda p, **k: torch.optim.SGD(p, 0.1, **k),
                     lambda p, **k: torch.optim.AdamW(p, 0.1, **k)):
            params, grads = models(torch.float32, steps=1)
            optimizers = {"cpu": make(params["cpu"]), "cuda": make(params["cuda"], fused=True)}
            assert optimizers["cuda"]._step_supports_amp_scaling
            for device, factor in (("cpu", 1), ("cuda", 8)):
                for p, g in zip(params[device], grads[0]):
                    p.grad = (g * factor).to(device)
            optimizers["cpu"].step()
            before = [p.detach().cpu() for p in params["cuda"]]
            o = optimizers["cuda"]
            o.grad_scale, o.found_inf = torch.tensor(8.0).cuda(), torch.tensor(1.0).cuda()
            o.step()
            assert all(torch.equal(a, b.detach().cpu()) for a, b in zip(before, params["cuda"]))
            o.found_inf = torch.tensor(0.0).cuda()
            o.step()
            close(params, 1e-5)
            assert torch.allclose(params["cuda"][0].grad.cpu(), grads[0][0])
    """)


def test_norms_and_clipping(run):
    run("""
        inf = float("inf")
        torch.manual_seed(0)
        for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12), (torch.float16, 2e-3)):
            host = [torch.randn(s, dtype=torch.float64).to(dtype) for s in ((4, 5), (3000,), ())] \\
                + [torch.ones(3, dtype=dtype)] * 200
            device = [x.cuda() for x in host]
            for p in (2.0,) if dtype != torch.float32 else (2.0, 1.0, 3.0, inf, -inf):
                if p == -inf:
                    host, device = host[:3], device[:3]
                expected = torch.nn.utils.get_total_norm([x.double() for x in host], p)
                before = fake.fake_launches()
                norm = torch.nn.utils.get_total_norm(device, p)
                assert norm.is_cuda and norm.dtype == dtype and fake.fake_launches() - before <= 3
                assert torch.allclose(norm.cpu().double(), expected, rtol=tolerance), (norm, expected, p)
        params = {d: [torch.zeros(s, device=d, requires_grad=True) for s in ((4, 5), (900,))] for d in ("cpu", "cuda")}
        for p, q in zip(params["cpu"], params["cuda"]):
            p.grad = torch.randn(p.shape)
            q.grad = p.grad.cuda()
        totals = [torch.nn.utils.clip_grad_norm_(ps, 1.5).cpu() for ps in params.values()]
        assert torch.allclose(*totals)
        for p, q in zip(params["cpu"], params["cuda"]):
            assert torch.allclose(p.grad, q.grad.cpu(), rtol=1e-5, atol=1e-7)
        params["cuda"][0].grad[0, 0] = float("nan")
        assert torch.nn.utils.get_total_norm([p.grad for p in params["cuda"]]).cpu().isnan()
    """)


def test_unscaling(run):
    run("""
        found, factor = torch.zeros(1).cuda(), torch.tensor([0.25]).cuda()
        grads = [torch.full((33,), 8.0).cuda(), torch.full((5,), 4.0).cuda().half()]
        torch._amp_foreach_non_finite_check_and_unscale_(grads, found, factor)
        assert grads[0].tolist() == [2] * 33 and grads[1].tolist() == [1] * 5 and found.tolist() == [0]
        for bad in (float("inf"), float("nan")):
            found = torch.zeros(1).cuda()
            grads[0][7] = bad
            torch._amp_foreach_non_finite_check_and_unscale_(grads, found, factor)
            assert found.tolist() == [1]
        for device in ("cpu", "cuda"):
            scale, good = torch.tensor([8.0]).to(device), torch.tensor([0], dtype=torch.int32).to(device)
            found = torch.zeros(1).to(device)
            seen = []
            for bad in (0, 0, 0, 1, 0, 0):
                found.fill_(bad)
                torch._amp_update_scale_(scale, good, found, 2.0, 0.5, 2)
                seen.append((scale.item(), good.item()))
            assert seen == [(8, 1), (16, 0), (16, 1), (8, 0), (8, 1), (16, 0)], seen
    """)
