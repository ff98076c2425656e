"""Mixed precision on a GPU: what autocast does to operators, and the gradient scaler."""


def test_autocast(run):
    run("""
        warnings.simplefilter("ignore")  # products run on the host where they have no kernel
        x, w = torch.ones(3, 4, device="cuda"), torch.ones(4, 4, device="cuda")
        assert torch.get_autocast_dtype("cuda") is torch.float16 and not torch.is_autocast_enabled()
        with torch.autocast("cuda"):
            assert torch.is_autocast_enabled() and torch.is_autocast_enabled("cuda")
            assert not torch.is_autocast_enabled("cpu")
            y = x @ w
            assert y.dtype is torch.float16 and (x + w[:3]).dtype is torch.float32
            for z in (y.exp(), torch.exp(y), y ** 2, 2 ** y, 1 / y, y.sum(), y.softmax(1), y.log(), y.pow(2)):
                assert z.dtype is torch.float32, z
            assert (y * 2).dtype is torch.float16 and torch.cat([y, x]).dtype is torch.float32
            assert (x.double() @ w.double()).dtype is torch.float64
            # the CPU is not concerned
            assert (x.cpu() @ w.cpu()).dtype is torch.float32
            with torch.autocast("cuda", enabled=False):
                assert (x @ w).dtype is torch.float32
            with torch.autocast("cuda", dtype=torch.bfloat16), torch.autocast("cpu"):
                assert (x @ w).dtype is torch.bfloat16 and (x.cpu() @ w.cpu()).dtype is torch.bfloat16
                assert torch.get_autocast_dtype("cuda") is torch.float16
        assert not torch.is_autocast_enabled() and (x @ w).dtype is torch.float32
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            torch.autocast("cuda", dtype=torch.float64)
        assert "In CUDA autocast, but the target dtype is not supported. Disabling" in str(seen[0].message)
        layer = torch.nn.Linear(4, 4).cuda()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.mse_loss(layer(x), w[:3])
        assert loss.dtype is torch.float32
        loss.backward()
        assert layer.weight.grad.dtype is torch.float32 and layer.weight.grad.is_cuda
        class Double(torch.autograd.Function):
            @staticmethod
            @torch.amp.custom_fwd(device_type="cuda", cast_inputs=torch.float32)
            def forward(ctx, x):
                assert not torch.is_autocast_enabled() and x.dtype is torch.float32
                return x * 2
            @staticmethod
            @torch.amp.custom_bwd(device_type="cuda")
            def backward(ctx, g):
                return g * 2
        with torch.autocast("cuda"):
            Double.apply(x.half().requires_grad_()).sum()
        with torch.cuda.amp.autocast():
            assert (x @ w).dtype is torch.float16
    """)


def test_the_scaler(run):
    """Against the CPU's, with an infinite gradient on the way; a fused step asks the device nothing."""
    run("""
        fake = ctypes.CDLL(os.environ["FAKE"])
        def trained(device, **options):
            scaler = torch.amp.GradScaler(device, init_scale=8.0, growth_interval=2)
            p = torch.ones(5, device=device, requires_grad=True)
            optimizer = torch.optim.Adam([p], 0.1, **options)
            seen = []
            for factor in (1, 2, float("inf"), 3, 4, 5):
                scaled = scaler.scale(torch.ones(5, device=device))
                assert scaled.device == p.device
                p.grad = scaled * factor
                if factor == 4:
                    scaler.unscale_(optimizer)
                    assert p.grad.tolist() == [4] * 5
                copies = fake.fake_copies()
                scaler.step(optimizer)
                scaler.update()
                copies = fake.fake_copies() - copies
                seen.append(copies)
                assert scaler.get_scale() == {1: 8, 2: 16, 3: 8, 4: 16, 5: 16}.get(factor, 8), factor
            return p.detach().cpu(), seen, scaler.state_dict()
        on_cpu, _, state = trained("cpu")
        on_cuda, copies, other = trained("cuda")
        assert torch.allclose(on_cpu, on_cuda) and state == other
        assert set(copies) == {1}, copies
        fused, copies, other = trained("cuda", fused=True)
        assert torch.allclose(on_cpu, fused) and state == other
        assert set(copies[1:]) == {0}, copies
    """)
