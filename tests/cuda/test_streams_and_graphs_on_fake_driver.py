"""Page-locked memory, streams, and graphs, against the driver of these tests: what is captured is
noted by it and done when the graph is launched; what a real one forbids meanwhile it refuses."""

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


def test_a_graph_is_captured_and_replayed(run):
    run(
        FAKE
        + """
        x = torch.arange(4.0).cuda()
        (x * 2 + 1).sigmoid()  # kernels are compiled before
        graph = torch.cuda.CUDAGraph()
        refused(RuntimeError, "Called CUDAGraph::replay without a preceding successful capture.", graph.replay)
        refused(RuntimeError, "CUDA graphs must be captured on a non-default stream.", graph.capture_begin)
        assert not torch.cuda.is_current_stream_capturing()
        before = fake.fake_launches()
        with torch.cuda.graph(graph):
            assert torch.cuda.is_current_stream_capturing()
            y = (x * 2 + 1).sigmoid()
        assert fake.fake_launches() == before  # nothing was done yet
        for values in ([0, 1, 2, 3], [5, -1, 0.5, 2]):
            x.copy_(torch.tensor(values))
            graph.replay()
            assert torch.allclose(y.cpu(), (x.cpu() * 2 + 1).sigmoid())
        assert fake.fake_graph_launches() == 2 and fake.fake_launches() > before
        refused(RuntimeError, "This CUDAGraph instance already owns a captured graph.",
                lambda: torch.cuda.graph(graph).__enter__())
        graph.reset()
        refused(RuntimeError, "without a preceding successful capture", graph.replay)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            with torch.cuda.graph(graph):
                pass
        assert "The CUDA Graph is empty." in str(seen[0].message)
        # kernels may be compiled and memory asked for during a capture
        graph = torch.cuda.CUDAGraph(keep_graph=True)
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            z = (torch.zeros(3 << 20, device="cuda") + 3).tanh()
        graph.replay()
        assert torch.allclose(z[:3].cpu(), torch.tensor(3.0).tanh())
        graph.debug_dump(os.environ["FAKE_CUDA_FOLDER"] + "/graph.dot")
        assert "digraph" in open(os.environ["FAKE_CUDA_FOLDER"] + "/graph.dot").read()
        refused(RuntimeError, "Unknown capture error mode", lambda: graph.capture_begin(capture_error_mode="no"))
    """
    )


def test_what_waits_ends_a_capture(run):
    run(
        FAKE
        + """
        x = torch.ones(3, device="cuda")
        x + 1
        for act in (lambda: x.tolist(), lambda: x.cpu(), lambda: torch.cuda.synchronize(),
                    lambda: torch.cuda.current_stream().synchronize(), lambda: x.sum().item()):
            graph = torch.cuda.CUDAGraph()
            try:
                with warnings.catch_warnings(), torch.cuda.graph(graph):
                    warnings.simplefilter("ignore")
                    x + 1
                    act()
            except torch.AcceleratorError as error:
                first = error.__context__
                assert str(first).startswith("CUDA error: operation not permitted when stream is capturing"), first
                assert str(error).startswith("CUDA error: operation failed due to a previous error during capture")
            else:
                raise AssertionError
            assert not torch.cuda.is_current_stream_capturing()
            assert (x + 1).tolist() == [2, 2, 2]  # all is well again
        torch.cuda.empty_cache()
    """
    )


def test_memory_of_graphs(run):
    run(
        FAKE
        + """
        MB = 1 << 20
        torch.zeros(4, device="cuda") + 1
        torch.cuda.empty_cache()
        outside = torch.zeros(4, device="cuda")
        base = torch.cuda.memory_reserved()
        graph, second = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            a = torch.zeros(3 * MB, device="cuda")
            b = a + 1
            inner = a.data_ptr()
            del a                       # free for the graph, for nobody else
            c = torch.zeros(3 * MB, device="cuda")
            assert c.data_ptr() == inner
        del c
        again = torch.zeros(3 * MB, device="cuda")
        assert again.data_ptr() != inner
        with torch.cuda.graph(second, pool=graph.pool()):
            d = torch.zeros(3 * MB, device="cuda")
            assert d.data_ptr() == inner and second.pool() == graph.pool()
        assert len({tuple(s["segment_pool_id"]) for s in torch.cuda.memory_snapshot()}) == 2
        assert sum(s["total_size"] for s in torch.cuda.memory_snapshot()) == torch.cuda.memory_reserved()
        torch.cuda.empty_cache()
        assert inner in {s["address"] for s in torch.cuda.memory_snapshot(graph.pool())}
        del b, d, again
        graph.reset()
        torch.cuda.empty_cache()
        assert torch.cuda.memory_reserved() > base  # the second graph still has the pool
        del second
        torch.cuda.empty_cache()
        assert torch.cuda.memory_reserved() == base
        assert torch.cuda.graph_pool_handle() != torch.cuda.graph_pool_handle()
        # what other streams use and is given up during a capture is free after it
        side = torch.cuda.Stream()
        used = torch.zeros(11 * MB, dtype=torch.uint8, device="cuda")
        used.record_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outside + 1
            address = used.data_ptr()
            del used
            assert torch.cuda.memory_stats()["active.all.current"] > torch.cuda.memory_stats()["allocation.all.current"]
        assert torch.zeros(11 * MB, dtype=torch.uint8, device="cuda").data_ptr() == address
        # a pool of the program's own
        pool = torch.cuda.MemPool()
        with torch.cuda.use_mem_pool(pool):
            mine = torch.zeros(3 * MB, device="cuda")
        assert [s["segment_pool_id"] for s in pool.snapshot()] == [pool.id]
    """
    )


def test_streams_that_fork_and_join_in_a_capture(run):
    run(
        FAKE
        + """
        x = torch.ones(3, device="cuda")
        x * 2, x + 1
        side, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                assert torch.cuda.is_current_stream_capturing()
                y = x * 2
            torch.cuda.current_stream().wait_stream(side)
            z = y + 1
        x.fill_(4)
        graph.replay()
        assert z.tolist() == [9, 9, 9]
        graph = torch.cuda.CUDAGraph()
        def unjoined():
            with torch.cuda.graph(graph):
                side.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(side):
                    x * 2
        refused(RuntimeError, "unjoined work", unjoined)
    """
    )


def test_a_whole_training_step_in_a_graph(run):
    """The pattern of PyTorch's documentation: warm up on a side stream, capture, replay."""
    run(
        FAKE
        + """
        warnings.simplefilter("ignore")
        def train(graphed):
            w = torch.linspace(-1, 1, 6, device="cuda").requires_grad_()
            optimizer = torch.optim.SGD([w], lr=0.1)
            x, y = torch.zeros(6, device="cuda"), torch.zeros(6, device="cuda")
            def step():
                loss = (w * x).tanh() - y
                loss = loss * loss
                loss.backward(torch.ones(6, device="cuda"))
                optimizer.step()
                return loss
            data = [(torch.full((6,), 0.5 + i), torch.full((6,), 0.1 * i)) for i in range(5)]
            losses = []
            if graphed:
                side = torch.cuda.Stream()
                side.wait_stream(torch.cuda.current_stream())
                start = w.detach().clone()
                with torch.cuda.stream(side):
                    for _ in range(3):
                        optimizer.zero_grad(set_to_none=True)
                        step()
                torch.cuda.current_stream().wait_stream(side)
                with torch.no_grad():
                    w.copy_(start)
                graph = torch.cuda.CUDAGraph()
                optimizer.zero_grad(set_to_none=True)
                with torch.cuda.graph(graph):
                    loss = step()
            for a, b in data:
                x.copy_(a)
                y.copy_(b)
                if graphed:
                    graph.replay()
                    losses.append(loss.tolist())
                else:
                    optimizer.zero_grad(set_to_none=True)
                    losses.append(step().tolist())
            return losses
        assert train(True) == train(False)
    """
    )


def test_graphed_callables(run):
    run(
        FAKE
        + """
        warnings.simplefilter("ignore")
        def f(a, b):
            return (a * b).tanh(), a + b
        sample = torch.rand(4, device="cuda", requires_grad=True), torch.rand(4, device="cuda")
        g = torch.cuda.make_graphed_callables(f, sample)
        class Scale(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.w = torch.nn.Parameter(torch.full((4,), 2.0))
            def forward(self, x):
                return (x * self.w).sigmoid()
        module = Scale().cuda()
        plain = Scale().cuda()
        torch.cuda.make_graphed_callables(module, (torch.rand(4, device="cuda"),))
        for _ in range(2):
            a, b = torch.rand(4).cuda().requires_grad_(), torch.rand(4).cuda()
            launches = fake.fake_graph_launches()
            y, z = g(a, b)
            assert fake.fake_graph_launches() == launches + 1
            torch.autograd.backward((y, z), (torch.ones(4, device="cuda"),) * 2)
            assert fake.fake_graph_launches() == launches + 2
            mine, a.grad = a.grad.clone(), None
            p, q = f(a, b)
            torch.autograd.backward((p, q), (torch.ones(4, device="cuda"),) * 2)
            assert torch.allclose(y.cpu(), p.cpu()) and torch.allclose(z.cpu(), q.cpu())
            assert torch.allclose(mine.cpu(), a.grad.cpu())
            for m in (module, plain):
                m.zero_grad()
                m(b).backward(torch.ones(4, device="cuda"))
            assert torch.allclose(module.w.grad.cpu(), plain.w.grad.cpu())
        module.eval()
        launches = fake.fake_graph_launches()
        module(b)
        assert fake.fake_graph_launches() == launches  # captured for training
        refused(RuntimeError, "sample_args for each callable must contain only Tensors",
                lambda: torch.cuda.make_graphed_callables(f, (1, 2)))
        plain.register_forward_hook(lambda *_: None)
        refused(RuntimeError, "Modules must not have hooks registered",
                lambda: torch.cuda.make_graphed_callables(plain, (b,)))
    """
    )


COMPILED = (
    FAKE
    + """
        import logging
        warnings.simplefilter("ignore")
        said = []
        handler = logging.Handler()
        handler.emit = lambda record: said.append(record.getMessage())
        logging.getLogger("lampas.compile").addHandler(handler)
        logging.getLogger("lampas.compile").setLevel(logging.INFO)
        def graphs(f):
            before = fake.fake_graph_launches()
            return f(), fake.fake_graph_launches() - before
"""
)


def test_a_compiled_function_becomes_a_graph(run):
    run(
        COMPILED
        + """
        scale = torch.full((4,), 3.0, device="cuda")
        @torch.compile
        def f(x, y):
            return {"a": (x * scale).tanh(), "b": [x + y]}
        kept = []
        for i in range(8):
            x, y = torch.rand(4).cuda(), torch.rand(4).cuda()
            result, launched = graphs(lambda: f(x, y))
            assert launched == (i >= 4 - 1), (i, launched, said)
            assert torch.allclose(result["a"].cpu(), (x.cpu() * 3).tanh())
            assert torch.allclose(result["b"][0].cpu(), (x + y).cpu())
            kept.append((result["b"][0], x + y))
        assert all(torch.equal(a.cpu(), b.cpu()) for a, b in kept)  # no result is written again
        assert said[-1].endswith("f is replayed as a device graph"), said
        scale = torch.full((4,), 5.0, device="cuda")  # a guard sees that
        for _ in range(2):
            assert torch.allclose(f(x, y)["a"].cpu(), (x.cpu() * 5).tanh())
        for switch in (dict(mode="max-autotune-no-cudagraphs"), dict(options={"triton.cudagraphs": False})):
            g = torch.compile(lambda x: x * 2, **switch)
            assert [graphs(lambda: g(x))[1] for _ in range(6)] == [0] * 6
    """
    )


def test_a_compiled_training_step_becomes_a_graph(run):
    """Same losses and parameters as uncompiled, with momentum, step counters and changed options."""
    run(
        COMPILED
        + """
        def train(make, compiled, change=False):
            w = torch.linspace(-1, 1, 6).cuda().requires_grad_()
            optimizer = make([w])
            def step(x, y):
                optimizer.zero_grad()
                loss = ((w * x).tanh() - y)
                loss = loss * loss
                loss.backward(torch.ones_like(loss))
                optimizer.step()
                return loss.detach()
            call = torch.compile(step) if compiled else step
            losses, launches = [], 0
            for i in range(9):
                if change and i == 6:
                    optimizer.param_groups[0]["lr"] *= 0.5
                x, y = torch.full((6,), 0.5 + i).cuda(), torch.full((6,), 0.1 * i).cuda()
                loss, launched = graphs(lambda: call(x, y))
                losses.append(loss.cpu())
                launches += launched
            return torch.stack(losses + [w.detach().cpu()]), launches
        makers = [
            lambda p: torch.optim.SGD(p, 0.1), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
            lambda p: torch.optim.Adam(p, 0.1), lambda p: torch.optim.AdamW(p, 0.1, capturable=True),
        ]
        for make in makers:
            for change in (False, True):
                expected, _ = train(make, False, change)
                found, launches = train(make, True, change)
                assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5), (found, expected)
                assert launches >= 3, (launches, said)
    """
    )


def test_what_cannot_be_a_graph_stays_a_replay(run):
    run(
        COMPILED
        + """
        w = torch.ones(3, device="cuda", requires_grad=True)
        @torch.compile
        def wants_gradient(x):
            return w * x
        @torch.compile
        def goes_through_the_host(x):
            return x.cumsum(0) + x.sort().values
        @torch.compile
        def writes(x):
            return x.add_(1)
        def repeated(f):
            del said[:]
            for i in range(6):
                x = torch.full((3,), float(i)).cuda()
                y, launched = graphs(lambda: f(x))
                assert launched == 0
            return y
        y = repeated(wants_gradient)
        y.backward(torch.ones(3, device="cuda"))
        assert w.grad.tolist() == [5, 5, 5]
        assert "its result wants a gradient, which is asked for elsewhere" in said[-1], said
        assert repeated(writes).tolist() == [6, 6, 6] and "writes to an argument" in said[-1]
        cpu = torch.full((3,), 5.0)
        assert repeated(goes_through_the_host).tolist() == (cpu.cumsum(0) + cpu).tolist()
        assert "without a device graph: CUDA error: operation not permitted when stream is capturing" in said[-1], said
        assert not torch.cuda.is_current_stream_capturing()
        counter = torch.zeros(())
        @torch.compile
        def with_the_host(x):
            counter.add_(1)
            return x * 2
        repeated(with_the_host)
        assert counter.item() == 6
    """
    )
