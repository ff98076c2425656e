"""Source that programs on the fake driver begin with: a call on the CPU and on the device, compared.
Not a test; used by those beside it."""

BOTH = """
NEAR = {torch.float16: 2e-3, torch.bfloat16: 1.6e-2, torch.float32: 2e-5, torch.complex64: 2e-5}

def flat(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]

def same(ours, theirs, near, label):
    assert ours.is_cuda and ours.dtype == theirs.dtype and ours.shape == theirs.shape, (label, ours, theirs)
    ours = ours.cpu()
    if not (ours.is_floating_point() or ours.is_complex()):
        assert torch.equal(ours, theirs), (label, ours, theirs)
        return
    near = near or NEAR.get(ours.dtype, 1e-11)
    if theirs.is_floating_point():
        ours, theirs = ours.double(), theirs.double()
    assert torch.allclose(ours, theirs, rtol=near, atol=near, equal_nan=True), (label, ours, theirs)

def both(f, *inputs, near=None, label=None, grad=False, g=None):
    found = []
    for device in ("cpu", "cuda"):
        xs = [x.to(device, copy=True) if x.is_contiguous() else laid_out(x, device) for x in inputs]
        leaves = []
        if grad:
            leaves = [x.requires_grad_() for x in xs if x.is_floating_point() or x.is_complex()]
        ys = flat(f(*xs))
        results = [y.detach() for y in ys]
        if grad:
            y = ys[0]
            torch.manual_seed(1)
            up = torch.randn(y.shape).to(y.dtype) if y.dim() else torch.tensor(1.5, dtype=y.dtype)
            results += torch.autograd.grad(y, leaves, up.to(device))
        found.append(results)
    assert len(found[0]) == len(found[1])
    for ours, theirs in zip(found[1], found[0]):
        same(ours, theirs, near, label or (f, [(x.dtype, x.shape, x.stride()) for x in inputs]))

def laid_out(x, device):
    storage = torch.as_strided(x, (x.untyped_storage().nbytes() // x.element_size(),), (1,), 0)
    return torch.as_strided(storage.to(device, copy=True), x.shape, x.stride(), x.storage_offset())

def draw(shape, dtype=torch.float32):
    x = torch.randn(shape, dtype=torch.float64) * 3
    if dtype.is_complex:
        return torch.complex(x, torch.randn(shape, dtype=torch.float64)).to(dtype)
    return x.abs().to(dtype) if dtype == torch.uint8 else x.to(dtype)
"""
