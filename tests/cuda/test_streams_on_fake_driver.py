"""Page-locked memory, copies that do not wait, and streams, against the driver of these tests."""

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


def test_page_locked_memory(run):
    run(
        FAKE
        + """
        x = torch.arange(6.0).reshape(2, 3)
        assert not x.is_pinned() and not torch.ones(2, device="cuda").is_pinned()
        p = x.pin_memory()
        assert p.is_pinned() and p.pin_memory() is p and torch.equal(p, x) and not x.is_pinned()
        assert p[1].is_pinned() and p.untyped_storage().is_pinned()
        assert x.t().pin_memory().stride() == x.t().stride()
        for made in (torch.empty(3, pin_memory=True), torch.zeros(2, 3, pin_memory=True),
                     torch.rand(4, pin_memory=True), torch.arange(4, pin_memory=True),
                     torch.tensor([1, 2], pin_memory=True), torch.full((2,), 7, pin_memory=True),
                     x.new_ones(3, pin_memory=True), torch.ones_like(x, pin_memory=True)):
            assert made.is_pinned(), made
        assert torch.full((2,), 7, pin_memory=True).tolist() == [7, 7]
        assert torch.ones(2, requires_grad=True, pin_memory=True).requires_grad
        refused(RuntimeError, "Only dense CPU tensors can be pinned",
                lambda: torch.ones(2, device="cuda", pin_memory=True))
        refused(RuntimeError, "only dense CPU tensors can be pinned",
                lambda: torch.ones(2, device="cuda").pin_memory())
        p.resize_(100)
        assert p.is_pinned() and p[:6].tolist() == [0, 1, 2, 3, 4, 5]
        w = torch.ones(2, requires_grad=True)
        (w.pin_memory() * 3).sum().backward()
        assert w.grad.tolist() == [3, 3]
        # given back, kept, and handed out again
        address = p.data_ptr()
        del made, p
        assert torch.empty(100, pin_memory=True).data_ptr() == address
        stats = torch.cuda.host_memory_stats()
        assert stats["active_requests.current"] == 0 < stats["allocations.current"]
        assert fake.fake_pinned() == stats["allocations.current"]
        torch.cuda.empty_cache()
        assert fake.fake_pinned() == 0
    """
    )


def test_page_locked_memory_without_a_device(run):
    run(
        FAKE
        + """
        text = ("pin_memory=True requires a CUDA or other accelerator backend; no pinned memory allocator is "
                "available on this system.")
        for make in (torch.empty, torch.zeros, torch.rand, torch.arange):
            refused(RuntimeError, text, lambda: make(2, pin_memory=True))
        refused(RuntimeError, text, lambda: torch.tensor([1.0], pin_memory=True))
        refused(RuntimeError, "Cannot access accelerator device when none is available.",
                lambda: torch.ones(2).pin_memory())
        assert not torch.ones(2).is_pinned()
    """,
        FAKE_CUDA_DEVICES="0",
    )


def test_copies_that_do_not_wait(run):
    run(
        FAKE
        + """
        n = 1 << 19  # of 4 bytes: more than what is staged
        torch.zeros(n, device="cuda").fill_(1)
        def waits(f):
            before = fake.fake_waits()
            f()
            return fake.fake_waits() - before
        pinned, plain = torch.rand(n).pin_memory(), torch.rand(n)
        results = []
        assert waits(lambda: results.append(pinned.cuda(non_blocking=True))) == 0
        assert torch.equal(results[0].cpu(), pinned)
        assert waits(lambda: plain.cuda()) == 1 and waits(lambda: pinned.cuda()) == 1
        assert waits(lambda: plain.cuda(non_blocking=True)) == 0  # the driver has taken it
        assert waits(lambda: torch.tensor([1.0, 2.0]).cuda()) == 0  # through memory of ours
        y = results[0]
        assert waits(lambda: results.append(y.to("cpu", non_blocking=True))) == 0
        assert results[1].is_pinned() and torch.equal(results[1], pinned)
        assert waits(lambda: pinned.copy_(y, non_blocking=True)) == 0
        assert waits(lambda: plain.copy_(y, non_blocking=True)) == 1
        assert waits(lambda: y.cpu()) == 1 and not y.cpu().is_pinned()
        # the host makes a copy of its own on the way: it must not be given up too early
        for dtype in (torch.float64, torch.int32):
            assert torch.equal(pinned.to("cuda", dtype, non_blocking=True).cpu(), pinned.to(dtype))
            assert torch.equal(y.to("cpu", dtype, non_blocking=True), y.cpu().to(dtype))
        wide = torch.zeros(n, 2).pin_memory()
        wide[:, 0].copy_(y, non_blocking=True)
        assert torch.equal(wide[:, 0], y.cpu()) and wide[:, 1].sum() == 0
        assert torch.equal(wide[:, 0].to("cuda", non_blocking=True).cpu(), y.cpu())
        module = torch.nn.Linear(2, 2).to("cuda", non_blocking=True)
        assert module.weight.is_cuda
    """
    )


def test_a_device_that_reads_pageable_memory_by_itself(run):
    run(
        FAKE
        + """
        x = torch.rand(1 << 19)
        x.cuda()
        before = fake.fake_waits()
        x.cuda(non_blocking=True)
        assert fake.fake_waits() == before + 1
    """,
        FAKE_CUDA_PAGEABLE="1",
    )


def test_page_locked_memory_waits_for_its_copies(run):
    run(
        FAKE
        + """
        stream = torch.cuda.Stream()
        p = torch.ones(1 << 19, pin_memory=True)
        address = p.data_ptr()
        with torch.cuda.stream(stream):
            fake.fake_hold(stream.cuda_stream)
            y = p.cuda(non_blocking=True)
        del p
        assert torch.empty(1 << 19, pin_memory=True).data_ptr() != address
        fake.fake_proceed()
        assert address in {torch.empty(1 << 19, pin_memory=True).data_ptr() for _ in range(1)} | {
            t.data_ptr() for t in [torch.empty(1 << 19, pin_memory=True) for _ in range(2)]}
        # many small ones on the way at once: each has memory of its own
        with torch.cuda.stream(stream):
            fake.fake_hold(stream.cuda_stream)
            many = [torch.full((5,), i).cuda() for i in range(50)]
        assert torch.cuda.host_memory_stats()["allocations.current"] >= 50
        assert [m[0].item() for m in many] == list(range(50))
    """
    )


def test_a_loader_that_pins(run):
    run(
        FAKE
        + """
        data = torch.utils.data.TensorDataset(torch.arange(10.0), torch.arange(10))
        for workers in (0, 2):
            loader = torch.utils.data.DataLoader(data, batch_size=4, pin_memory=True, num_workers=workers)
            seen = []
            for x, y in loader:
                assert x.is_pinned() and y.is_pinned()
                seen += x.cuda(non_blocking=True).tolist()
            assert seen == list(range(10))
        from collections import namedtuple
        Pair = namedtuple("Pair", "a b")
        class Words(torch.utils.data.Dataset):
            def __len__(self):
                return 2
            def __getitem__(self, i):
                return {"x": Pair(torch.ones(2), "text"), "n": i}
        batch, = torch.utils.data.DataLoader(Words(), batch_size=2, pin_memory=True)
        assert batch["x"].a.is_pinned() and batch["x"].b == ["text"] * 2 and batch["n"].is_pinned()
    """
    )


def test_streams_of_all_kinds(run):
    run(
        FAKE
        + """
        cuda = torch.cuda
        first, urgent = cuda.Stream(), cuda.Stream(priority=-2)
        assert first.priority == 0 and urgent.priority == -2
        assert cuda.Stream.priority_range() == (0, -3)
        same = cuda.ExternalStream(first.cuda_stream)
        assert same == first and isinstance(same, cuda.Stream) and hash(same) == hash(first)
        assert cuda.get_stream_from_external(first.cuda_stream, "cuda:0") == first
        assert repr(cuda.default_stream()) == "<torch.cuda.Stream device=cuda:0 cuda_stream=0x0>"
        with first as entered:
            assert entered is first and cuda.current_stream() == first
            with cuda.stream(urgent), cuda.stream(None):
                assert cuda.current_stream() == urgent
            assert cuda.current_stream() == first
        assert cuda.current_stream() == cuda.default_stream()
        other = cuda.Stream(device=1)
        with cuda.stream(other):
            assert cuda.current_device() == 1 and torch.ones(1, device="cuda").device.index == 1
        assert cuda.current_device() == 0 and cuda.current_stream(1) == cuda.default_stream(1)
        event = cuda.Event()
        assert repr(event) == "<torch.cuda.Event uninitialized>" and event.device is None
        event.record(first)
        assert event.device == torch.device("cuda:0") and event.cuda_event
        refused(RuntimeError, "Event device 0 does not match recording stream's device 1.",
                lambda: event.record(other))
        with cuda.device_of(torch.ones(1, device="cuda:1")):
            assert cuda.current_device() == 1
        with cuda.device_of(torch.ones(1)), cuda.device(-1), cuda.device(None):
            assert cuda.current_device() == 0
        fake.fake_hold(first.cuda_stream)
        urgent.wait_stream(first)
        assert not urgent.query() and not first.query()
        urgent.synchronize()
        assert urgent.query()
        refused(NotImplementedError, "interprocess", lambda: cuda.Event(interprocess=True))
    """
    )


def test_backward_on_the_streams_of_forward(run):
    """Each node's kernels go where its forward went; afterwards the caller's stream waits for all."""
    run(
        FAKE
        + """
        side = torch.cuda.Stream()
        seen = []
        class Watch(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                seen.append(torch.cuda.current_stream())
                return g * 2
        x = torch.ones(3, device="cuda", requires_grad=True)
        a = Watch.apply(x)
        with torch.cuda.stream(side):
            side.wait_stream(torch.cuda.default_stream())
            b = Watch.apply(a)
        torch.cuda.current_stream().wait_stream(side)
        c = Watch.apply(b)
        c.backward(torch.ones(3, device="cuda"))
        default = torch.cuda.default_stream()
        assert seen == [default, side, default], seen
        assert torch.cuda.current_stream() == default and x.grad.tolist() == [8, 8, 8]
        del seen[:]
        with torch.cuda.stream(side):
            y = Watch.apply(x)
        fake.fake_hold(default.cuda_stream)
        y.backward(torch.ones(3, device="cuda"))
        assert seen == [side] and not side.query()  # it waited for the caller's stream
        fake.fake_proceed()
    """
    )
