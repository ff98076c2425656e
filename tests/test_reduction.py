"""Reductions, scans, sorting, softmax and losses against PyTorch: values, gradients of first and
second order, layouts, types and errors. A case is an expression, evaluated under both."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

import lampas  # noqa: E402

LAYOUTS = {
    "contiguous": lambda t, x: x,
    "transposed": lambda t, x: x.transpose(0, 2),
    "permuted": lambda t, x: x.permute(1, 2, 0),
    "strided": lambda t, x: x[:, ::2],
    "expanded": lambda t, x: x[:1].expand(3, *x.shape[1:]),
    "wide": lambda t, x: x.reshape(2, -1).repeat(3, 50)[:, None],
}


def cases(table):
    return [case.strip() for line in table.strip().splitlines() for case in line.split("|")]


REDUCTIONS = """
x.sum() | x.sum(0) | x.sum((0, 2)) | x.sum(-1, keepdim=True) | x.sum((0, 1, 2)) | x.sum(())
x.nansum() | x.nansum(1) | x.mean() | x.mean(1) | x.mean((1, 2), keepdim=True) | x.mean(dim=None)
x.prod() | x.prod(1) | x.amax() | x.amax(1) | x.amin((0, 2)) | x.max() | x.min() | x.max(1).values
x.min(2, keepdim=True).values | torch.aminmax(x, dim=1).max | x.aminmax().min | x.norm()
x.norm(1) | x.norm(3, dim=1) | x.norm(0.5, dim=2) | x.norm(1.5, dim=0)
x.norm(float('inf'), dim=1) | x.norm(-float('inf'), dim=(0, 1)) | x.norm(-2.0, dim=1) | x.var()
x.var(1) | x.var((0, 1), unbiased=False) | x.var(1, correction=2) | x.std() | x.std(2)
x.std(False) | x.std(1, False, True) | torch.var_mean(x, 1)[1] | torch.std_mean(x, (0, 1))[0]
torch.var_mean(x)[0] | x.logsumexp(1) | x.logsumexp((0, 2), keepdim=True) | x.nanmean(1)
x.median(1).values | x.median() | x.nanmedian(2).values | x.nanmedian() | x.quantile(0.3, 1)
x.nanquantile(0.7) | x.kthvalue(2, 1).values
x.quantile(torch.tensor([0.1, 0.6], dtype=x.dtype), 2, keepdim=True) | x.mode(1).values
x.renorm(2, 1, 0.5) | torch.dist(x, x * 2 + 1) | x[0].trace() | torch.cdist(x, x + 0.5)
torch.cdist(x, x[:1] * 2, p=1.0) | torch.cdist(x, x + 1, p=3.0)
torch.cdist(x, x + 1, p=float('inf')) | x.cumsum(1) | x.cumprod(1) | x.logcumsumexp(1)
x.cummax(1).values | x.cummin(2).values | x.diff() | x.diff(n=2, dim=1) | torch.trapezoid(x)
torch.cumulative_trapezoid(x, dim=1) | x.sort(1).values | x.sort(0, descending=True).values
x.msort() | x.topk(2, 1).values | x.topk(2, 2, largest=False).values | x.softmax(1)
x.softmax(-1) | x.log_softmax(0) | x.log_softmax(2) | x.flatten(1).cov() | x.flatten(1).corrcoef()
"""
REDUCTIONS = cases(REDUCTIONS)

INDICES = """
x.max(1).indices | x.min(0).indices | x.argmax() | x.argmax(2) | x.argmin(1, keepdim=True)
x.any() | x.all(1) | x.norm(0, dim=1) | x.any((0, 2)) | x.count_nonzero() | x.count_nonzero((0, 1))
x.sort(dim=1, stable=True).indices | x.argsort(2) | x.argsort(dim=1, descending=True, stable=True)
torch.unique(x, return_inverse=True, return_counts=True)
torch.unique(x, dim=1, return_inverse=True) | torch.unique_consecutive(x, return_counts=True)
torch.unique_consecutive(x, dim=0)
torch.searchsorted(x.sort(-1).values.contiguous(), x.contiguous())
torch.bucketize(x, x.flatten().sort().values, right=True) | x.cummax(1).indices | x.mode(2).values
x.kthvalue(2, 2).values | x.topk(2, 0).values | x.median(0).values | x.cumsum(2) | x.sum(1)
x.prod(2)
"""
INDICES = cases(INDICES)


def tensors(result):
    if isinstance(result, (tuple, list)):
        return [t for part in result for t in tensors(part)]
    return [result]


def agree(mine, theirs, **kwargs):
    assert mine.shape == theirs.shape
    assert str(mine.dtype) == str(theirs.dtype)
    torch.testing.assert_close(
        torch.from_numpy(mine.detach().numpy()), theirs.detach(), equal_nan=True, **kwargs
    )


def both(case, array, requires_grad=False):
    results = []
    for module in (lampas, torch):
        x = module.from_numpy(array.copy())
        if requires_grad:
            x.requires_grad_()
        results.append((x, case(module, x)))
    return results


def sample(dtype="float64", shape=(3, 4, 5)):
    g = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=g, dtype=torch.float64).to(getattr(torch, dtype)).numpy()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("text", REDUCTIONS)
def test_values_and_gradients(text, layout):
    def case(module, x):
        return eval(text, {"torch": module, "x": LAYOUTS[layout](module, x)})

    try:
        both_of_torch = case(torch, torch.from_numpy(sample()))
    except Exception:
        pytest.skip("PyTorch refuses this case in this layout")
    assert both_of_torch is not None
    (x, mine), (z, theirs) = both(case, sample(), requires_grad=True)
    agree(mine, theirs)
    assert mine.stride() == theirs.stride() or mine.numel() <= 1
    weight = sample(shape=tuple(theirs.shape))
    grads = []
    for module, leaf, y in ((lampas, x, mine), (torch, z, theirs)):
        (g,) = module.autograd.grad((y * module.from_numpy(weight)).sum(), leaf, create_graph=True)
        second = None
        if g.requires_grad and not text.startswith("torch.cdist"):  # PyTorch has no second one
            (second,) = module.autograd.grad((g * g).sum(), leaf, allow_unused=True)
        grads.append((g, second))
    agree(grads[0][0], grads[1][0])
    if grads[1][1] is not None and layout != "wide":
        mine_second = grads[0][1]
        agree(mine_second if mine_second is not None else lampas.zeros_like(x), grads[1][1])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("layout", ["contiguous", "permuted", "strided"])
@pytest.mark.parametrize("text", INDICES)
def test_indices(text, layout, dtype):
    array = abs(sample() * 2).round()
    array = torch.from_numpy(array).to(getattr(torch, dtype)).numpy()

    def case(module, x):
        return eval(text, {"torch": module, "x": LAYOUTS[layout](module, x)})

    try:
        expected = tensors(case(torch, torch.from_numpy(array)))
    except (RuntimeError, NotImplementedError) as refusal:
        with pytest.raises(type(refusal)):
            case(lampas, lampas.from_numpy(array))
        return
    for a, b in zip(tensors(case(lampas, lampas.from_numpy(array))), expected):
        agree(a, b)


ERRORS = """
x.sum(5) | x.sum((0, 0)) | x.amax((1, 1)) | e.max() | e.max(0) | e.amax() | e.argmax()
e.aminmax() | e.mode() | e.median(0) | e.kthvalue(1) | x.kthvalue(7) | x.kthvalue(0) | x.topk(9)
x.topk(-1) | i.mean() | i.var() | x.mean(dtype=torch.int64) | c.argmax() | b.argmax() | c.sort()
b.topk(1) | i.norm() | c.nansum() | i.nanmean() | torch.linalg.vector_norm(e, ord=float('inf'))
torch.linalg.vector_norm(e, ord=-1.0) | x.softmax(5) | i.softmax(0)
torch.searchsorted(x[0], x, right=True, side='left') | torch.bucketize(x, x)
torch.histc(x, 3, 5, 1) | torch.histc(torch.tensor([float('nan')])) | torch.bincount(x)
torch.bincount(torch.tensor([-1])) | torch.bincount(torch.tensor([1, 2]), x[0]) | x.quantile(2.0)
i.quantile(0.5) | e.quantile(0.5) | x.renorm(-1, 0, 1) | x[0].renorm(2, 0, 1)
torch.cdist(x, x[:, :2]) | torch.cdist(i, x) | torch.cdist(x, x, p=-1) | torch.tensor(1).trace()
i.logcumsumexp(0) | c.cummax(0) | torch.unique(x, dim=5) | torch.unique(c)
"""
ERRORS = cases(ERRORS)


@pytest.mark.parametrize("text", ERRORS)
def test_errors(text):
    def call(module):
        x = module.arange(6.0).reshape(2, 3)
        names = {"x": x, "i": x.long(), "b": x > 2, "c": module.complex(x, x), "e": module.empty(0)}
        return eval(text, {"torch": module, **names})

    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(type(theirs.value)) as mine:
        call(lampas)
    assert str(mine.value).splitlines()[0] == str(theirs.value).splitlines()[0]


LOSSES = """
F.cross_entropy(x, t) | F.cross_entropy(x, t, reduction=2) | F.cross_entropy(x, t, reduction=0)
F.cross_entropy(x, t, w) | F.cross_entropy(x, t, w, 2, 1) | F.cross_entropy(x, t, None, 1, 1)
F.cross_entropy(x, t, w, 1, 1, 0.2) | F.cross_entropy(x, t, None, 0, 1, 0.2)
F.cross_entropy(x, p, w) | F.cross_entropy(x, p, None, 1, -100, 0.3) | F.cross_entropy(x, p, w, 0)
F.nll_loss(x, t) | F.nll_loss(x, t, w, 0) | F.nll_loss(x, t, w, 1, 1) | F.mse_loss(x, p, 1)
F.mse_loss(x, p, 0) | F.l1_loss(x, p, 1) | F.smooth_l1_loss(x, p, 1, 0.7)
F.smooth_l1_loss(x, p, 2)
F.huber_loss(x, p, 1, 0.4) | F.huber_loss(x, p, 0) | F.soft_margin_loss(x, p, 1)
F.binary_cross_entropy(x.sigmoid(), p, None, 1) | F.binary_cross_entropy(x.sigmoid(), p, p, 2)
F.binary_cross_entropy_with_logits(x, p, None, None, 1)
F.binary_cross_entropy_with_logits(x, p, p, p, 2)
F.binary_cross_entropy_with_logits(x, p, None, p, 0) | F.kl_div(x, p, 1)
F.kl_div(x, p, 2, log_target=True)
"""
LOSSES = cases(LOSSES)


class Functional:
    """PyTorch's losses with `reduction` as a number, as the core takes it."""

    def __getattr__(self, name):
        found = getattr(torch._C._nn, name, None)
        return found or getattr(torch, name)

    def cross_entropy(self, x, t, weight=None, reduction=1, ignore_index=-100, label_smoothing=0.0):
        return torch._C._nn.cross_entropy_loss(
            x, t, weight, reduction, ignore_index, label_smoothing
        )

    def nll_loss(self, x, t, weight=None, reduction=1, ignore_index=-100):
        return torch._C._nn.nll_loss_nd(x, t, weight, reduction, ignore_index)


@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5), (2, 4, 3, 3), (70, 40)])
@pytest.mark.parametrize("text", LOSSES)
def test_losses(text, shape):
    scores, classes = sample(shape=shape), shape[1]
    picks = torch.randint(
        0, classes, (shape[0], *shape[2:]), generator=torch.Generator().manual_seed(1)
    )
    chances = torch.from_numpy(sample(shape=shape)).softmax(1).numpy()

    def case(module, x):
        names = {
            "x": x, "t": module.from_numpy(picks.numpy()), "p": module.from_numpy(chances),
            "w": module.linspace(0.5, 1.5, classes, dtype=module.float64),
            "F": lampas._core if module is lampas else Functional(),
        }  # fmt: skip
        return eval(text, names)

    (x, mine), (z, theirs) = both(case, scores, requires_grad=True)
    agree(mine, theirs)
    grads = []
    for module, leaf, y in ((lampas, x, mine), (torch, z, theirs)):
        (plain,) = module.autograd.grad(y.sum(), leaf, retain_graph=True)
        (g,) = module.autograd.grad((y * y).sum(), leaf, create_graph=True)
        second = (
            module.autograd.grad((g * g).sum(), leaf, allow_unused=True)[0]
            if g.requires_grad
            else None
        )
        grads.append((plain, g, second))
    agree(grads[0][0], grads[1][0])
    agree(grads[0][1], grads[1][1])
    if grads[1][2] is not None:
        agree(grads[0][2], grads[1][2])


TYPED = """
x.sum() | x.sum(1) | x.mean(0) | x.prod(2) | x.norm() | x.norm(1, dim=1) | x.var(1) | x.std()
x.softmax(1) | x.log_softmax(2) | x.cumsum(1) | x.logsumexp(1) | x.cumprod(0) | x.amax(1)
x.sort(1).values | x.median()
"""
TYPED = cases(TYPED)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64", "complex128"])
@pytest.mark.parametrize("text", TYPED)
def test_dtypes(text, dtype):
    base = torch.from_numpy(sample())
    results = []
    for module in (torch, lampas):
        x = module.from_numpy(base.numpy())
        x = module.complex(x, x.flip(0)) if "complex" in dtype else x
        try:
            results.append(eval(text, {"x": x.to(getattr(module, dtype))}))
        except Exception as refusal:
            results.append(refusal)
    theirs, mine = results
    if isinstance(theirs, Exception):
        assert type(mine) is type(theirs) and str(mine) == str(theirs)
        return
    assert str(mine.dtype) == str(theirs.dtype)
    wide = "complex128" if "complex" in str(mine.dtype) else "float64"
    tolerance = {"float16": 2e-3, "bfloat16": 1.6e-2}.get(dtype, 1e-5)
    agree(
        mine.to(getattr(lampas, wide)),
        theirs.to(getattr(torch, wide)),
        rtol=tolerance,
        atol=tolerance,
    )


THREADED = """
x.sum() | x.sum(0) | x.sum(1) | x.var(1) | x.softmax(1) | x.norm(dim=0) | x.max(1).values
x.argmax() | x.cumsum(1) | x.sort(1).values | x.mean(0)
"""
THREADED = cases(THREADED)


@pytest.mark.parametrize("text", THREADED)
def test_threads_do_not_change_bits(text):
    x = lampas.from_numpy(sample("float32", (700, 901)))
    before, results = lampas.get_num_threads(), []
    try:
        for threads in (1, 2, 4):
            lampas.set_num_threads(threads)
            results.append(eval(text, {"x": x}).numpy().tobytes())
    finally:
        lampas.set_num_threads(before)
    assert results[0] == results[1] == results[2]


def test_long_sums_are_accurate():
    x = torch.rand(3_000_001, generator=torch.Generator().manual_seed(0))
    exact = x.double().sum().item()
    assert abs(lampas.from_numpy(x.numpy()).sum().item() - exact) / exact < 3e-7


NAN_ORDER = """
x.sort(stable=True).indices | x.sort(descending=True, stable=True).indices | x.max(0).indices
x.min(0).indices | x.argmax() | x.topk(3).values | x.median() | x.nanmedian() | x.amax() | x.amin()
x.cummax(0).values | x.cummin(0).indices | x.kthvalue(8).values | x.nanquantile(0.5)
x.quantile(0.5)
"""


def test_nan_order():
    nan = float("nan")
    values = [3.0, nan, -1.0, nan, 2.0, float("inf"), -0.0, 0.0]
    for module in (torch, lampas):
        x = module.tensor(values)
        found = [eval(text, {"x": x}) for text in cases(NAN_ORDER)]
        if module is torch:
            expected = found
    for mine, theirs in zip(found, expected):
        agree(mine, theirs)


@pytest.mark.parametrize("reduction", [0, 1, 2])
@pytest.mark.parametrize("kind", ["padded", "joined", "tensors", "impossible"])
def test_ctc_loss(kind, reduction):
    steps, lengths = (7, 6, 5), (3, 0, 2)
    labels = [[1, 2, 2], [3, 2, 1], [3, 1, 2]]
    if kind == "joined":
        labels = [1, 2, 2, 3, 1]
    if kind == "impossible":
        lengths, steps = (3, 3, 3), (7, 2, 5)
    results = []
    for module in (lampas, torch):
        x = module.from_numpy(sample(shape=(7, 3, 4))).requires_grad_()
        sizes = (steps, lengths)
        if kind == "tensors":
            sizes = tuple(module.tensor(s) for s in sizes)
        targets = module.tensor(labels)
        y = module.ctc_loss(x.log_softmax(-1), targets, *sizes, 0, reduction, kind == "impossible")
        (g,) = module.autograd.grad((y * y).sum(), x)
        results.append((y, g))
    for mine, theirs in zip(*results):
        agree(mine, theirs)


@pytest.mark.parametrize("classes", [(0, 5, 2), (0, -1, 2), (0, 1)])
def test_targets_are_checked(classes):
    x = sample(shape=(3, 4))
    for loss in (lampas._core.cross_entropy, lampas._core.nll_loss):
        with pytest.raises((IndexError, ValueError)) as mine:
            loss(lampas.from_numpy(x), lampas.tensor(classes))
        with pytest.raises(type(mine.value)) as theirs:
            torch.nn.functional.nll_loss(torch.from_numpy(x), torch.tensor(classes))
        assert str(mine.value) == str(theirs.value)


EMPTY = """
x.sum() | x.sum(0) | x.mean() | x.prod() | x.any() | x.all() | x.norm() | x.logsumexp(0)
x.cumsum(0) | x.softmax(0) | x.sort(0).values | x.count_nonzero() | x.median() | x.var()
x.nansum() | x.nanmean() | x.argsort() | x.std(0) | x.cummax(0).values | torch.unique(x)
x.topk(0).values
"""


def test_empty_and_scalar_inputs():
    for text in cases(EMPTY):
        for make in ("empty(0)", "tensor(2.5)", "empty(0, 3)", "empty(3, 0)"):
            expected = eval(text, {"x": eval("torch." + make), "torch": torch})
            found = eval(text, {"x": eval("lampas." + make), "torch": lampas})
            for mine, theirs in zip(tensors(found), tensors(expected)):
                agree(mine, theirs)
