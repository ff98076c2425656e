"""Everything around kernels, against a driver that is a library of these tests (fake_driver.cc):
devices, copies, rows forward and backward, the allocator, streams, errors.

Each test is a program of its own, because the driver is opened once in a process.
"""

import pytest


def test_a_first_sum(run):
    run("""
        y = torch.ones(3, device="cuda") + 1
        assert y.device == torch.device("cuda:0") and y.is_cuda and not y.is_cpu
        assert y.tolist() == [2, 2, 2] and y[1].item() == 2
        assert repr(y) == "tensor([2., 2., 2.], device='cuda:0')", repr(y)
        assert str(y.cpu()) == "tensor([2., 2., 2.])"
        assert torch.cuda.is_available() and torch.cuda.device_count() == 2
    """)


def test_copies_and_conversions(run):
    run("""
        x = torch.arange(24, dtype=torch.float64).reshape(2, 3, 4)
        for y in (x, x.transpose(0, 2), x[:, ::2], x[..., 1:3], x[0, 0, 0], x[:0]):
            for dtype in (torch.float64, torch.float32, torch.int16, torch.bool, torch.complex64,
                          torch.float16, torch.bfloat16):
                for z in (y.to("cuda", dtype), y.cuda().to(dtype), y.to(dtype).cuda()):
                    assert z.is_cuda and z.dtype == dtype and z.shape == y.shape
                    assert torch.equal(z.cpu(), y.to(dtype)), (y, z, dtype)
            assert torch.equal(y.cuda(1).cuda(0).cpu(), y)
            assert y.cuda().stride() == y.clone().stride()
        target = torch.zeros(2, 3, device="cuda")
        target.copy_(torch.arange(3))
        target[:, 1] = 7
        target[0] = torch.tensor([4., 5., 6.])
        assert target.tolist() == [[4, 5, 6], [0, 7, 2]]
        assert torch.full((2,), 2**40 + 1, device="cuda").tolist() == [2**40 + 1] * 2
        assert torch.zeros(2, device="cuda", dtype=torch.complex64).fill_(1 + 2j).tolist() == [1 + 2j] * 2
    """)


def test_rows_and_their_gradients(run):
    run("""
        warnings.simplefilter("ignore")  # the sum over what was broadcast
        torch.manual_seed(0)
        a, b = torch.randn(4, 5), torch.rand(5)
        def f(a, b):
            return torch.where(a > 0, a * b, a.sigmoid() - 2 * b) / (1 + b.exp())
        expected = []
        for device in ("cpu", "cuda"):
            x, y = (t.to(device, copy=True).requires_grad_() for t in (a, b))
            z = f(x, y)
            z.backward(torch.ones(4, 5, device=device))
            assert x.grad.device == y.grad.device == z.device and z.device.type == device
            expected.append([t.cpu() for t in (z.detach(), x.grad, y.grad)])
        for ours, theirs in zip(*expected):
            assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    """)


def test_numbers_of_the_host_take_part(run):
    run("""
        x = torch.ones(3, device="cuda", requires_grad=True)
        scale = torch.tensor(2.0, requires_grad=True)
        y = x * scale
        assert y.tolist() == [2, 2, 2]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y.sum().backward()
        assert x.grad.is_cuda and x.grad.tolist() == [2, 2, 2]
        assert scale.grad.is_cpu and scale.grad.item() == 3
        for mixed in (lambda: x + torch.ones(3), lambda: x @ torch.ones(3), lambda: torch.cat([x, torch.ones(3)])):
            try:
                mixed()
            except RuntimeError as error:
                assert str(error) == ("Expected all tensors to be on the same device, but found at "
                                      "least two devices, cuda:0 and cpu!"), error
            else:
                raise AssertionError
    """)


def test_what_has_no_kernel_runs_on_the_host_and_says_so_once(run):
    run("""
        x = torch.arange(6.0).reshape(2, 3).cuda().requires_grad_()
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            y = torch.linalg.inv(x[:, 1:])
            y = torch.linalg.inv(x[:, 1:])
        assert all(w.category is UserWarning for w in seen)
        assert sum("inv" in str(w.message) for w in seen) == 1, seen
        assert y.is_cuda and torch.allclose(y.cpu(), torch.tensor([[-5/3, 2/3], [4/3, -1/3]]))
        warnings.simplefilter("ignore")
        y.sum().backward()
        assert x.grad.is_cuda and x.grad[:, 0].tolist() == [0, 0]
        # what is written, is written on the device: in place, out=, running statistics
        z = torch.zeros(3, device="cuda")
        z.index_add_(0, torch.tensor([0, 2]).cuda(), torch.ones(2).cuda())
        assert z.tolist() == [1, 0, 1]
        z.uniform_(2, 3)
        assert all(2 <= v < 3 for v in z.tolist())
        out = torch.empty(3, device="cuda")
        assert torch.cumsum(torch.ones(3, device="cuda"), 0, out=out) is out and out.tolist() == [1, 2, 3]
        norm = torch.nn.BatchNorm1d(3).cuda()
        norm(x.detach())
        assert norm.running_mean.is_cuda and torch.allclose(norm.running_mean.cpu(), torch.tensor([.15, .25, .35]))
        values, places = torch.sort(torch.tensor([3., 1., 2.]).cuda())
        assert values.is_cuda and places.is_cuda and places.tolist() == [1, 2, 0]
        assert x[torch.tensor([1, 0]).cuda()].tolist() == [[3, 4, 5], [0, 1, 2]]
        assert x[x > 2].tolist() == [3, 4, 5]
        z[z > 0] = 1
        assert z.tolist() == [1, 1, 1]
        assert torch.arange(3, device="cuda").is_cuda and torch.randn(2, 2, device="cuda").is_cuda
    """)


def test_a_training_step(run):
    run("""
        warnings.simplefilter("ignore")
        losses = []
        for device in ("cpu", "cuda"):
            torch.manual_seed(0)
            model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).to(device)
            optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
            x, y = torch.randn(5, 4).to(device), torch.tensor([0, 1, 2, 0, 1]).to(device)
            for _ in range(3):
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(model(x), y)
                loss.backward()
                optimizer.step()
            losses.append(loss.item())
            assert all(p.grad.device.type == device for p in model.parameters())
        assert abs(losses[0] - losses[1]) < 1e-5, losses
    """)


def test_host_code_cannot_reach_memory_of_a_device(run):
    """Else the other tests would show nothing about who follows which address."""
    done = run(
        """
        x = torch.ones(3, device="cuda")
        ctypes.string_at(x.data_ptr(), 1)
    """,
        check=False,
    )
    assert done.returncode == -11


def test_many_operators(run):
    """What networks are made of, on the host or not, forward and backward: as on the CPU."""
    run("""
        warnings.simplefilter("ignore")
        F = torch.nn.functional
        images, tokens = torch.randn(2, 3, 8, 8), torch.tensor([[1, 2, 0], [3, 3, 1]])
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.features = torch.nn.Sequential(
                    torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
                    torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.LayerNorm(8))
                self.words = torch.nn.Embedding(4, 8)
                self.memory = torch.nn.LSTM(8, 8, batch_first=True)
                self.looks = torch.nn.MultiheadAttention(8, 2, batch_first=True)
            def forward(self, x, t):
                w, _ = self.memory(self.words(t))
                w, _ = self.looks(w, w, w)
                y = torch.cat([self.features(x)[:, None], w], 1)
                y = torch.einsum("btd,bsd->bts", y, y).softmax(-1).cumsum(1)
                return F.gelu(y).amax(-1).std() + y.gather(1, t[:, :, None].expand(2, 3, 4)).log().mean()
        results = []
        for device in ("cpu", "cuda"):
            torch.manual_seed(0)
            net = Net().to(device)
            loss = net(images.to(device), tokens.to(device))
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            assert norm.device.type == loss.device.type == device
            step = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
            step.step()
            results.append([loss.cpu(), norm.cpu(), *(v.cpu() for v in net.state_dict().values())])
        for ours, theirs in zip(*results):
            assert torch.allclose(ours.double(), theirs.double(), rtol=1e-4, atol=1e-5), (ours, theirs)
    """)


def test_the_allocator(run):
    run("""
        cuda, MB = torch.cuda, 1 << 20
        def used():
            return cuda.memory_allocated(), cuda.memory_reserved()
        x = torch.empty(3, device="cuda")
        assert used() == (512, 2 * MB)
        y = torch.empty(129, device="cuda")
        assert used() == (512 + 1024, 2 * MB)
        large = torch.empty(2 * MB, dtype=torch.uint8, device="cuda")  # of a segment of 20 MB
        assert used() == (1536 + 2 * MB, 22 * MB)
        own = torch.empty(31 * MB + 1, dtype=torch.uint8, device="cuda")
        assert cuda.memory_reserved() == 54 * MB
        address = own.data_ptr()
        del own
        assert cuda.memory_reserved() == 54 * MB
        own = torch.empty(31 * MB + 1, dtype=torch.uint8, device="cuda")
        assert own.data_ptr() == address
        first = x.data_ptr()
        del x, y  # neighbours are joined: the whole segment is one block again
        z = torch.empty(MB, dtype=torch.uint8, device="cuda")
        assert z.data_ptr() == first and cuda.memory_reserved() == 54 * MB
        del z, own, large
        assert cuda.memory_allocated() == 0 and cuda.max_memory_allocated() > 33 * MB
        cuda.empty_cache()
        assert used() == (0, 0) and ctypes.CDLL(os.environ["FAKE"]).fake_blocks() == 0
        cuda.reset_peak_memory_stats()
        assert cuda.max_memory_allocated() == 0
        stats = cuda.memory_stats()
        assert stats["allocation.all.allocated"] == stats["allocation.all.freed"] == 6, stats
        assert stats["allocated_bytes.all.freed"] == stats["allocated_bytes.all.allocated"] > 66 * MB
        assert cuda.memory_allocated(1) == 0
        on_other = torch.empty(3, device="cuda:1")
        assert cuda.memory_allocated(1) == 512 and cuda.memory_allocated() == 0
        assert cuda.mem_get_info() == (256 * MB, 256 * MB) and cuda.mem_get_info(1) == (254 * MB, 256 * MB)
    """)


def test_many_sizes_in_any_order(run):
    """Blocks never overlap, and all memory comes together again."""
    run("""
        import random
        random.seed(0)
        held = []
        for step in range(2000):
            if held and random.random() < 0.5:
                held.pop(random.randrange(len(held)))
            else:
                size = int(2 ** random.uniform(0, 22))
                held.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
            if step % 100 == 0:
                spans = sorted((t.data_ptr(), t.data_ptr() + t.numel()) for t in held)
                assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:]))
        del held[:]
        torch.cuda.empty_cache()
        assert torch.cuda.memory_reserved() == 0
    """)


def test_out_of_memory(run):
    run("""
        MB = 1 << 20
        kept = torch.empty(100 * MB, dtype=torch.uint8, device="cuda")
        gone = torch.empty(100 * MB, dtype=torch.uint8, device="cuda")
        del gone
        # what is cached is given back before giving up
        other = torch.empty(150 * MB, dtype=torch.uint8, device="cuda")
        assert torch.cuda.memory_stats()["num_alloc_retries"] == 1
        try:
            torch.empty(20 * MB, dtype=torch.uint8, device="cuda")
        except torch.OutOfMemoryError as error:
            text = str(error)
        assert torch.cuda.OutOfMemoryError is torch.OutOfMemoryError
        assert text.startswith("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity "
                               "of 256.00 MiB of which 6.00 MiB is free. "), text
        assert "Of the allocated memory 250.00 MiB is allocated by PyTorch, and 0 bytes is reserved" in text
        assert torch.cuda.memory_stats()["num_ooms"] == 1
        del other
        torch.empty(20 * MB, dtype=torch.uint8, device="cuda")
        torch.cuda.set_per_process_memory_fraction(0.5)
        torch.cuda.empty_cache()
        try:
            torch.empty(60 * MB, dtype=torch.uint8, device="cuda")
        except RuntimeError as error:
            assert "128.00 MiB allowed" in str(error)
        else:
            raise AssertionError
    """)


def test_memory_waits_for_other_streams(run):
    run("""
        fake = ctypes.CDLL(os.environ["FAKE"])
        fake.fake_hold.argtypes = [ctypes.c_void_p]
        side = torch.cuda.Stream()
        x = torch.empty(11 << 20, dtype=torch.uint8, device="cuda")
        address = x.data_ptr()
        x.record_stream(side)
        fake.fake_hold(side.cuda_stream)
        assert not side.query()
        del x
        y = torch.empty(11 << 20, dtype=torch.uint8, device="cuda")
        assert y.data_ptr() != address  # the side stream may still read it
        assert torch.cuda.memory_stats()["active.all.current"] == 2
        fake.fake_proceed()
        assert side.query()
        z = torch.empty(11 << 20, dtype=torch.uint8, device="cuda")
        assert z.data_ptr() == address
        # memory belongs to the stream it was made on
        del y, z
        with torch.cuda.stream(side):
            assert torch.cuda.current_stream() == side
            w = torch.empty(11 << 20, dtype=torch.uint8, device="cuda")
            assert w.data_ptr() != address
        assert torch.cuda.current_stream() == torch.cuda.default_stream()
    """)


def test_streams_and_events(run):
    run("""
        fake = ctypes.CDLL(os.environ["FAKE"])
        fake.fake_hold.argtypes = [ctypes.c_void_p]
        a, b = torch.cuda.Stream(), torch.cuda.Stream(priority=-1)
        assert a != b and a == a and a.device == torch.device("cuda:0")
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        assert start.query()
        start.record(a)
        fake.fake_hold(a.cuda_stream)
        end.record(a)
        assert start.query() and not end.query()
        try:
            start.elapsed_time(end)
        except RuntimeError as error:
            assert "Both events must be completed before calculating elapsed time." in str(error)
        b.wait_event(end)
        assert not b.query()
        end.synchronize()
        assert a.query() and b.query() and start.elapsed_time(end) == 1
        try:
            torch.cuda.Event().elapsed_time(end)
        except RuntimeError as error:
            assert "Both events must be created with argument 'enable_timing=True'." in str(error)
        with torch.cuda.device(1):
            assert torch.cuda.current_device() == 1 and torch.ones(1, device="cuda").get_device() == 1
            assert torch.cuda.get_device_name() == "Fake GPU 1"
        assert torch.cuda.current_device() == 0
        assert torch.cuda.get_device_capability() == (9, 0)
        assert len({torch.cuda.Stream().cuda_stream for _ in range(100)}) == 32
        torch.cuda.synchronize()
    """)


def test_kernels_that_fail(run):
    run("""
        fake = ctypes.CDLL(os.environ["FAKE"])
        x = torch.ones(3, device="cuda")
        fake.fake_fail_next_launch(700)
        try:
            x.exp()
        except torch.AcceleratorError as error:
            text = str(error)
        assert text.startswith("CUDA error: an illegal memory access was encountered"), text
        assert "in exp\\n" in text and "CUDA_LAUNCH_BLOCKING=1" in text
        try:
            torch.ones(1, device="cuda:5")
        except RuntimeError as error:
            assert str(error).startswith("CUDA error: invalid device ordinal")
        else:
            raise AssertionError
        try:
            x.numpy()
        except TypeError as error:
            assert "can't convert cuda:0 device type tensor to numpy" in str(error)
        try:
            torch.cuda.memory_snapshot()
        except NotImplementedError as error:
            assert "torch.cuda.memory_snapshot is not available in Lampas" in str(error)
    """)


def test_transforms_of_fourier_go_through_the_host(run):
    run("""
        warnings.simplefilter("always")
        with warnings.catch_warnings(record=True) as said:
            for f in (torch.fft.fft, torch.fft.rfft, torch.fft.fft2, lambda x: torch.fft.irfft(x * 1j)):
                results = []
                for device in ("cpu", "cuda"):
                    x = torch.arange(12.0).reshape(3, 4).to(device).requires_grad_()
                    y = f(x)
                    torch.view_as_real(y * 1j).square().sum().backward()
                    assert y.device.type == x.grad.device.type == device
                    results.append((y.detach().cpu(), x.grad.cpu()))
                for ours, theirs in zip(*results):
                    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-4)
        texts = [str(w.message) for w in said if "no kernel for CUDA" in str(w.message)]
        assert len(texts) == 1 and "'fft'" in texts[0], texts
    """)


def test_kernels_are_compiled_once(run, tmp_path):
    source = """
        x = torch.ones(3, device="cuda") + 40
        assert (x + x + x).tolist() == [123] * 3
    """
    own = {"FAKE_CUDA_FOLDER": str(tmp_path), "LAMPAS_CACHE_DIR": str(tmp_path)}
    run(source, **own)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.cc")}
    run(source, **own)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.cc")} == before
    assert any("add-sm_90-" in path.name for path in (tmp_path / "cuda").iterdir())


@pytest.mark.parametrize(
    "env, text",
    [
        ({"LAMPAS_CUDA_DRIVER": "/nowhere.so"}, "Found no NVIDIA driver on your system."),
        ({"FAKE_CUDA_DEVICES": "0"}, "No CUDA GPUs are available"),
        ({"FAKE_CUDA_VERSION": "11040"}, "The NVIDIA driver on your system is too old (found version 11040)."),
    ],
)  # fmt: skip
def test_without_a_device(run, env, text):
    source = """
        assert not torch.cuda.is_available() and torch.cuda.device_count() == 0
        torch.ones(1, device="cuda")
    """
    done = run(source, check=False, **env)
    assert done.returncode == 1 and "RuntimeError: " + text in done.stderr, done.stderr
