"""Work over several GPUs of one process, against the driver of these tests, which has two."""

FAKE = """
        warnings.simplefilter("ignore")
        def refused(kind, text, call):
            try:
                call()
            except kind as error:
                assert text in str(error), error
            else:
                raise AssertionError("nothing was raised")
"""


def test_data_parallel(run):
    run(
        FAKE
        + """
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.w = torch.nn.Parameter(torch.linspace(-1, 1, 3))
                self.inner = torch.nn.Sequential(torch.nn.Linear(3, 2))
                self.tied = self.inner
                self.register_buffer("b", torch.ones(3))
                self.seen = []
            def forward(self, x, scale=1.0):
                self.seen.append((x.device, self.w.device, self.b.device, len(x)))
                assert torch.cuda.current_device() == x.device.index
                assert self.tied is self.inner
                return {"y": self.inner(x * self.w + self.b) * scale, "n": [x.sum(1)]}
        torch.manual_seed(0)
        net = Net().cuda()
        plain = Net().cuda()
        plain.load_state_dict(net.state_dict())
        wide = torch.nn.DataParallel(net)
        assert wide.device_ids == [0, 1] and list(wide.state_dict())[0] == "module.w"
        x = torch.arange(15.0).reshape(5, 3).cuda().requires_grad_()
        out, expected = wide(x, scale=torch.full((5, 1), 2.0)), plain(x.detach(), torch.tensor(2.0))
        assert torch.allclose(out["y"].cpu(), expected["y"].cpu()) and out["y"].device.index == 0
        assert out["n"][0].tolist() == x.sum(1).tolist()
        assert sorted((str(d), n) for d, _, _, n in net.seen) == [("cuda:0", 3), ("cuda:1", 2)]
        assert all(a == b == c for a, b, c, _ in net.seen)
        out["y"].sum().backward()
        expected["y"].sum().backward()
        for p, q in zip(net.parameters(), plain.parameters()):
            assert p.grad.device == p.device and torch.allclose(p.grad.cpu(), q.grad.cpu(), rtol=1e-4)
        assert x.grad.shape == x.shape
        one = torch.nn.DataParallel(net, device_ids=[0])
        assert one(x)["y"].shape == (5, 2)
        refused(RuntimeError, "module must have its parameters and buffers on device cuda:1 (device_ids[0]) but",
                lambda: torch.nn.DataParallel(net, device_ids=[1, 0])(x))
        direct = torch.nn.parallel.data_parallel(net, x, module_kwargs={"scale": 2.0})
        assert torch.allclose(direct["y"].cpu(), expected["y"].cpu())
        memory, words = torch.nn.LSTM(3, 2).cuda(), torch.randn(4, 4, 3).cuda()
        both, (h, c) = torch.nn.DataParallel(memory, dim=1)(words)
        assert torch.allclose(both.cpu(), memory(words)[0].cpu(), atol=1e-6) and h.shape == (1, 4, 2)
        class Fails(torch.nn.Module):
            def forward(self, x):
                if x.device.index == 1:
                    raise ValueError("of the second")
                return x
        refused(ValueError, "Caught ValueError in replica 1 on device 1.",
                lambda: torch.nn.DataParallel(Fails())(x))
        with torch.no_grad():
            assert not wide(x)["y"].requires_grad
    """
    )


def test_communication(run):
    run(
        FAKE
        + """
        comm, P = torch.cuda.comm, torch.nn.parallel
        assert P.comm is comm
        x = torch.arange(6.0).reshape(3, 2).cuda().requires_grad_()
        a, b = comm.broadcast(x, [0, 1])
        assert a.device.index == 0 and b.device.index == 1 and b.tolist() == x.tolist()
        total = comm.reduce_add([a, b])
        assert total.device.index == 0 and total.tolist() == (2 * x).tolist()
        total.sum().backward()
        assert x.grad.tolist() == [[2, 2]] * 3
        p, q = comm.scatter(x.detach(), [0, 1])
        assert p.shape == (2, 2) and q.device.index == 1 and q.tolist() == [[4, 5]]
        p, q = comm.scatter(x.detach(), [0, 1], chunk_sizes=[1, 2], streams=[None, torch.cuda.Stream(1)])
        assert p.shape == (1, 2) and q.shape == (2, 2)
        assert comm.gather([p, q]).tolist() == x.tolist()
        assert comm.gather([p, q], destination="cpu").is_cpu
        out = torch.zeros(3, 2, device="cuda:1")
        assert comm.gather([p, q], out=out) is out and out.tolist() == x.tolist()
        assert [t.device.index for t in comm.broadcast_coalesced([x, x], [1])[0]] == [1, 1]
        sums = comm.reduce_add_coalesced([[p, p], [p.to("cuda:1"), p.to("cuda:1")]], 1)
        assert sums[1].device.index == 1 and sums[0].tolist() == (2 * p).tolist()
        refused(AssertionError, "reduce_add expects all inputs to be on GPUs, but input 0 is on CPU",
                lambda: comm.reduce_add([torch.ones(2)]))
        refused(ValueError, "input 1 has invalid size: got 1x2, but expected 2x2", lambda: comm.reduce_add([q, p]))
        refused(RuntimeError, "Exactly one of 'devices' and 'out'", lambda: comm.broadcast(x))
        shares = P.scatter({"a": (x, "word"), "b": [x, 3]}, [0, 1])
        assert shares[1]["a"][0].device.index == 1 and shares[1]["a"][1] == "word" and shares[0]["b"][1] == 3
        assert P.gather([torch.tensor(1.0).cuda(), torch.tensor(2.0).cuda(1)], 0).tolist() == [1, 2]
        refused(AssertionError, "Gather function not implemented for CPU tensors", lambda: P.gather([x.cpu()], 0))
        refused(AssertionError, "The number of modules 1 is not equal to the number of inputs 2",
                lambda: P.parallel_apply([torch.nn.ReLU()], [x, x]))
        copies = P.replicate(torch.nn.Linear(2, 2).cuda(), [0, 1])
        assert [c.weight.device.index for c in copies] == [0, 1] and not list(copies[0].parameters())
        assert copies[1](x.detach().to("cuda:1")).device.index == 1
    """
    )


def test_peer_copies(run):
    run(
        FAKE
        + """
        x = torch.arange(4.0).cuda(0)
        y = x.to("cuda:1")
        assert y.device.index == 1 and y.tolist() == [0, 1, 2, 3]
        z = torch.zeros(4, device="cuda:0", dtype=torch.float64)
        z.copy_(y)
        assert z.tolist() == [0, 1, 2, 3]
        w = torch.zeros(4, 2, device="cuda:1")
        w[:, 1] = x
        assert w[:, 1].tolist() == [0, 1, 2, 3]
    """
    )
