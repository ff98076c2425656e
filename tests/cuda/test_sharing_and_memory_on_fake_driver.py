"""Memory shared with other libraries (DLPack, `__cuda_array_interface__`), and what is told of memory,
against the driver of these tests."""

import collections

import pytest

FAKE = """
        fake = ctypes.CDLL(os.environ["FAKE"])
        fake.fake_hold.argtypes = [ctypes.c_void_p]
        def refused(kind, text, call):
            try:
                call()
            except kind as error:
                assert text in str(error), error
            else:
                raise AssertionError("nothing was raised")
"""


def test_dlpack(run):
    run(
        FAKE
        + """
        x = torch.arange(6.0).reshape(2, 3).cuda()
        assert x.__dlpack_device__() == (2, 0)
        y = torch.from_dlpack(x)
        assert y.is_cuda and y.data_ptr() == x.data_ptr() and y.shape == x.shape
        y[0, 0] = 7
        assert x[0, 0].item() == 7
        t = torch.from_dlpack(x.t())
        assert t.stride() == (1, 3) and t.tolist() == x.t().tolist()
        other = torch.from_dlpack(torch.ones(2, device="cuda:1"))
        assert other.device == torch.device("cuda:1")
        for dtype in (torch.bool, torch.int8, torch.bfloat16, torch.float16, torch.complex64):
            z = torch.ones(3, device="cuda").to(dtype)
            assert torch.from_dlpack(z).dtype == dtype
        assert torch.from_dlpack(x, device="cpu").device.type == "cpu"
        assert torch.from_dlpack(x, copy=True).data_ptr() != x.data_ptr()
        import gc
        before = torch.cuda.memory_allocated()
        del y, t, z
        gc.collect()
        address = x.data_ptr()
        view = torch.from_dlpack(x)
        del x
        assert view.data_ptr() == address and view[1].tolist() == [3, 4, 5]  # it keeps the memory
        del view
        gc.collect()
        assert torch.cuda.memory_allocated() < before
        refused(BufferError, "require gradient",
                lambda: torch.ones(2, device="cuda", requires_grad=True).__dlpack__())
    """
    )


def test_dlpack_orders_streams(run):
    run(
        FAKE
        + """
        cuda = torch.cuda
        mine, theirs = cuda.Stream(), cuda.Stream()
        x = torch.ones(3, device="cuda")
        def waits(stream, watched):
            with cuda.stream(mine):
                fake.fake_hold(mine.cuda_stream)
                x.__dlpack__(stream=stream)
                held = not watched.query()
                fake.fake_proceed()
            return held
        assert waits(theirs.cuda_stream, theirs) and waits(None, cuda.default_stream())
        assert waits(1, cuda.default_stream())
        assert not waits(-1, theirs) and not waits(-1, cuda.default_stream())
        refused(BufferError, "per-thread default stream is not supported.", lambda: x.__dlpack__(stream=2))
        refused(BufferError, "unsupported stream", lambda: x.__dlpack__(stream=0))
        refused(TypeError, "stream must be ``int`` or ``none``", lambda: x.__dlpack__(stream="a"))
        class Producer:
            def __dlpack_device__(self):
                return x.__dlpack_device__()
            def __dlpack__(self, *, stream=None, max_version=None):
                self.stream = stream
                return x.__dlpack__(stream=stream)
        producer = Producer()
        torch.from_dlpack(producer)
        assert producer.stream == 1
        with cuda.stream(theirs):
            torch.from_dlpack(producer)
        assert producer.stream == theirs.cuda_stream
    """
    )


def test_cuda_array_interface(run):
    run(
        FAKE
        + """
        x = torch.arange(6.0).reshape(2, 3).cuda()
        about = x.__cuda_array_interface__
        assert about == {"typestr": "<f4", "shape": (2, 3), "strides": None, "version": 3,
                         "data": (x.data_ptr(), False), "stream": 1}, about
        assert x.t().__cuda_array_interface__["strides"] == (4, 12)
        assert torch.empty(0, device="cuda").__cuda_array_interface__["data"] == (0, False)
        class Array:
            def __init__(self, **about):
                self.__cuda_array_interface__ = about
        side = torch.cuda.Stream()
        array = Array(**x.t().__cuda_array_interface__)
        y = torch.as_tensor(array)
        assert y.data_ptr() == x.data_ptr() and y.stride() == (1, 3) and y.is_cuda
        y[2, 1] = 50
        assert x[1, 2].item() == 50
        assert torch.as_tensor(array, dtype=torch.float64).dtype == torch.float64
        copied = torch.tensor(array)
        assert copied.is_cuda and copied.data_ptr() != x.data_ptr() and copied.tolist() == x.t().tolist()
        fake.fake_hold(side.cuda_stream)
        torch.as_tensor(Array(**{**x.__cuda_array_interface__, "stream": side.cuda_stream}))
        assert not torch.cuda.current_stream().query()  # what the other stream does comes first
        fake.fake_proceed()
        other = torch.ones(2, device="cuda:1")
        assert torch.as_tensor(Array(**other.__cuda_array_interface__)).device == other.device
        refused(AttributeError, "Can't get __cuda_array_interface__ on non-CUDA tensor type: torch.FloatTensor",
                lambda: torch.ones(2).__cuda_array_interface__)
        refused(RuntimeError, "Can't get __cuda_array_interface__ on Variable that requires grad.",
                lambda: x.requires_grad_().__cuda_array_interface__)
        refused(TypeError, "<U4", lambda: torch.as_tensor(Array(**{**about, "typestr": "<U4"})))
        refused(ValueError, "negative", lambda: torch.as_tensor(Array(**{**about, "strides": (-12, 4)})))
        assert not hasattr(torch.ones(2), "__cuda_array_interface__")
    """
    )


STATISTICS = """
        import json
        kept = [torch.empty(n, dtype=torch.uint8, device="cuda") for n in (5, 5000, 3 << 20, 30 << 20)]
        gone = torch.empty(12 << 20, dtype=torch.uint8, device="cuda")
        del gone
        print(json.dumps([dict(torch.cuda.memory_stats()), torch.cuda.memory_summary(),
                          torch.cuda.memory_summary(abbreviated=True)]))
"""


def test_the_summary_is_pytorchs(run, monkeypatch):
    """PyTorch's own function, given our statistics, writes the same table."""
    torch = pytest.importorskip("torch")
    import json

    stats, whole, short = json.loads(run(STATISTICS).stdout)
    keys = {
        f"{kind}.{pool}.{part}"
        for kind in ("allocation", "segment", "active", "inactive_split", "allocated_bytes",
                     "reserved_bytes", "active_bytes", "inactive_split_bytes", "requested_bytes")
        for pool in ("all", "large_pool", "small_pool")
        for part in ("current", "peak", "allocated", "freed")
    }  # fmt: skip
    keys |= {"num_alloc_retries", "num_ooms", "max_split_size", "num_sync_all_streams"}
    keys |= {"oversize_allocations.current", "oversize_segments.peak", "num_device_alloc"}
    assert keys <= set(stats)
    for large in (1, 1 << 20, 1 << 30, 10**13):
        stats["num_ooms"] = stats["num_alloc_retries"] = large // 1000
        grown = collections.OrderedDict((k, v * large if v > 0 else v) for k, v in stats.items())
        monkeypatch.setattr(torch.cuda.memory, "memory_stats", lambda device=None, s=grown: s)
        import lampas.cuda._memory as ours

        monkeypatch.setattr(ours, "memory_stats", lambda device=None, s=grown: s)
        monkeypatch.setattr(ours, "index_of", lambda device=None: 0)
        for abbreviated in (False, True):
            expected = torch.cuda.memory_summary(0, abbreviated)
            assert ours.memory_summary(0, abbreviated) == expected
            if large == 1:  # nothing failed yet
                assert (short if abbreviated else whole) == expected


def test_options_of_the_environment(run):
    source = (
        FAKE
        + """
        MB = 1 << 20
        large = torch.empty(60 * MB, dtype=torch.uint8, device="cuda")
        address = large.data_ptr()
        del large
        small = torch.empty(4 * MB, dtype=torch.uint8, device="cuda")
        cut = small.data_ptr() == address
        stats = torch.cuda.memory_stats()
        assert cut == (stats["max_split_size"] == -1), stats["max_split_size"]
        if not cut:
            assert stats["max_split_size"] == 40 * MB and stats["oversize_segments.current"] == 1
            again = torch.empty(50 * MB, dtype=torch.uint8, device="cuda")
            assert again.data_ptr() == address  # whole
    """
    )
    run(source)
    run(source, PYTORCH_CUDA_ALLOC_CONF="max_split_size_mb:40")
    run(source, PYTORCH_ALLOC_CONF="max_split_size_mb: 40, expandable_segments:False")
    done = run(source, check=False, PYTORCH_ALLOC_CONF="expandable_segments:True")
    assert "expandable_segments has no effect in Lampas" in done.stderr
    done = run(source, check=False, PYTORCH_ALLOC_CONF="nonsense:1")
    assert "Unrecognized CachingAllocator option: nonsense" in done.stderr
    done = run(source, check=False, PYTORCH_ALLOC_CONF="max_split_size_mb:4")
    assert "max_split_size_mb too small, must be > 20" in done.stderr
    done = run(
        "torch.ones(200 << 18, device='cuda')",
        check=False,
        PYTORCH_ALLOC_CONF="per_process_memory_fraction:0.5",
    )
    assert "128.00 MiB allowed" in done.stderr
    run("""
        assert torch._core._cuda_parse_options("roundup_power2_divisions:[256:1,512:2],backend:native") == "roundup_power2_divisions"
    """)


def test_snapshots(run):
    run(
        FAKE
        + """
        x = torch.empty(1000, dtype=torch.uint8, device="cuda")
        y = torch.empty(3 << 20, dtype=torch.uint8, device="cuda")
        small, large = sorted(torch.cuda.memory_snapshot(), key=lambda s: s["total_size"])
        assert small["segment_type"] == "small" and large["segment_type"] == "large"
        assert [b["state"] for b in small["blocks"]] == ["active_allocated", "inactive"]
        assert small["blocks"][0]["requested_size"] == 1000 and small["blocks"][0]["size"] == 1024
        assert small["address"] == x.data_ptr() and small["allocated_size"] == 1024
        assert large["total_size"] == 20 << 20 and large["active_size"] == 3 << 20
        side = torch.cuda.Stream()
        x.record_stream(side)
        fake.fake_hold(side.cuda_stream)
        del x
        states = [b["state"] for s in torch.cuda.memory_snapshot() for b in s["blocks"]]
        assert "active_awaiting_free" in states
        torch.cuda.set_per_process_memory_fraction(0.25)
        assert torch.cuda.get_per_process_memory_fraction() == 0.25
        assert torch.cuda.memory.memory_allocated() == torch.cuda.memory_allocated()
        refused(NotImplementedError, "caching_allocator_enable", lambda: torch.cuda.caching_allocator_enable(False))
    """
    )


def test_what_is_known_of_a_device(run):
    run(
        FAKE
        + """
        cuda = torch.cuda
        p = cuda.get_device_properties(1)
        assert (p.name, p.major, p.minor, p.total_memory) == ("Fake GPU 1", 9, 0, 256 << 20)
        assert repr(p).startswith("_CudaDeviceProperties(name='Fake GPU 1', major=9, minor=0, total_memory=256MB")
        assert p.warp_size == 32 and p.multi_processor_count == 4
        assert cuda.can_device_access_peer(0, 1) and not cuda.can_device_access_peer(0, 0)
        refused(AssertionError, "Invalid device id", lambda: cuda.can_device_access_peer(7, 0))
        assert cuda.get_arch_list() == ["sm_90"] and "sm_90" in cuda.get_gencode_flags()
        for ask in (cuda.utilization, cuda.temperature, cuda.power_draw, cuda.clock_rate, cuda.memory_usage):
            refused(ModuleNotFoundError, "nvidia-ml-py does not seem to be installed", ask)
        with cuda.nvtx.range("step {}", 3):
            assert cuda.nvtx.range_push("a") in (-1, 1) and cuda.nvtx.range_pop() in (-1, 1)
            cuda.nvtx.mark("b")
        with cuda.profiler.profile():
            torch.ones(2, device="cuda") + 1
    """
    )


MIXED = """
        warnings.simplefilter("ignore")
        nn, F = torch.nn, torch.nn.functional
        x = torch.randn(2, 3).cuda()
        def raised(call):
            try:
                call()
            except Exception as error:
                return error
            raise AssertionError("nothing was raised")
"""


def test_mixed_devices_name_the_module(run):
    run(
        MIXED
        + """
        host = torch.ones(2, 3)
        tokens = torch.tensor([1])
        image = torch.ones(1, 1, 4, 4)
        cases = [
            (nn.Sequential(nn.Identity(), nn.Linear(3, 2)), x, "1 (Linear(in_features=3"),
            (nn.Sequential(nn.Linear(3, 2).cuda()), host, "0 (Linear(in_features=3"),
            (nn.Sequential(nn.Embedding(3, 2).cuda()), tokens, "0 (Embedding(3, 2))"),
            (nn.Sequential(nn.Embedding(3, 2)), tokens.cuda(), "0 (Embedding(3, 2))"),
            (nn.Sequential(nn.Conv2d(1, 1, 1).cuda()), image, "0 (Conv2d(1, 1"),
            (nn.Sequential(nn.Sequential(nn.BatchNorm1d(3))), x, "0.0 (BatchNorm1d(3"),
            (nn.Sequential(nn.LayerNorm(3)), x, "0 (LayerNorm((3,)"),
            (nn.Sequential(nn.GRU(3, 2)), x[None], "0 (GRU(3, 2)"),
            (nn.Sequential(nn.PReLU()), x, None),  # one number may come from the host
        ]
        for model, given, place in cases:
            if place is None:
                continue
            error = raised(lambda: model(given))
            assert type(error) is RuntimeError, error
            assert str(error) == ("Expected all tensors to be on the same device, but found at least two "
                                  f"devices, {'cuda:0 and cpu' if 'cuda:0 and' in str(error) else 'cpu and cuda:0'}!"), error
            note, = error.__notes__
            assert note.startswith("hint: " + place) and "model.to(device) once" in note, note
        for call in (lambda: x + host, lambda: torch.cat([x, host]), lambda: x @ host.t(), lambda: x.mul_(host),
                     lambda: F.mse_loss(x, host), lambda: F.cross_entropy(x, torch.tensor([0, 1])),
                     lambda: torch.where(x > 0, x, host), lambda: x.addmm(x, host.t() @ host)):
            error = raised(call)
            assert str(error).startswith("Expected all tensors to be on the same device"), error
            assert "model.to(device) once" in error.__notes__[0]
        error = raised(lambda: x + torch.ones(2, 3, device="cuda:1"))
        assert "cuda:0 and cuda:1" in str(error)
    """
    )


def test_a_kernel_that_fails_names_operator_and_module(run):
    run(
        MIXED
        + """
        fake = ctypes.CDLL(os.environ["FAKE"])
        class Block(nn.Module):
            def forward(self, x):
                fake.fake_fail_next_launch(719)
                return torch.exp(x)
        model = nn.Sequential(nn.Identity(), nn.ModuleDict({"deep": Block()})["deep"])
        error = raised(lambda: model(x))
        assert type(error) is torch.AcceleratorError
        text = str(error)
        assert text.startswith("CUDA error: unspecified launch failure\\nin exp\\nSearch for `CUDA_ERROR_LAUNCH_FAILED'")
        assert "For debugging consider passing CUDA_LAUNCH_BLOCKING=1" in text
        assert error.__notes__ == ["hint: raised in 1 (Block())"], error.__notes__
    """
    )
