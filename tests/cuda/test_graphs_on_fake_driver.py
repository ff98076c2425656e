"""Graphs of a device's work, by hand and under `torch.compile`, against the driver of these tests: what
is captured is noted by it and done when the graph is launched; what a real one forbids meanwhile it
refuses."""

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
        assert not torch.cuda.is_current_stream_capturing()
        v = torch.ones(3, device="cuda", requires_grad=True)
        @torch.compile
        def adds_up(x):
            (v * x).backward(torch.ones(3, device="cuda"))
        del said[:]
        for i in range(8):
            adds_up(torch.full((3,), float(i)).cuda())
            assert v.grad.tolist() == [sum(range(i + 1))] * 3, (i, v.grad, said)
        counter = torch.zeros(())
        @torch.compile
        def with_the_host(x):
            counter.add_(1)
            return x * 2
        repeated(with_the_host)
        assert counter.item() == 6
    """
    )
