"""Indexing, gather and scatter, embedding, masks, joining and ranges on the fake driver, beside the
CPU's results. Falling back to the host is an error in these programs, and so is the host's touching
memory of the device.
"""

import os

FULL = os.environ.get("LAMPAS_TEST_FULL") == "1"  # more element types: every kernel takes a second
PAIRS = f"""
    FULL = {FULL}
"""
PAIRS += """
    # Other families': sums of gradients over what was broadcast, products in composites.
    warnings.filterwarnings("ignore", "The operator '(reduce|sum|mean|min|max|argmax|matmul|bmm|mm|linalg_vector_norm)' ")

    def same(f, *tensors, grads=True, atol=1e-5):
        '''f of the tensors on the CPU and on the GPU, with gradients of those that are floats.'''
        results = []
        for device in ("cpu", "cuda"):
            given = [t.to(device, copy=True) if isinstance(t, torch.Tensor) else t for t in tensors]
            wanted = [t for t in given if isinstance(t, torch.Tensor) and grads
                      and t.dtype in (torch.float32, torch.float64)]
            leaves = [t.requires_grad_() for t in wanted]
            y = f(*given)
            ys = list(y) if isinstance(y, (tuple, list)) else [y]
            for t in ys:
                assert t.device.type == device, (t.device, device)
            if leaves:
                total = [t for t in ys if t.requires_grad]
                for t in total:
                    weights = torch.arange(t.numel(), dtype=t.dtype).reshape(t.shape).to(device)
                    t.backward(weights, retain_graph=True)
                ys += [x.grad for x in leaves if x.grad is not None]
            results.append([(t.detach().cpu(), t.stride()) for t in ys])
        assert len(results[0]) == len(results[1])
        for (ours, a), (theirs, b) in zip(*results):
            assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, (ours, theirs)
            assert a == b, (a, b)
            if ours.dtype.is_floating_point or ours.dtype.is_complex:
                assert torch.allclose(ours, theirs, rtol=1e-5, atol=atol, equal_nan=True), (ours, theirs)
            else:
                assert torch.equal(ours, theirs), (ours, theirs)
"""


def test_elements_by_index_tensors(run):
    run(
        PAIRS
        + """
    x = torch.arange(60.).reshape(3, 4, 5)
    i, j = torch.tensor([2, 0, -1]), torch.tensor([[1], [-4]])
    for key in [(i,), (slice(None), j), (i, slice(None), torch.tensor([0, 3, 1])), (i, j),
                (slice(1, 3), torch.tensor([3, 3, 0])), (Ellipsis, torch.tensor([4, -5])),
                (torch.tensor([], dtype=torch.long),), (None, i), (i, None), (torch.tensor(1), i)]:
        move = lambda k, d: tuple(t.to(d) if isinstance(t, torch.Tensor) else t for t in k)
        same(lambda x: x[move(key, x.device)], x)
        same(lambda x: x[key], x, grads=False)  # indices of the host
        same(lambda x: x.transpose(0, 2)[move(key, x.device)[-1:]] if len(key) == 1 and key[0].numel() else x + 1, x)
        def assigned(x, v):
            y = x.clone()
            y[move(key, x.device)] = v
            return y
        if key[0] is not None:
            same(assigned, x, torch.tensor(7.0))
        same(lambda x: x[move(key, x.device)[:1]] if key[0] is not None else x * 1, x.to(torch.int16))
    # several ways to meet: the last one is not certain, but sums are
    same(lambda x, i, v: x.index_put((i,), v, accumulate=True), torch.zeros(3, 8), torch.tensor([1, 1, 0, 1]),
         torch.randn(4, 8))
    same(lambda x, i, v: x.index_put((i, i), v, accumulate=True), torch.zeros(3, 4), torch.tensor([1, 1, 0]),
         torch.randn(3))
    # rows in wide words, at addresses that allow them and at others
    for width in (1, 3, 4, 8, 33, 64):
        w = torch.randn(7, width)
        rows = torch.tensor([6, 0, 3, 3])
        same(lambda w, r: w[r], w, rows)
        same(lambda w, r: w[:, 1:][r] if w.shape[1] > 1 else w[r], w, rows)
        same(lambda w, r: w.to(torch.float16)[r], w, rows)
    # an index that is found wrong, later
    y = torch.zeros(3, device="cuda")
    z = y[torch.tensor([0, 3], device="cuda")]
    try:
        z.cpu()
    except IndexError as error:
        assert str(error).startswith("index 3 is out of bounds for dimension 0 with size 3\\n"), error
        assert "index" in str(error) and "cuda:0" in str(error)
    else:
        raise AssertionError
    assert z.tolist() == [0, 0]  # said once; the access was left out
    y[torch.tensor([5], device="cuda")] = 1
    try:
        torch.cuda.synchronize()
    except IndexError as error:
        assert "index 5 is out of bounds" in str(error)
    else:
        raise AssertionError
    y.gather(0, torch.tensor([9], device="cuda"))
    try:
        y + 1  # the next launch
    except RuntimeError as error:
        assert "index 9 is out of bounds for dimension 0 with size 3" in str(error) and "gather" in str(error)
    else:
        raise AssertionError
    assert y.tolist() == [0, 0, 0]
    try:
        torch.zeros(3)[torch.tensor([0], device="cuda")]
    except RuntimeError as error:
        assert str(error) == "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
    else:
        raise AssertionError
    """
    )


def test_rows_along_a_dimension(run):
    run(
        PAIRS
        + """
    x, s = torch.randn(4, 6), torch.randn(4, 3)
    i = torch.tensor([5, 0, 5])
    same(lambda x, i: x.index_select(1, i), x, i)
    same(lambda x, i: x.index_select(0, i % 4), x, i, grads=False)
    same(lambda x, i: x.t().index_select(0, i.int()), x, i)
    same(lambda x, i, s: x.index_add(1, i, s, alpha=2), x, i, s)
    same(lambda x, i, s: x.index_copy(1, i, s), x, torch.tensor([5, 0, 2]), s)
    same(lambda x, i: x.index_fill(1, i, 3.0), x, i)
    for how in ("prod", "amax", "amin", "mean"):
        warnings.filterwarnings("ignore", "index_reduce")
        same(lambda x, i, s: x.index_reduce(1, i, s, how), x, i, s, grads=False)
    dtypes = torch.float16, torch.bool, torch.complex64
    if FULL:
        dtypes += torch.float64, torch.bfloat16, torch.int8, torch.int16, torch.int64
    for dtype in dtypes:
        same(lambda x, i, s: x.index_add(1, i, s), x.to(dtype), i, s.to(dtype), grads=False, atol=1e-2)
    at = torch.tensor([[3, -1], [0, 23]])
    same(lambda x, at: x.take(at), x, at)
    same(lambda x, at: x.t().take(at), x, at)
    same(lambda x, at, v: x.put(at, v, True), x, at, torch.randn(2, 2))
    w = torch.randn(5, 7)
    for padding, by_frequency in ((-1, False), (2, False), (-1, True)):
        same(lambda w, i: torch.embedding(w, i, padding, by_frequency, False), w, torch.tensor([[4, 2], [2, 0]]))
    try:
        torch.nn.functional.embedding(torch.tensor([7], device="cuda"), w.cuda()).cpu()
    except IndexError as error:
        assert str(error).startswith("index out of range in self\\nThe kernel of index met index 7 on cuda:0"), error
    else:
        raise AssertionError
    same(lambda i: torch.nn.functional.one_hot(i, 6), torch.tensor([[5, 0], [1, 1]]))
    """
    )


def test_gather_and_scatter(run):
    run(
        PAIRS
        + """
    x = torch.randn(3, 5, 2)
    for d in range(3):
        i = torch.randint(x.shape[d], (2, 4, 2))
        s = torch.randn(2, 5, 3)
        same(lambda x, i: x.gather(d, i), x, i)
        same(lambda x, i: x.to(torch.int16).gather(d, i.int()), x, i, grads=False)
        same(lambda x, i, s: x.scatter_add(d, i, s), x, i, s)
        same(lambda x, i: x.scatter(d, i, 2.5), x, i)
        for how in ("sum", "prod", "mean", "amax", "amin"):
            same(lambda x, i, s: x.scatter_reduce(d, i, s, how), x, i, s)
            same(lambda x, i, s: x.scatter_reduce(d, i, s, how, include_self=False), x, i, s, grads=False)
    once = torch.tensor([[2, 0, 1], [1, 2, 0]])
    same(lambda x, i, s: x.scatter(1, i, s), torch.randn(2, 4), once, torch.randn(2, 3))
    same(lambda x, i: x.scatter(0, i, 1), torch.tensor(3.), torch.tensor(0))
    nan = torch.tensor([1., float("nan"), 3., 2.])
    for how in ("amax", "amin"):
        for dtype in (torch.float32, torch.bfloat16, torch.int8)[: 3 if FULL else 2]:
            same(lambda x, i, s: x.scatter_reduce(0, i, s, how), torch.ones(2).to(dtype), torch.tensor([0, 1, 1, 0]),
                 nan.nan_to_num().to(dtype) if dtype == torch.int8 else nan.to(dtype), grads=False)
    same(lambda x, i, s: x.scatter_(0, i, s, reduce="multiply"), torch.ones(2, dtype=torch.complex64),
         torch.tensor([0, 1, 1]), torch.tensor([1 + 2j, 3j, 2]), grads=False)
    """
    )


def test_masks(run):
    run(
        PAIRS
        + """
    torch.manual_seed(0)
    for shape in ((), (1,), (7,), (5, 9), (3, 4, 5), (0, 3), (4097,), (2, 5000)):
        x, mask = torch.randn(shape), torch.rand(shape) > 0.5
        same(lambda x, m: x.masked_fill(m, 3.0), x, mask)
        same(lambda x, m: x.masked_select(m), x, mask)
        same(lambda m: m.nonzero(), mask)
        source = torch.randn(x.numel())
        same(lambda x, m, s: x.masked_scatter(m, s), x, mask, source)
        if x.dim() == 2 and x.numel():
            same(lambda x, m: x.t().masked_fill(m.t(), 3.0), x, mask)
            same(lambda x, m: x.t().masked_select(m.t()), x, mask)
            same(lambda x, m: x.masked_fill(m[:, :1], torch.tensor(2.0, device=x.device)), x, mask)
            same(lambda x, m: x[m], x, mask)
            same(lambda x, m: x[m[:, 0]], x, mask)
            same(lambda x, m: x[:, m[0]], x, mask)
            def assigned(x, m):
                y = x.clone()
                y[m] = 0
                return y
            same(assigned, x, mask)
    for dtype in (torch.float32, torch.complex64, torch.float16, torch.int64, torch.bool)[: 5 if FULL else 2]:
        same(lambda x: torch.nonzero(x.to(dtype)), torch.tensor([[0., 1., -0.0], [float("nan"), 0., 2.]]), grads=False)
    same(lambda x: torch.nonzero(x, as_tuple=True), torch.tensor([[0, 1], [3, 0]]))
    same(lambda x: torch.where(x), torch.tensor([[0, 1], [3, 0]]))
    y = torch.zeros(3, device="cuda").masked_scatter(torch.ones(3, dtype=torch.bool, device="cuda"),
                                                     torch.ones(2, device="cuda"))
    try:
        y.tolist()
    except RuntimeError as error:
        assert str(error).startswith("Number of elements of source < number of ones in mask\\n")
    else:
        raise AssertionError
    assert y.tolist() == [1, 1, 0]
    """
    )


def test_joining(run):
    run(
        PAIRS
        + """
    a, b, c = torch.randn(2, 3), torch.randn(2, 5), torch.randn(2, 3)
    same(lambda a, b: torch.cat([a, b], 1), a, b)
    same(lambda a, c: torch.cat([a, c, a]), a, c)
    same(lambda a, c: torch.stack([a, c], 1), a, c)
    same(lambda a, c: torch.stack([a, c]), a, c)
    same(lambda a, c: torch.stack([a, c], -1), a, c)
    same(lambda a, c: torch.cat([a.double(), c]), a, c, grads=False)
    same(lambda a, b: torch.cat([a.t(), b.t()]), a, b)
    same(lambda a: torch.cat([a] * 200, 1), torch.randn(3, 4))
    same(lambda a: torch.cat([a, a[:0], torch.zeros(0, device=a.device)]), a)
    same(lambda a: torch.cat([a, a], 1), torch.randn(40, 64))
    same(lambda a: torch.cat([a, a], 1), torch.ones(4, 3, dtype=torch.bool))
    same(lambda a: torch.cat([a, a]), torch.randn(3, dtype=torch.complex128))
    x = torch.randn(3, 4, 5)
    same(lambda x: x.repeat(2, 1, 3, 1), x)
    same(lambda x: x.tile(2), x)
    same(lambda x: x.roll((1, -2), (0, 2)), x)
    same(lambda x: x.roll(7), x)
    same(lambda x: x.flip(0, 2), x)
    same(lambda x: x.transpose(0, 1).flip(1), x)
    for k in (-2, 0, 1, 9):
        same(lambda x: x.tril(k), x)
        same(lambda x: x.transpose(1, 2).triu(k), x)
    F = torch.nn.functional
    same(lambda x: F.pad(x, (1, 2, 0, -1), value=3.0), x)
    for mode in ("reflect", "replicate", "circular"):
        same(lambda x: F.pad(x, (1, 2), mode=mode), x)
        same(lambda x: F.pad(x[None], (1, 2, 2, 1), mode=mode), x)
    same(lambda x, r: x.repeat_interleave(r, 1), x, torch.tensor([2, 0, 1, 3]))
    same(lambda x, r: x.repeat_interleave(r, 1, output_size=6), x, torch.tensor([2, 0, 1, 3]))
    same(lambda x: x.repeat_interleave(2, 1), x)
    try:
        torch.repeat_interleave(torch.tensor([1, -1], device="cuda"))
    except RuntimeError as error:
        assert "repeats can not be negative" in str(error)
    else:
        raise AssertionError
    same(lambda x: torch.diag_embed(x, 1), x)
    same(lambda x: torch.diag(x[0, 0]), x)
    same(lambda x: F.unfold(x[None], (2, 3), dilation=(2, 1), padding=1, stride=2), x)
    same(lambda x: F.fold(x, (4, 5), (2, 2), padding=1, stride=2), torch.randn(2, 8, 9))
    same(lambda x: F.pixel_shuffle(x, 2), torch.randn(1, 8, 2, 3))
    same(lambda x: F.pixel_unshuffle(x, 2), torch.randn(1, 2, 4, 6))
    same(lambda x: torch.block_diag(x[0], x[1]), x)
    same(lambda x: torch.meshgrid(x[0, 0], x[0, 1], indexing="ij"), x)
    same(lambda x: x.select_scatter(x[0] * 2, 0, 1), x)
    same(lambda x: x.rot90(1, (0, 2)), x)
    """
    )


def test_ranges(run):
    run(
        PAIRS
        + """
    def check(name, *args, **kw):
        ours, theirs = getattr(torch, name)(*args, device="cuda", **kw), getattr(torch, name)(*args, **kw)
        assert ours.is_cuda and ours.dtype == theirs.dtype and ours.shape == theirs.shape
        a, b = ours.cpu(), theirs
        if name == "logspace":
            assert torch.allclose(a, b, rtol=1e-5), (a, b)
        else:
            assert torch.equal(a, b), (name, args, kw, a, b)
    for dtype in (torch.float32, torch.int64, torch.bfloat16, torch.float64, torch.uint8)[: 5 if FULL else 3]:
        check("arange", 7, dtype=dtype)
        check("arange", 1, 250, 7, dtype=dtype)
        check("linspace", 1, 100, 50, dtype=dtype)
    check("arange", 1000)
    check("arange", 0.5, -3, -0.25)
    check("linspace", 0, 1, 1)
    check("linspace", 0, 1, 0)
    check("linspace", 1, 2 + 1j, 5)
    check("logspace", 0, 2, 7)
    check("logspace", 0, 2, 7, 2.0, dtype=torch.float64)
    check("eye", 3, 5)
    check("tril_indices", 4, 3, -1)
    check("triu_indices", 4, 3)
    check("full", (2, 3), 4)
    """
    )
