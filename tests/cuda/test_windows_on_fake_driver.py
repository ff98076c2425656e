"""Pooling, resizing and sampling on the fake driver, beside the CPU's results."""

from test_indexing_on_fake_driver import PAIRS


def test_pooling(run):
    run(
        PAIRS
        + """
    F = torch.nn.functional
    torch.manual_seed(0)
    x = torch.randn(2, 3, 7, 9)
    for more in ({}, {"stride": 2, "padding": 1}, {"stride": (3, 1), "ceil_mode": True}):
        same(lambda x: F.max_pool2d(x, (3, 2), **more), x)
        same(lambda x: F.max_pool2d(x, (3, 2), return_indices=True, dilation=(1, 2), **more), x)
        same(lambda x: F.avg_pool2d(x, (3, 2), **more), x)
        same(lambda x: F.avg_pool2d(x, (3, 2), count_include_pad=False, **more), x)
    same(lambda x: F.avg_pool2d(x, 2, divisor_override=3), x)
    last = x.contiguous(memory_format=torch.channels_last)
    same(lambda x: F.max_pool2d(x, 3, 2, 1), last)
    same(lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True), last)
    same(lambda x: F.avg_pool2d(x, 3, 2, 1), last)
    same(lambda x: F.adaptive_avg_pool2d(x, (3, 4)), last)
    same(lambda x: F.adaptive_max_pool2d(x, (1, 2)), last)
    same(lambda x: F.adaptive_avg_pool2d(x, (3, 4)), x)
    same(lambda x: F.adaptive_avg_pool2d(x, (9, 2)), x)
    same(lambda x: F.adaptive_max_pool2d(x, (3, 4), return_indices=True), x)
    same(lambda x: F.max_pool1d(x[0], 3, 2, 1), x)
    same(lambda x: F.avg_pool1d(x[0], 3), x)
    same(lambda x: F.adaptive_max_pool1d(x[0], 4), x)
    same(lambda x: F.max_pool3d(x, 2, 1), x)
    same(lambda x: F.avg_pool3d(x, 2, 1, 1), x)
    same(lambda x: F.adaptive_avg_pool3d(x, (2, 3, 2)), x)
    same(lambda x: F.adaptive_max_pool3d(x, 2), x)
    same(lambda x: F.lp_pool2d(x.abs() + 1, 2.0, 3), x)
    nan = x.clone()
    nan[0, 0, 2, 3] = float("nan")
    same(lambda x: F.max_pool2d(x, 3, 2, return_indices=True), nan)
    for dtype in (torch.bfloat16, torch.int64, torch.float64)[: 3 if FULL else 1]:
        same(lambda x: F.max_pool2d(x, 3, 2, 1), (x * 8).to(dtype), grads=dtype == torch.float64)
    same(lambda x: F.avg_pool2d(x, 3, 2, 1), x.half(), grads=False, atol=1e-3)
    same(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=(7, 9)), x)
    same(lambda x: F.fractional_max_pool2d(x, 2, output_size=3,
                                           _random_samples=torch.full((2, 3, 2), 0.5, device=x.device)), x)
    half = x.half().cuda().requires_grad_()
    F.max_pool2d(half, 3, 1).sum().backward()
    assert half.grad.dtype == torch.float16
    """
    )


def test_resizing(run):
    run(
        PAIRS
        + """
    F = torch.nn.functional
    torch.manual_seed(0)
    x = torch.randn(2, 2, 5, 6)
    for size in ((10, 12), (3, 9), (5, 6), (1, 1)):
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic"):
            same(lambda x: F.interpolate(x, size, mode=mode), x)
        for mode in ("bilinear", "bicubic"):
            same(lambda x: F.interpolate(x, size, mode=mode, align_corners=True), x)
    for kernel in (torch._core._upsample_bilinear2d_aa, torch._core._upsample_bicubic2d_aa):
        for size in ((3, 9), (2, 2), (7, 4)):
            same(lambda x: kernel(x, size, False), x)
    same(lambda x: F.interpolate(x, scale_factor=(1.7, 0.6), mode="bilinear"), x)
    same(lambda x: F.interpolate(x, scale_factor=(1.7, 0.6), mode="nearest"), x)
    same(lambda x: F.interpolate(x[0], 9, mode="linear"), x)
    if FULL:
        same(lambda x: F.interpolate(x[0], 13, mode="nearest-exact"), x.double())
        same(lambda x: F.interpolate(x, (7, 4), mode="bilinear"), x.bfloat16(), grads=False, atol=1e-2)
    same(lambda x: F.interpolate(x[None], (4, 3, 7), mode="trilinear"), x)
    same(lambda x: F.interpolate(x[None], (4, 3, 7), mode="nearest"), x)
    bytes = torch.randint(256, (1, 2, 5, 6), dtype=torch.uint8)
    same(lambda x: F.interpolate(x, (7, 4), mode="bilinear"), bytes, grads=False)
    same(lambda x: F.interpolate(x, (7, 4), mode="bicubic"), bytes, grads=False)
    same(lambda x: F.interpolate(x, (7, 4), mode="bilinear"), x.contiguous(memory_format=torch.channels_last))
    """
    )


def test_sampling_on_grids(run):
    run(
        PAIRS
        + """
    F = torch.nn.functional
    torch.manual_seed(0)
    x, grid = torch.randn(2, 3, 4, 5), torch.rand(2, 3, 2, 2) * 2.6 - 1.3
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            for align in (False, True):
                same(lambda x, g: F.grid_sample(x, g, mode, padding, align), x, grid, atol=1e-4)
    volume, grid = torch.randn(1, 2, 3, 4, 5), torch.rand(1, 2, 3, 2, 3) * 2.6 - 1.3
    same(lambda x, g: F.grid_sample(x, g, align_corners=False), volume, grid, atol=1e-4)
    grid[0, 0, 0, 0] = float("nan")
    same(lambda x, g: F.grid_sample(x, g, align_corners=False), volume, grid, grads=False)
    x, g = x.half().cuda().requires_grad_(), torch.zeros(2, 3, 2, 2, device="cuda").half()
    F.grid_sample(x, g, align_corners=False).backward(torch.ones(2, 3, 3, 2, device="cuda").half())
    assert x.grad.dtype == torch.float16 and abs(x.grad.float().cpu().sum().item() - 36) < 0.1
    """
    )
